import { type ClinicEventMap, type ClinicRequest, clinicCommands } from '@bedside/protocol';
import type { Keyring } from '../auth/tokens.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { ClinicDoor, StaffCommandName } from '../ports.ts';
import { admitToClinic, renewForClinic } from './handshake.ts';
import { SocketLink } from './link.ts';
import { type Door, expiresInMs } from './namespace.ts';

export interface ClinicDoorOptions {
  clinics: ClinicDoor;
  keyrings: ReadonlyMap<string, Keyring>;
  telemetry: GatewayTelemetry;
}

/** The namespace of the clinics: one person of the staff a socket. */
export function clinicDoor({ clinics, keyrings, telemetry }: ClinicDoorOptions): Door {
  return {
    commands: clinicCommands,
    onCount: (count) => telemetry.clinicSockets(count),
    async enter(socket, allow) {
      const { auth, query, headers } = socket.handshake;
      const handshake = { auth, place: query.clinic, origin: headers.origin };
      const admitted = await admitToClinic(handshake, keyrings, telemetry);
      const { version } = admitted;
      let { identity } = admitted;
      allow(identity.tenant);

      const link = new SocketLink<ClinicEventMap>(socket, (reason) => telemetry.closed(reason));
      const connection = clinics.connect(identity, link);
      return {
        get expiresAt() {
          return identity.expiresAt;
        },
        open: () =>
          link.open({
            version,
            participantId: identity.participant,
            grants: [...identity.grants],
            tokenExpiresInMs: expiresInMs(identity),
            now: Date.now(),
          }),
        command: (name, request) =>
          connection.command(name as StaffCommandName, request as ClinicRequest<StaffCommandName>),
        async renew(token) {
          identity = await renewForClinic(token, identity, keyrings, telemetry);
          connection.identify(identity);
          return identity.grants;
        },
        close: (reason, retryAfterMs) => link.close(reason, retryAfterMs),
        disconnected: () => connection.disconnected(),
      };
    },
  };
}
