import { readFile } from 'node:fs/promises';
import { createWorker, type types } from 'mediasoup';
import type { Config } from '../config.ts';
import { call } from '../media/call.ts';
import { watch } from './watchdog.ts';

export type WorkerLoss = 'worker-died' | 'worker-hung';

/** What is open in a worker, kept by mediasoup's own observers. */
export interface WorkerCounts {
  routers: number;
  transports: number;
  producers: number;
  consumers: number;
}

/** A worker needs this long at the most to start and open its ports. */
const START_DEADLINE_MS = 10_000;
/** CPU is averaged over at least this long, so that one busy probe does not look like load. */
const CPU_WINDOW_MS = 1_000;
/** Linux counts resident memory in pages of this size on every platform that mediasoup supports. */
const PAGE_BYTES = 4_096;

/**
 * One mediasoup process with its WebRtcServer, from start to death; a new process is a new
 * MediaWorker. Owned by the pool. Whoever closes it, `onLost` is called only for a loss.
 */
export class MediaWorker {
  readonly index: number;
  readonly webRtcServer: types.WebRtcServer;
  readonly counts: WorkerCounts = { routers: 0, transports: 0, producers: 0, consumers: 0 };
  /** Transports open now, for sampling. */
  readonly transports = new Set<types.WebRtcTransport>();
  /** Visits placed here; counted at the choice, before their routers exist. */
  visits = 0;
  /** Share of one core, 0 to 1. */
  cpu = 0;
  readonly #worker: types.Worker;
  readonly #deadlineMs: number;
  readonly #ended = new AbortController();
  #loss: WorkerLoss = 'worker-died';
  #peakMemoryBytes = 0;
  #cpuMark: { atMs: number; usedMs: number } | undefined;

  private constructor(
    index: number,
    worker: types.Worker,
    webRtcServer: types.WebRtcServer,
    config: Config,
    onLost: (worker: MediaWorker, loss: WorkerLoss) => void,
  ) {
    this.index = index;
    this.#worker = worker;
    this.webRtcServer = webRtcServer;
    this.#deadlineMs = config.mediaDeadlineMs;
    worker.on('died', () => {
      this.#ended.abort();
      onLost(this, this.#loss);
    });
    worker.observer.on('newrouter', (router) => this.#count(router));
    void watch({
      probe: () => worker.getResourceUsage(),
      intervalMs: config.watchdogIntervalMs,
      hungMs: config.watchdogHungMs,
      onSample: (usage) => this.#sample(usage),
      onHung: () => {
        this.#loss = 'worker-hung';
        this.kill();
      },
      signal: this.#ended.signal,
    });
  }

  /** @throws where the process does not start, or its ports are taken. */
  static async start(
    index: number,
    config: Config,
    onLost: (worker: MediaWorker, loss: WorkerLoss) => void,
  ): Promise<MediaWorker> {
    const worker = await call(
      createWorker({
        logLevel: 'warn',
        ...(config.workerBin === undefined ? {} : { workerBin: config.workerBin }),
      }),
      START_DEADLINE_MS,
      (late) => late.close(),
    );
    try {
      const webRtcServer = await call(
        worker.createWebRtcServer({ listenInfos: listenInfos(index, config) }),
        config.mediaDeadlineMs,
      );
      return new MediaWorker(index, worker, webRtcServer, config, onLost);
    } catch (error) {
      worker.close();
      throw error;
    }
  }

  get pid(): number {
    return this.#worker.pid;
  }

  get closed(): boolean {
    return this.#worker.closed;
  }

  createRouter(mediaCodecs: types.RouterRtpCodecCapability[]): Promise<types.Router> {
    return call(this.#worker.createRouter({ mediaCodecs }), this.#deadlineMs, (late) =>
      late.close(),
    );
  }

  /** Resident memory now; where the system does not tell, the most it ever was. */
  async memoryBytes(): Promise<number> {
    try {
      const pages = (await readFile(`/proc/${this.pid}/statm`, 'utf8')).split(' ')[1];
      return Number(pages) * PAGE_BYTES;
    } catch {
      return this.#peakMemoryBytes;
    }
  }

  /** For a hung process: it hears nothing but this. Its death is reported as any other. */
  kill(): void {
    if (this.closed) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It died between the check and the signal.
    }
  }

  /** Ends the process in peace; not a loss. Idempotent. */
  close(): void {
    this.#ended.abort();
    this.#worker.close();
  }

  #sample(usage: types.WorkerResourceUsage): void {
    const atMs = performance.now();
    const usedMs = usage.ru_utime + usage.ru_stime;
    this.#peakMemoryBytes = usage.ru_maxrss * 1_024;
    this.#cpuMark ??= { atMs, usedMs };
    const windowMs = atMs - this.#cpuMark.atMs;
    if (windowMs < CPU_WINDOW_MS) return;
    this.cpu = Math.min(1, Math.max(0, (usedMs - this.#cpuMark.usedMs) / windowMs));
    this.#cpuMark = { atMs, usedMs };
  }

  #count(router: types.Router): void {
    const { counts } = this;
    counts.routers += 1;
    router.observer.once('close', () => {
      counts.routers -= 1;
    });
    router.observer.on('newtransport', (transport) => {
      counts.transports += 1;
      const webRtc = transport as types.WebRtcTransport;
      this.transports.add(webRtc);
      transport.observer.once('close', () => {
        counts.transports -= 1;
        this.transports.delete(webRtc);
      });
      transport.observer.on('newproducer', (producer) => {
        counts.producers += 1;
        producer.observer.once('close', () => {
          counts.producers -= 1;
        });
      });
      transport.observer.on('newconsumer', (consumer) => {
        counts.consumers += 1;
        consumer.observer.once('close', () => {
          counts.consumers -= 1;
        });
      });
    });
  }
}

function listenInfos(index: number, config: Config): types.TransportListenInfo[] {
  return (['udp', 'tcp'] as const).map((protocol) => ({
    protocol,
    ip: config.mediaListenIp,
    ...(config.mediaPort === 0 ? {} : { port: config.mediaPort + index }),
    ...(config.mediaAnnouncedAddress === undefined
      ? {}
      : { announcedAddress: config.mediaAnnouncedAddress }),
  }));
}
