import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import {
  BedsideError,
  CLOCK_SKEW_SECONDS,
  type ClientCommandName,
  type ClientRequest,
  type ClientToGateway,
  type CloseReason,
  type GatewayToClient,
  type Grant,
  LIMITS,
  toBedsideError,
} from '@bedside/protocol';
import { Server } from 'socket.io';
import type { Keyring } from '../auth/tokens.ts';
import type { GatewayConfig } from '../config.ts';
import { iceServersFor } from '../ice.ts';
import type { Logger } from '../log.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { Identity, VisitCommandName, VisitConnection, Visits } from '../ports.ts';
import { ClientAddresses } from './address.ts';
import { CommandDesk } from './commands.ts';
import { withDeadline } from './deadline.ts';
import { admit, renew } from './handshake.ts';
import { hardenedApp, type UpgradeRefusal } from './hardened-app.ts';
import { type ClientSocket, SocketLink } from './link.ts';
import { TokenBucket, TokenBuckets } from './token-bucket.ts';

/** A command is answered within this, milliseconds, whatever happens behind it. */
export const COMMAND_DEADLINE_MS = 15_000;
/** Token check, Redis and node for one handshake, milliseconds. */
export const HANDSHAKE_DEADLINE_MS = 10_000;
/** A dead connection is noticed within the sum of both, milliseconds. */
export const PING_INTERVAL_MS = 10_000;
export const PING_TIMEOUT_MS = 5_000;
/** Longest delay that setTimeout takes, milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Frames of one socket: four times what its commands may be, since acknowledgements and pongs are frames too. */
export const FRAMES_PER_COMMAND = 4;

export interface SocketServerOptions {
  config: GatewayConfig;
  visits: Visits;
  keyrings: ReadonlyMap<string, Keyring>;
  telemetry: GatewayTelemetry;
  log: Logger;
}

export interface SocketServer {
  /** Serves an app; more than one may be served at a time, while certificates change. */
  attach(app: TemplatedApp): void;
  /** New sockets are refused from now on; those that are open are told, spread over `spreadMs`, to come back. */
  stop(spreadMs: number): Promise<void>;
}

/** What there is of one welcomed page. */
interface Page {
  identity: Identity;
  version: number;
  link: SocketLink;
  connection: VisitConnection;
}

export function createSocketServer(options: SocketServerOptions): SocketServer {
  const { config, visits, keyrings, telemetry, log } = options;
  const { limits } = config;
  const now = () => performance.now();
  const clients = new ClientAddresses(config.trustedProxies);
  const addresses = new TokenBuckets(limits.addressConnections);
  const tenants = new TokenBuckets(limits.tenantConnections);
  const pages = new Map<ClientSocket, Page>();
  const greeted = new WeakSet<object>();
  /** WebSockets that are open, welcomed or not. */
  let open = 0;
  let stopping = false;

  const io = new Server<ClientToGateway, GatewayToClient>({
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: LIMITS.clientMessageBytes,
    perMessageDeflate: false,
    httpCompression: false,
    connectTimeout: HANDSHAKE_DEADLINE_MS,
    pingInterval: PING_INTERVAL_MS,
    pingTimeout: PING_TIMEOUT_MS,
  });

  const refuseUpgrade = (res: HttpResponse, req: HttpRequest): UpgradeRefusal | undefined => {
    if (stopping) return { status: '503 Service Unavailable', retryAfterSeconds: 1 };
    const origin = req.getHeader('origin');
    if (
      origin !== '' &&
      config.allowedOrigins.length > 0 &&
      !config.allowedOrigins.includes(origin)
    ) {
      telemetry.connection('forbidden-origin');
      return { status: '403 Forbidden' };
    }
    const waitMs = addresses.take(clients.keyOf(res, req), now());
    if (waitMs > 0) {
      telemetry.limited('address');
      telemetry.connection('rate-limited');
      return { status: '429 Too Many Requests', retryAfterSeconds: Math.ceil(waitMs / 1000) };
    }
    if (open >= limits.maxSockets) {
      telemetry.limited('sockets');
      telemetry.connection('capacity');
      return { status: '503 Service Unavailable', retryAfterSeconds: 5 };
    }
    return undefined;
  };

  /** From the handshake to a page that the visit knows; the socket is not connected yet. */
  const enter = async (socket: ClientSocket): Promise<void> => {
    const { auth, query, headers } = socket.handshake;
    const admitted = await admit(
      { auth, visit: query.visit, origin: headers.origin },
      keyrings,
      telemetry,
    );
    const { identity, version, sessionId } = admitted;
    const retryAfterMs = tenants.take(identity.tenant, now());
    if (retryAfterMs > 0) {
      telemetry.limited('tenant');
      throw new BedsideError('rate-limited', { retryAfterMs });
    }
    if (stopping) throw new BedsideError('shutting-down');

    const link = new SocketLink(socket, (reason) => telemetry.closed(reason));
    const connecting = visits.connect(identity, link, sessionId);
    let connection: VisitConnection;
    try {
      connection = await withDeadline(connecting, HANDSHAKE_DEADLINE_MS);
    } catch (error) {
      // A page that gave up must not stay in the visit when its connection comes through after all.
      connecting.then((late) => late.disconnected()).catch(() => undefined);
      throw error;
    }
    if (socket.conn.readyState !== 'open') {
      connection.disconnected();
      throw new BedsideError('connection-failed');
    }
    const page: Page = { identity, version, link, connection };
    pages.set(socket, page);
    // The end of the Engine.IO connection, not Socket.IO's `disconnect`: a client that goes while
    // Socket.IO finishes its handshake gets no `disconnect`.
    socket.conn.once('close', () => {
      pages.delete(socket);
      telemetry.sockets(pages.size);
      connection.disconnected();
    });
  };

  io.use((socket: ClientSocket, next) => {
    // One CONNECT a connection: repeats would be free guesses at tokens.
    if (greeted.has(socket.conn)) return socket.conn.close();
    greeted.add(socket.conn);
    enter(socket).then(
      () => {
        telemetry.connection('ok');
        next();
      },
      (thrown: unknown) => {
        const error = toBedsideError(thrown);
        telemetry.connection(error.code);
        if (error.kind === 'internal') {
          telemetry.internalError('handshake');
          log.error({ err: error }, 'handshake failed');
        }
        next(Object.assign(new Error(error.code), { data: error.toBody() }));
        // Next tick's connect_error goes out first; nothing more can come of this connection.
        setImmediate(() => socket.conn.close());
      },
    );
  });

  io.on('connection', (socket: ClientSocket) => {
    const page = pages.get(socket);
    if (page === undefined) return void socket.disconnect(true);
    const expiry = new ExpiryTimer(() => page.link.close('token-expired'));
    expiry.set(page.identity.expiresAt);
    socket.conn.once('close', () => expiry.clear());
    // Socket.IO's DISCONNECT alone would leave a connection that the visit takes for a page, and that is deaf.
    socket.once('disconnect', () => socket.conn.close());

    const renewToken = async (request: ClientRequest<'renew-token'>) => {
      let grants: Grant[];
      try {
        const renewed = await renew(request.token, page.identity, keyrings, telemetry);
        grants = await page.connection.identify(renewed);
        page.identity = renewed;
      } catch (error) {
        telemetry.answered('renew-token', toBedsideError(error).code);
        throw error;
      }
      expiry.set(page.identity.expiresAt);
      telemetry.answered('renew-token', 'ok');
      return { expiresInMs: expiresInMs(page.identity), grants };
    };

    const run = (name: ClientCommandName, request: unknown): Promise<unknown> => {
      if (stopping) throw new BedsideError('shutting-down');
      // The desk has parsed the request by the schema of this very name.
      return name === 'renew-token'
        ? renewToken(request as ClientRequest<'renew-token'>)
        : page.connection.command(name, request as ClientRequest<VisitCommandName>);
    };

    const bucket = new TokenBucket(limits.socketCommands, now());
    const desk = new CommandDesk({
      take: () => bucket.take(now()),
      run: async (name, request) => withDeadline(run(name, request), COMMAND_DEADLINE_MS),
      telemetry,
      log,
    });
    // `next` is never called: an event named `error` would otherwise be emitted as one, and end the process.
    socket.use((event) => void desk.receive(event));

    telemetry.sockets(pages.size);
    page.link.open({
      ...page.connection.welcome,
      version: page.version,
      iceServers: iceServersFor(config, Date.now()),
      tokenExpiresInMs: expiresInMs(page.identity),
    });
  });

  return {
    attach(app) {
      const hardened = hardenedApp(app, {
        maxPayloadBytes: LIMITS.clientMessageBytes,
        maxBackpressureBytes: limits.maxBackpressureBytes,
        frames: {
          burst: limits.socketCommands.burst * FRAMES_PER_COMMAND,
          perSecond: limits.socketCommands.perSecond * FRAMES_PER_COMMAND,
        },
        refuseUpgrade,
        onOpen() {
          open += 1;
        },
        onClose() {
          open -= 1;
        },
        onFlood() {
          telemetry.limited('frames');
          telemetry.closed('flood');
        },
        now,
      });
      io.attachApp(hardened);
    },
    async stop(spreadMs) {
      stopping = true;
      const reason: CloseReason = 'shutting-down';
      for (const { link } of [...pages.values()])
        link.close(reason, Math.round(Math.random() * spreadMs));
      // Undefined before the first `attach`, where close() would throw.
      if (io.engine) await io.close();
    },
  };
}

const expiresInMs = (identity: Identity): number => Math.max(0, identity.expiresAt - Date.now());

/** One timer a socket, for the end of its token with the clock skew that its beginning was given too. */
class ExpiryTimer {
  readonly #onExpired: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  /** `expiresAt`: milliseconds since 1970. */
  set(expiresAt: number): void {
    this.clear();
    const delayMs = Math.max(0, expiresAt + CLOCK_SKEW_SECONDS * 1000 - Date.now());
    this.#timer = setTimeout(
      () => (delayMs > MAX_TIMER_MS ? this.set(expiresAt) : this.#onExpired()),
      Math.min(delayMs, MAX_TIMER_MS),
    );
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
