import {
  CONTROL_HANDSHAKE_ERRORS,
  type ControlCommandName,
  type ControlEventPayload,
} from '@bedside/protocol';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Piped } from './visits/visit.ts';
import type { MediaWorker, WorkerLoss } from './workers/media-worker.ts';

const PREFIX = 'bedside_node_';

/** What the gauges read when they are scraped. */
export interface MetricSources {
  workers(): readonly MediaWorker[];
  visits(): number;
  gateways(): number;
  piped(): Record<'local' | 'remote', Piped>;
}

const NOTHING_PIPED: Piped = { pipes: 0, producers: 0 };
/** Where only names and texts of the metrics matter. */
export const NO_NODE: MetricSources = {
  workers: () => [],
  visits: () => 0,
  gateways: () => 0,
  piped: () => ({ local: NOTHING_PIPED, remote: NOTHING_PIPED }),
};

export type Direction = 'received' | 'sent';

const LOSSES: readonly WorkerLoss[] = ['worker-died', 'worker-hung'];

/** Every metric of a node. No visit, peer or person is a label. */
export interface Metrics {
  readonly registry: Registry;
  command(name: ControlCommandName | 'unknown', outcome: string, seconds: number): void;
  linkRefused(code: string): void;
  epochRefused(): void;
  visitsLost(reason: ControlEventPayload<'visits-lost'>['reason'], count: number): void;
  peersLost(reason: WorkerLoss, count: number): void;
  workerLost(reason: WorkerLoss): void;
  workerRestarted(): void;
  redis(operation: string, outcome: 'ok' | 'error', seconds: number): void;
  /** Share of packets that one sampled transport lost, 0 to 1. */
  packetLoss(direction: Direction, share: number): void;
  /** Score of one sampled producer or consumer, 0 to 10. */
  score(of: 'producer' | 'consumer', score: number): void;
  /** Bytes of RTP that workers moved since the last call, estimated from a sample. */
  bytes(direction: Direction, count: number): void;
}

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: PREFIX });

  const perWorker = (name: string, help: string, read: (worker: MediaWorker) => number) =>
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames: ['worker'],
      registers,
      collect() {
        this.reset();
        for (const worker of sources.workers()) this.set({ worker: worker.index }, read(worker));
      },
    });
  perWorker('worker_cpu_ratio', 'Share of one core that a worker uses, 0 to 1.', ({ cpu }) => cpu);
  perWorker('routers', 'Routers open in a worker.', ({ routers }) => routers.size);
  perWorker('transports', 'Transports open in a worker.', ({ transports }) => transports.size);
  perWorker('producers', 'Producers open in a worker.', ({ producers }) => producers.size);
  perWorker('consumers', 'Consumers open in a worker.', ({ consumers }) => consumers.size);
  perWorker('worker_memory_bytes', 'Resident memory of a worker.', (worker) => worker.memoryBytes);
  new Gauge({
    name: `${PREFIX}workers`,
    help: 'Workers that run.',
    registers,
    collect() {
      this.set(sources.workers().length);
    },
  });
  new Gauge({
    name: `${PREFIX}visits`,
    help: 'Visits that are open on this node.',
    registers,
    collect() {
      this.set(sources.visits());
    },
  });
  new Gauge({
    name: `${PREFIX}gateways`,
    help: 'Gateways that are connected.',
    registers,
    collect() {
      this.set(sources.gateways());
    },
  });

  const perKind = (name: string, help: string, read: (piped: Piped) => number) =>
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames: ['kind'],
      registers,
      collect() {
        const piped = sources.piped();
        for (const kind of ['local', 'remote'] as const) this.set({ kind }, read(piped[kind]));
      },
    });
  perKind(
    'pipes',
    'Pipes of visits that are spread: between two workers (local), and ends of those to other nodes (remote).',
    ({ pipes }) => pipes,
  );
  perKind(
    'piped_producers',
    'Producers that are here by a pipe, from another worker (local) or node (remote).',
    ({ producers }) => producers,
  );

  const commands = new Histogram({
    name: `${PREFIX}command_duration_seconds`,
    help: 'Control commands from arrival to answer, by name and outcome (ok or error code).',
    labelNames: ['command', 'outcome'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const linksRefused = new Counter({
    name: `${PREFIX}links_refused_total`,
    help: 'Control links that were refused, by error code.',
    labelNames: ['code'],
    registers,
  });
  const epochsRefused = new Counter({
    name: `${PREFIX}epoch_refusals_total`,
    help: 'Commands of gateways whose lease had passed to another.',
    registers,
  });
  const visitsLost = new Counter({
    name: `${PREFIX}visits_lost_total`,
    help: 'Visits whose media was lost here, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const peersLost = new Counter({
    name: `${PREFIX}peers_lost_total`,
    help: 'Participants whose media was lost with a worker while their visit went on at others.',
    labelNames: ['reason'],
    registers,
  });
  const deaths = new Counter({
    name: `${PREFIX}worker_deaths_total`,
    help: 'Workers that died or were killed because they hung.',
    labelNames: ['reason'],
    registers,
  });
  const restarts = new Counter({
    name: `${PREFIX}worker_restarts_total`,
    help: 'Workers that run in place of one that died.',
    registers,
  });
  const redisErrors = new Counter({
    name: `${PREFIX}redis_errors_total`,
    help: 'Redis operations that failed. The node serves on; gateways that are new do not find it.',
    labelNames: ['operation'],
    registers,
  });
  const loss = new Histogram({
    name: `${PREFIX}packet_loss_ratio`,
    help: 'Share of RTP packets lost, of sampled transports.',
    labelNames: ['direction'],
    buckets: [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
    registers,
  });
  const scores = new Histogram({
    name: `${PREFIX}score`,
    help: 'Scores from 0 (worst) to 10 of sampled producers (best encoding) and consumers.',
    labelNames: ['of'],
    buckets: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    registers,
  });
  const bytes = new Counter({
    name: `${PREFIX}media_bytes_total`,
    help: 'Bytes of all transports, estimated from a sample.',
    labelNames: ['direction'],
    registers,
  });

  // Prometheus sees no increase in a counter that appears with its first event.
  for (const reason of LOSSES) {
    deaths.inc({ reason }, 0);
    peersLost.inc({ reason }, 0);
  }
  for (const reason of [...LOSSES, 'shutting-down']) visitsLost.inc({ reason }, 0);
  for (const code of CONTROL_HANDSHAKE_ERRORS) linksRefused.inc({ code }, 0);
  for (const operation of ['heartbeat', 'leave']) redisErrors.inc({ operation }, 0);
  for (const direction of ['received', 'sent']) bytes.inc({ direction }, 0);

  return {
    registry,
    command: (command, outcome, seconds) => commands.observe({ command, outcome }, seconds),
    linkRefused: (code) => linksRefused.inc({ code }),
    epochRefused: () => epochsRefused.inc(),
    visitsLost: (reason, count) => visitsLost.inc({ reason }, count),
    peersLost: (reason, count) => peersLost.inc({ reason }, count),
    workerLost: (reason) => deaths.inc({ reason }),
    workerRestarted: () => restarts.inc(),
    redis: (operation, outcome) => {
      if (outcome === 'error') redisErrors.inc({ operation });
    },
    packetLoss: (direction, share) => loss.observe({ direction }, share),
    score: (of, score) => scores.observe({ of }, score),
    bytes: (direction, count) => bytes.inc({ direction }, count),
  };
}
