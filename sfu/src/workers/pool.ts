import { setTimeout as sleep } from 'node:timers/promises';
import { BedsideError, type NodeLoad } from '@bedside/protocol';
import { cpuOfAVisit, type Logger } from '@bedside/service';
import type { Config } from '../config.ts';
import { backoff } from './backoff.ts';
import { MediaWorker, type WorkerLoss } from './media-worker.ts';
import { choosePlace } from './spread.ts';

export interface PoolEvents {
  /** A worker is gone with all its routers; a new one is on its way. */
  lost(worker: MediaWorker, loss: WorkerLoss): void;
  restarted(): void;
  /** The set of running workers changed. */
  changed(): void;
}

/** A worker that lived this long had a good start: its death begins a new series of attempts. */
const STABLE_MS = 30_000;

/** The workers of a node, one a core. Restarts what dies. */
export class WorkerPool {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #events: PoolEvents;
  readonly #workers: (MediaWorker | undefined)[];
  readonly #attempts: number[];
  readonly #startedAt: number[];
  readonly #stopped = new AbortController();

  constructor(config: Config, log: Logger, events: PoolEvents) {
    this.#config = config;
    this.#log = log;
    this.#events = events;
    this.#workers = Array.from({ length: config.workers }, () => undefined);
    this.#attempts = this.#workers.map(() => 0);
    this.#startedAt = this.#workers.map(() => 0);
  }

  get running(): MediaWorker[] {
    return this.#workers.filter((worker) => worker !== undefined);
  }

  /** @throws where a worker can not start: a wrong binary or a taken port is for people to mend. */
  async start(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#workers.map((_, index) => this.#open(index)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (!failed) return;
    // What mediasoup's worker says of EADDRINUSE.
    if (String(failed.reason).includes('address already in use')) {
      const first = this.#config.mediaPort;
      const last = first + this.#config.workers - 1;
      this.#log.error({ first, last }, 'can not listen on the ports of BEDSIDE_MEDIA_PORT');
    }
    await this.stop();
    throw new Error('a mediasoup worker did not start', { cause: failed.reason });
  }

  /**
   * The worker for the next peer of a visit, which has `consumers` to begin with.
   * @param present the workers that the visit is at, with its consumers there
   * @param isLastResort no other node takes it
   * @param spreads whether it may be at a worker that the visit is not at yet
   * @throws BedsideError `media-unavailable` where none runs, `capacity` where none has room.
   */
  choose(
    consumers: number,
    present: ReadonlyMap<MediaWorker, number>,
    isLastResort: boolean,
    spreads: boolean,
  ): MediaWorker {
    const { running } = this;
    if (running.length === 0) throw new BedsideError('media-unavailable', { retryAfterMs: 500 });
    const { maxConsumersPerWorker, maxVisitsPerWorker } = this.#config;
    const open =
      spreads || present.size === 0 ? running : running.filter((worker) => present.has(worker));
    const places = open.map((worker) => ({
      worker,
      visits: worker.visits,
      fullness: fullness(worker, maxConsumersPerWorker),
      consumers: worker.consumers.size,
      own: present.get(worker),
    }));
    const limits = {
      consumersPerWorker: maxConsumersPerWorker,
      visitsPerWorker: maxVisitsPerWorker,
    };
    const chosen = choosePlace(places, consumers, limits, isLastResort);
    if (!chosen) throw new BedsideError('capacity');
    return chosen.worker;
  }

  /** Consumers that still fit into this worker. */
  room(worker: MediaWorker): number {
    return this.#config.maxConsumersPerWorker - worker.taken;
  }

  get load(): NodeLoad {
    return {
      workers: this.running.map(({ cpu, memoryBytes, routers, consumers }) => ({
        cpu,
        memoryBytes,
        routers: routers.size,
        consumers: consumers.size,
      })),
      limits: {
        consumersPerWorker: this.#config.maxConsumersPerWorker,
        visitsPerWorker: this.#config.maxVisitsPerWorker,
      },
    };
  }

  /** Ends all workers. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const closing = this.running.map((worker) => worker.close());
    this.#workers.fill(undefined);
    await Promise.all(closing);
  }

  async #open(index: number): Promise<void> {
    const worker = await MediaWorker.start(index, this.#config, (lost, loss, how) =>
      this.#onLost(lost, loss, how),
    );
    if (this.#stopped.signal.aborted) {
      await worker.close();
      return;
    }
    this.#workers[index] = worker;
    this.#startedAt[index] = performance.now();
    this.#log.info({ worker: index, pid: worker.pid }, 'worker started');
    this.#events.changed();
  }

  #onLost(worker: MediaWorker, loss: WorkerLoss, how: string): void {
    if (this.#stopped.signal.aborted) return;
    const { index } = worker;
    this.#workers[index] = undefined;
    this.#log.error({ worker: index, loss, how, visits: worker.visits }, 'worker lost');
    this.#events.lost(worker, loss);
    this.#events.changed();
    if (performance.now() - (this.#startedAt[index] ?? 0) > STABLE_MS) this.#attempts[index] = 0;
    void this.#restart(index);
  }

  async #restart(index: number): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const attempt = this.#attempts[index] ?? 0;
      this.#attempts[index] = attempt + 1;
      // The first restart does not wait: the visits of the dead worker need a place now.
      if (attempt > 0) {
        await sleep(backoff(attempt - 1, Math.random()), undefined, { signal }).catch(() => {});
        if (signal.aborted) return;
      }
      try {
        await this.#open(index);
        if (signal.aborted) return;
        this.#log.info({ worker: index, attempt }, 'worker restarted');
        this.#events.restarted();
        return;
      } catch (error) {
        this.#log.error({ worker: index, attempt, err: error }, 'worker did not restart');
      }
    }
  }
}

/** By CPU with what is not measured yet, or by consumers; 0 to 1 and beyond. */
const fullness = (worker: MediaWorker, maxConsumers: number): number =>
  Math.max(
    worker.cpu + worker.unmeasured * cpuOfAVisit(worker.cpu, worker.visits - worker.unmeasured),
    worker.consumers.size / maxConsumers,
  );
