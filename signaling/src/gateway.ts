import { randomUUID } from 'node:crypto';
import {
  authority,
  connectCommands,
  connectSubscriber,
  createLog,
  createOps,
  type Logger,
  type Member,
  reachableHost,
  VERSION,
  watchCertificate,
} from '@bedside/service';
import { createVisits } from './actor/index.ts';
import { GuestKeys } from './auth/guest-tokens.ts';
import { createServiceAuth } from './auth/services.ts';
import { createKeyrings, type OnKeysFetched } from './auth/tokens.ts';
import { createClinics } from './clinic/index.ts';
import type { GatewayConfig } from './config.ts';
import { Listener } from './listener.ts';
import { createMetrics, type GatewayMetrics } from './metrics.ts';
import type { ClinicDoor, GuestTokens, Visits } from './ports.ts';
import { createRest } from './rest/routes.ts';
import { withDeadline } from './sockets/deadline.ts';
import { createSocketServer } from './sockets/server.ts';
import { JOIN_SCRIPTS } from './store/scripts.ts';

/** Where the gateway listens. */
export interface GatewayAddress {
  host: string;
  port: number;
  opsPort: number;
}

export interface Gateway {
  /** @throws Error where a port is taken or the visits can not start */
  start(): Promise<void>;
  /** Refuses what is new, tells clients, commits, closes; done within the configured shutdown time. Idempotent. */
  stop(): Promise<void>;
  /** @throws Error before `start` */
  address(): GatewayAddress;
  readonly metrics: GatewayMetrics;
}

/** Share of the shutdown time over which clients are told to come back, so that they do not come as one. */
const RETRY_SPREAD = 0.2;
/** Share of the shutdown time in which visits commit what is unwritten. */
const VISITS_SHARE = 0.6;
/** Share of the shutdown time after which visits are not waited for any more, so that the rest is done in time. */
const VISITS_DEADLINE_SHARE = 0.8;

/** What the gateway opens its doors to. */
export interface Core {
  visits: Visits & { start?(): Promise<void> };
  clinics: ClinicDoor;
}

/** A gateway that can run in any process, several in one too. `parts`: in place of its own, for tests. */
export function createGateway(
  config: GatewayConfig,
  parts: {
    core?: Core;
    log?: Logger;
    metrics?: GatewayMetrics;
    /** Milliseconds between two looks at the certificate files. */
    certificatePollMs?: number;
  } = {},
): Gateway {
  const log = parts.log ?? createLog('gateway', config.logLevel);
  const metrics = parts.metrics ?? createMetrics();
  const telemetry = metrics.gateway;
  const guests = new GuestKeys(config.guestSecret);
  let state: 'starting' | 'running' | 'stopping' = 'starting';
  let opsPort = config.opsPort;
  const boot = randomUUID();
  const self = (): Member => ({
    kind: 'gateway',
    id: config.gatewayId,
    boot,
    version: VERSION,
    region: config.region,
    state: ({ starting: 'starting', running: 'ready', stopping: 'draining' } as const)[state],
    address: config.opsUrl ?? `http://${authority(reachableHost(config.host), opsPort)}`,
  });
  const { visits, clinics } = parts.core ?? ownCore(config, metrics, log, guests, self);

  let stopped: Promise<void> | undefined;

  const onKeysFetched: OnKeysFetched = (tenant, error) => {
    telemetry.keysFetched(error === undefined ? 'ok' : 'error');
    if (error !== undefined) log.warn({ tenant, err: error }, 'keys of a tenant not fetched');
  };
  const keyrings = createKeyrings(config.tenants, onKeysFetched, guests);
  const sockets = createSocketServer({ config, visits, clinics, keyrings, telemetry, log });
  const auth = createServiceAuth(config.tenants, keyrings, telemetry);
  const stopping = () => state === 'stopping';
  const rest = createRest({ config, visits, auth, telemetry, log, stopping });
  const listener = new Listener({
    host: config.host,
    port: config.port,
    tls: config.tls,
    mount(app) {
      sockets.attach(app);
      rest.mount(app);
    },
  });
  const ops = createOps({
    registry: metrics.registry,
    readiness: () =>
      state === 'running' ? visits.readiness() : { ready: false, reasons: [state] },
  });
  let address: GatewayAddress | undefined;
  let stopWatching = () => {};

  const listening = async <T>(variable: string, port: number, done: Promise<T>): Promise<T> => {
    try {
      return await done;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      log.error({ host: config.host, port, code }, `can not listen on the port of ${variable}`);
      throw error;
    }
  };

  const watchTls = (): void => {
    if (config.tls === undefined) return;
    stopWatching = watchCertificate(
      config.tls,
      () => {
        listener.renew();
        log.info('certificate renewed');
      },
      (error) => log.warn({ err: error }, 'certificate not renewed: the old one serves on'),
      parts.certificatePollMs,
    );
  };

  const stopAll = async (): Promise<void> => {
    const { shutdownMs } = config;
    state = 'stopping';
    stopWatching();
    listener.stopListening();
    await sockets.stop(shutdownMs * RETRY_SPREAD);
    try {
      await withDeadline(
        visits.stop(shutdownMs * VISITS_SHARE),
        shutdownMs * VISITS_DEADLINE_SHARE,
      );
    } catch (error) {
      log.error({ err: error }, 'visits not stopped in order');
    }
    listener.close();
    ops.close();
    log.info('stopped');
  };

  return {
    metrics,
    async start() {
      // First, so that `/livez` answers while Redis and nodes are waited for.
      opsPort = await listening(
        'BEDSIDE_GATEWAY_OPS_PORT',
        config.opsPort,
        ops.listen(config.host, config.opsPort),
      );
      await visits.start?.();
      if (stopping()) return;
      await listening('BEDSIDE_GATEWAY_PORT', config.port, listener.open());
      watchTls();
      address = { host: config.host, port: listener.port, opsPort };
      state = 'running';
      log.info({ port: address.port, opsPort, tls: config.tls !== undefined }, 'started');
    },
    stop() {
      stopped ??= stopAll();
      return stopped;
    },
    address() {
      if (address === undefined) throw new Error('the gateway has not started');
      return address;
    },
  };
}

/** Visits and clinics on Redis and the configured nodes; the connections to Redis end with the visits. */
function ownCore(
  config: GatewayConfig,
  metrics: GatewayMetrics,
  log: Logger,
  guests: GuestTokens,
  self: () => Member,
): Core {
  const commands = connectCommands({
    settings: config.redis,
    log,
    onReconnected: () => visits.reconnected(),
    scripts: JOIN_SCRIPTS,
  });
  const subscriber = connectSubscriber({
    settings: config.redis,
    log: log.child({ connection: 'subscriber' }),
  });
  const redis = commands.client;
  const connectionError = () => commands.error;
  const clinics = createClinics({
    redis,
    connectionError,
    subscriber: subscriber.client,
    guests,
    telemetry: metrics.clinics,
    log,
    entryLifeMs: config.queueEntryLifeMs,
  });
  const visits: ReturnType<typeof createVisits> = createVisits({
    gatewayId: config.gatewayId,
    self,
    redis,
    connectionError,
    nodes: config.nodes,
    control: config.control,
    telemetry: metrics.visits,
    log,
    graceMs: config.graceMs,
    clinics,
    guests,
    calls: clinics.calls,
    secret: config.guestSecret,
  });
  return {
    clinics,
    visits: {
      ...visits,
      async start() {
        // They go on trying by themselves; a gateway starts without Redis and is not ready until it is there.
        await Promise.all([commands.open(), subscriber.open()]);
        await visits.start();
      },
      async stop(deadlineMs) {
        try {
          await visits.stop(deadlineMs);
          await clinics.stop();
        } finally {
          commands.close();
          subscriber.close();
        }
      },
    },
  };
}
