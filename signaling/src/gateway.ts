import { Redis } from 'ioredis';
import { createVisits, REDIS_OPTIONS } from './actor/index.ts';
import { createServiceAuth } from './auth/services.ts';
import { createKeyrings } from './auth/tokens.ts';
import type { GatewayConfig } from './config.ts';
import { Listener } from './listener.ts';
import { createLog, type Logger } from './log.ts';
import { createMetrics, type GatewayMetrics } from './metrics.ts';
import { createOps } from './ops.ts';
import type { Visits } from './ports.ts';
import { createRest } from './rest/routes.ts';
import { createSocketServer } from './sockets/server.ts';
import { watchCertificate } from './tls.ts';

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

type StartableVisits = Visits & { start?(): Promise<void> };

/** A gateway that can run in any process, several in one too. `visits`, `log`, `metrics`: in place of its own, for tests. */
export function createGateway(
  config: GatewayConfig,
  parts: { visits?: StartableVisits; log?: Logger; metrics?: GatewayMetrics } = {},
): Gateway {
  const log = parts.log ?? createLog(config.logLevel);
  const metrics = parts.metrics ?? createMetrics();
  const telemetry = metrics.gateway;
  const visits = parts.visits ?? ownVisits(config, metrics, log);

  const keyrings = createKeyrings(config.tenants);
  const sockets = createSocketServer({ config, visits, keyrings, telemetry, log });
  const auth = createServiceAuth(config.tenants, keyrings, telemetry);
  const rest = createRest({ config, visits, auth, telemetry, log });
  const listener = new Listener({
    host: config.host,
    port: config.port,
    tls: config.tls,
    mount(app) {
      sockets.attach(app);
      rest.mount(app);
    },
  });
  let stopping: Promise<void> | undefined;
  const ops = createOps({
    registry: metrics.registry,
    readiness: () => visits.readiness(),
    stopping: () => stopping !== undefined,
  });
  let address: GatewayAddress | undefined;
  let stopWatching = () => {};

  const watchTls = (): void => {
    if (config.tls === undefined) return;
    stopWatching = watchCertificate(
      config.tls,
      () => {
        try {
          listener.renew();
          log.info('certificate renewed');
        } catch (error) {
          log.error({ err: error }, 'certificate not renewed');
        }
      },
      (error) => log.warn({ err: error }, 'certificate files do not fit together yet'),
    );
  };

  const stopAll = async (): Promise<void> => {
    const deadlineAt = performance.now() + config.shutdownMs;
    stopWatching();
    listener.stopListening();
    await sockets.stop(config.shutdownMs * RETRY_SPREAD);
    try {
      await visits.stop(Math.max(0, deadlineAt - performance.now()));
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
      await visits.start?.();
      await listener.open();
      watchTls();
      const opsPort = await ops.listen(config.host, config.opsPort);
      address = { host: config.host, port: listener.port, opsPort };
      log.info({ port: address.port, opsPort, tls: config.tls !== undefined }, 'started');
    },
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
    address() {
      if (address === undefined) throw new Error('the gateway has not started');
      return address;
    },
  };
}

/** Visits on Redis and the configured nodes; the connection to Redis ends with them. */
function ownVisits(config: GatewayConfig, metrics: GatewayMetrics, log: Logger): StartableVisits {
  const redis = new Redis(config.redisUrl, { ...REDIS_OPTIONS, lazyConnect: true });
  const visits = createVisits({
    gatewayId: config.gatewayId,
    redis,
    nodes: config.nodes,
    controlSecret: config.controlSecret,
    telemetry: metrics.visits,
    log,
    graceMs: config.graceMs,
  });
  let reachable = true;
  redis.on('ready', () => {
    reachable = true;
    log.info('redis is reachable');
  });
  // Once an outage, not once an attempt.
  redis.on('error', (error: Error) => {
    if (reachable) log.error({ err: error }, 'redis is not reachable');
    reachable = false;
  });
  return {
    ...visits,
    async start() {
      // It goes on trying by itself; a gateway starts without Redis and is not ready until it is there.
      await redis.connect().catch(() => undefined);
      await visits.start();
    },
    async stop(deadlineMs) {
      try {
        await visits.stop(deadlineMs);
      } finally {
        redis.disconnect();
      }
    },
  };
}
