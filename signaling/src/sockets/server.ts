import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { BedsideError, CLINIC_NAMESPACE, LIMITS, type TenantId } from '@bedside/protocol';
import type { Logger } from '@bedside/service';
import { TokenBuckets } from '@bedside/service';
import { Server } from 'socket.io';
import type { Keyring } from '../auth/tokens.ts';
import type { GatewayConfig } from '../config.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { ClinicDoor, Visits } from '../ports.ts';
import { ClientAddresses } from './address.ts';
import { clinicDoor } from './clinic-door.ts';
import { hardenedApp, type UpgradeRefusal } from './hardened-app.ts';
import { type Shared, serveNamespace } from './namespace.ts';
import { HANDSHAKE_DEADLINE_MS, visitDoor } from './visit-door.ts';

/** A dead connection is noticed within the sum of both, milliseconds. */
export const PING_INTERVAL_MS = 10_000;
export const PING_TIMEOUT_MS = 5_000;
/** Frames of one socket: four times what its commands may be, since acknowledgements and pongs are frames too. */
export const FRAMES_PER_COMMAND = 4;

export interface SocketServerOptions {
  config: GatewayConfig;
  visits: Visits;
  clinics: ClinicDoor;
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

export function createSocketServer(options: SocketServerOptions): SocketServer {
  const { config, telemetry, log } = options;
  const { limits } = config;
  const now = () => performance.now();
  const clients = new ClientAddresses(config.trustedProxies);
  const addresses = new TokenBuckets(limits.addressConnections);
  const tenants = new TokenBuckets(limits.tenantConnections);
  /** WebSockets that are open, welcomed or not. */
  let open = 0;
  let stopping = false;

  const io = new Server({
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

  const shared: Shared = {
    greeted: new WeakSet(),
    stopping: () => stopping,
    allow(tenant: TenantId) {
      const retryAfterMs = tenants.take(tenant, now());
      if (retryAfterMs > 0) {
        telemetry.limited('tenant');
        throw new BedsideError('rate-limited', { retryAfterMs });
      }
      if (stopping) throw new BedsideError('shutting-down');
    },
    commandRate: limits.socketCommands,
    telemetry,
    log,
    now,
  };
  const namespaces = [
    serveNamespace(io.of('/'), visitDoor(options), shared),
    serveNamespace(io.of(CLINIC_NAMESPACE), clinicDoor(options), shared),
  ];

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
      for (const pages of namespaces)
        for (const page of [...pages.values()])
          page.close('shutting-down', Math.round(Math.random() * spreadMs));
      // Undefined before the first `attach`, where close() would throw.
      if (io.engine) await io.close();
    },
  };
}
