import { type ClientRequest, clientCommands } from '@bedside/protocol';
import type { Keyring } from '../auth/tokens.ts';
import type { GatewayConfig } from '../config.ts';
import { iceServersFor } from '../ice.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { VisitCommandName, VisitConnection, Visits } from '../ports.ts';
import { withDeadline } from './deadline.ts';
import { admitToVisit, renewForVisit } from './handshake.ts';
import { VisitLink } from './link.ts';
import { type Door, expiresInMs } from './namespace.ts';

/** Token check, Redis and node for one handshake, milliseconds. */
export const HANDSHAKE_DEADLINE_MS = 10_000;

export interface VisitDoorOptions {
  config: GatewayConfig;
  visits: Visits;
  keyrings: ReadonlyMap<string, Keyring>;
  telemetry: GatewayTelemetry;
}

/** Socket.IO's main namespace: one visit a socket. */
export function visitDoor({ config, visits, keyrings, telemetry }: VisitDoorOptions): Door {
  return {
    commands: clientCommands,
    onCount: (count) => telemetry.sockets(count),
    async enter(socket, allow) {
      const { auth, query, headers } = socket.handshake;
      const handshake = { auth, place: query.visit, origin: headers.origin };
      const admitted = await admitToVisit(handshake, keyrings, telemetry);
      const { version, sessionId } = admitted;
      let { identity } = admitted;
      allow(identity.tenant);

      const link = new VisitLink(socket, (reason) => telemetry.closed(reason));
      // Who balances gives a page to the gateway that it names, as long as that is reached.
      const isAstray = typeof query.gateway === 'string' && query.gateway !== config.gatewayId;
      const connecting = visits.connect(identity, link, sessionId, isAstray);
      let connection: VisitConnection;
      try {
        connection = await withDeadline(connecting, HANDSHAKE_DEADLINE_MS);
      } catch (error) {
        // A page that gave up must not stay in the visit when its connection comes through after all.
        connecting.then((late) => late.disconnected()).catch(() => undefined);
        throw error;
      }
      return {
        get expiresAt() {
          return identity.expiresAt;
        },
        open: () =>
          link.open({
            ...connection.welcome,
            version,
            iceServers: iceServersFor(config, Date.now()),
            tokenExpiresInMs: expiresInMs(identity),
          }),
        command: (name, request) =>
          connection.command(name as VisitCommandName, request as ClientRequest<VisitCommandName>),
        async renew(token) {
          const renewed = await renewForVisit(token, identity, keyrings, telemetry);
          const grants = await connection.identify(renewed);
          identity = renewed;
          return grants;
        },
        close: (reason, retryAfterMs) => link.close(reason, retryAfterMs),
        disconnected: () => connection.disconnected(),
      };
    },
  };
}
