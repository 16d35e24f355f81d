import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlEventPayload } from '@bedside/protocol';
import {
  authority,
  createLog,
  createOps,
  isLoopback,
  type Logger,
  reachableHost,
  VERSION,
} from '@bedside/service';
import type { Config } from './config.ts';
import { ControlServer } from './control/server.ts';
import { createControlHttpServer } from './control/tls.ts';
import { ROUTER_RTP_CAPABILITIES } from './media/codecs.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createRegistration } from './registration.ts';
import { sampleMedia } from './sampler.ts';
import { Visits } from './visits/visits.ts';
import { WorkerPool } from './workers/pool.ts';

type NodeState = ControlEventPayload<'welcome'>['state'];

/** A node in this process. */
export interface BedsideNode {
  /** Where gateways connect and where the ops server listens; known once started. */
  readonly address: { control: string; ops: string };
  readonly workerPids: readonly number[];
  readonly metrics: Metrics;
  /** @throws where a port is taken or a worker does not start; nothing runs then. */
  start(): Promise<void>;
  /**
   * Takes no new visits and has the gateways move those that are here elsewhere, within `drainMs`. Resolves
   * once none is left, nobody is there to move them, or the time is up.
   */
  drain(): Promise<void>;
  /** Tells the gateways, closes everything, within `shutdownMs`. Idempotent. */
  stop(): Promise<void>;
}

const SCORES_INTERVAL_MS = 1_000;
const SWEEP_INTERVAL_MS = 5_000;
/** Between two looks at what is left of a drain. */
const DRAIN_LOOK_MS = 100;

/** A node that does nothing yet. Several fit into one process: there is no state outside. */
export function createNode(
  config: Config,
  log: Logger = createLog('node', config.logLevel),
): BedsideNode {
  const bootId = randomUUID();
  const timers: NodeJS.Timeout[] = [];
  let state: NodeState = 'starting';
  let stopping: Promise<void> | undefined;
  let ending = false;

  const pool = new WorkerPool(config, log, {
    lost: (worker, loss) => {
      metrics.workerLost(loss);
      visits.workerLost(worker, loss);
    },
    restarted: () => metrics.workerRestarted(),
    changed: () => {
      if (state === 'draining') return;
      state = present();
      registration?.changed();
    },
  });
  const metrics = createMetrics({
    workers: () => pool.running,
    visits: () => visits.open,
    gateways: () => control.links,
    piped: () => visits.piped,
  });
  const visits = new Visits(config, log, pool, metrics, () => state !== 'draining');
  const controlServer = createControlHttpServer(config.controlTls, log);
  const control = new ControlServer({
    server: controlServer,
    config,
    log,
    metrics,
    welcome: (version) => ({
      version,
      nodeId: config.nodeId,
      bootId,
      region: config.region,
      state,
      rtpCapabilities: ROUTER_RTP_CAPABILITIES,
      pipes: config.pipes.reachable,
      load: pool.load,
    }),
    onLink: (link) => visits.attach(link),
    onUnlink: (link) => visits.detach(link),
    drain: (draining) => {
      setDraining(draining);
      return { visits: visits.open };
    },
    run: (name, request, gatewayId) => visits.run(name, request, gatewayId),
  });
  const ops = createOps({
    registry: metrics.registry,
    readiness: () => ({
      ready: state === 'ready',
      reasons: state === 'ready' ? [] : [state === 'draining' ? 'draining' : 'no worker runs'],
    }),
  });
  let opsPort: number | undefined;
  const scheme = config.controlTls ? 'wss' : 'ws';
  const registration =
    config.redis === undefined
      ? undefined
      : createRegistration(
          config.redis,
          () => ({
            kind: 'node',
            id: config.nodeId,
            boot: bootId,
            version: VERSION,
            region: config.region,
            state,
            address:
              config.controlUrl ??
              `${scheme}://${authority(reachableHost(config.host), portOf(controlServer))}`,
          }),
          metrics,
          log,
        );

  const present = (): NodeState => (pool.running.length > 0 ? 'ready' : 'starting');
  const setDraining = (draining: boolean) => {
    // Once told to end it stays so.
    if (stopping || (ending && !draining) || draining === (state === 'draining')) return;
    state = draining ? 'draining' : present();
    log.info({ state }, 'state changed');
    registration?.changed();
    control.broadcastState({ state, load: pool.load });
  };
  const every = (ms: number, task: () => void | Promise<void>) => {
    let busy = false;
    const tick = async () => {
      if (busy) return;
      busy = true;
      try {
        await task();
      } catch (error) {
        log.error({ err: error }, 'periodic task failed');
      } finally {
        busy = false;
      }
    };
    timers.push(setInterval(() => void tick(), ms));
  };
  const listening = async <T>(port: number, variable: string, done: Promise<T>): Promise<T> => {
    try {
      return await done;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      log.error({ host: config.host, port, code }, `can not listen on the port of ${variable}`);
      throw error;
    }
  };
  const shutDown = async () => {
    state = 'draining';
    for (const timer of timers) clearInterval(timer);
    // Gateways first, so that they look for another node while this one closes.
    const left = registration?.leave();
    visits.stop();
    const closed = Promise.allSettled([left, pool.stop(), control.close(), close(controlServer)]);
    const deadline = new AbortController();
    await Promise.race([
      closed,
      sleep(config.shutdownMs, undefined, { signal: deadline.signal }).catch(() => {}),
    ]);
    deadline.abort();
    ops.close();
    controlServer.closeAllConnections();
    log.info('node stopped');
  };
  const stop = () => {
    stopping ??= shutDown();
    return stopping;
  };

  return {
    get address() {
      return {
        control: `${scheme}://${authority(config.host, portOf(controlServer))}`,
        ops: `http://${authority(config.host, opsPort ?? notStarted())}`,
      };
    },
    get workerPids() {
      return pool.running.map((worker) => worker.pid);
    },
    metrics,
    async drain() {
      ending = true;
      setDraining(true);
      const until = performance.now() + config.drainMs;
      while (visits.open > 0 && control.links > 0 && performance.now() < until)
        await sleep(DRAIN_LOOK_MS);
      log.info({ visits: visits.open }, 'drained');
    },
    async start() {
      try {
        await pool.start();
        await listening(
          config.port,
          'BEDSIDE_NODE_PORT',
          listen(controlServer, config.port, config.host),
        );
        opsPort = await listening(
          config.opsPort,
          'BEDSIDE_NODE_OPS_PORT',
          ops.listen(config.host, config.opsPort),
        );
      } catch (error) {
        await stop();
        throw error;
      }
      await registration?.join();
      every(config.loadIntervalMs, () => control.broadcastLoad({ state, load: pool.load }));
      every(SCORES_INTERVAL_MS, () => visits.reportScores());
      every(Math.min(SWEEP_INTERVAL_MS, config.emptyVisitMs, config.orphanMs), () =>
        visits.sweep(),
      );
      every(config.sampleIntervalMs, () =>
        sampleMedia(pool.running, metrics, config.sampleIntervalMs, config.mediaDeadlineMs),
      );
      if (!config.controlTls && !isLoopback(config.host)) {
        log.warn(
          'control links are not encrypted: give certificate files, or keep them on a trusted network',
        );
      }
      log.info({ node: config.nodeId, workers: config.workers, ...this.address }, 'node started');
    },
    stop,
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

/** @throws Error where there is none yet */
const portOf = (server: Server): number =>
  (server.address() as AddressInfo | null)?.port ?? notStarted();

function notStarted(): never {
  throw new Error('the node is not started');
}
