import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import process from 'node:process';
import { createWorker, type types } from 'mediasoup';
import type { Config } from '../config.ts';
import { call } from '../media/call.ts';
import { type Look, watch } from './watchdog.ts';

export type WorkerLoss = 'worker-died' | 'worker-hung';
/** `how` names the exit code or the signal. */
type OnLost = (worker: MediaWorker, loss: WorkerLoss, how: string) => void;

/** A worker needs this long at the most to start and open its ports. */
const START_DEADLINE_MS = 10_000;
/** A worker that was asked to end and is still there after this is killed. */
const END_DEADLINE_MS = 1_000;
/** CPU is averaged over at least this long, so that one busy probe does not look like load. */
const CPU_WINDOW_MS = 1_000;

/**
 * One mediasoup process with its WebRtcServer, from start to death; a new process is a new
 * MediaWorker. Owned by the pool. Whoever closes it, `onLost` is called only for a loss.
 */
export class MediaWorker {
  readonly index: number;
  readonly webRtcServer: types.WebRtcServer;
  // What is open now, kept by mediasoup's own observers.
  readonly routers = new Set<types.Router>();
  readonly transports = new Set<types.Transport>();
  readonly producers = new Set<types.Producer>();
  readonly consumers = new Set<types.Consumer>();
  /** Consumers that are asked for and not there yet. */
  #opening = 0;
  /** Visits placed here; counted at the choice, before their routers exist. */
  visits = 0;
  /** Share of one core, 0 to 1. */
  cpu = 0;
  /** Visits placed here that the CPU share says nothing of yet. */
  unmeasured = 0;
  readonly #worker: types.Worker;
  readonly #deadlineMs: number;
  readonly #endDeadlineMs: number;
  readonly #ended = new AbortController();
  #loss: WorkerLoss = 'worker-died';
  #peakMemoryBytes = 0;
  #cpuMark: { atMs: number; usedMs: number } | undefined;

  private constructor(
    index: number,
    worker: types.Worker,
    webRtcServer: types.WebRtcServer,
    config: Config,
    onLost: OnLost,
  ) {
    this.index = index;
    this.#worker = worker;
    this.webRtcServer = webRtcServer;
    this.#deadlineMs = config.mediaDeadlineMs;
    // The process must not end before its workers have.
    this.#endDeadlineMs = Math.min(END_DEADLINE_MS, config.shutdownMs / 2);
    worker.on('died', ({ message }) => {
      this.#ended.abort();
      onLost(this, this.#loss, message);
    });
    worker.observer.on('newrouter', (router) => this.#follow(router));
    void watch({
      probe: () => worker.getResourceUsage(),
      intervalMs: config.watchdogIntervalMs,
      hungMs: config.watchdogHungMs,
      look: lookAt(worker.pid),
      onSample: (usage) => this.#sample(usage),
      onHung: () => {
        this.#loss = 'worker-hung';
        this.kill();
      },
      signal: this.#ended.signal,
    });
  }

  /** @throws where the process does not start, or its ports are taken. */
  static async start(index: number, config: Config, onLost: OnLost): Promise<MediaWorker> {
    const worker = await call(
      withoutSignalHandlers(() =>
        createWorker({
          logLevel: 'warn',
          ...(config.workerBin === undefined ? {} : { workerBin: config.workerBin }),
        }),
      ),
      START_DEADLINE_MS,
      (late) => void end(late, END_DEADLINE_MS),
    );
    try {
      const webRtcServer = await call(
        worker.createWebRtcServer({ listenInfos: listenInfos(index, config) }),
        config.mediaDeadlineMs,
      );
      return new MediaWorker(index, worker, webRtcServer, config, onLost);
    } catch (error) {
      await end(worker, END_DEADLINE_MS);
      throw error;
    }
  }

  get pid(): number {
    return this.#worker.pid;
  }

  get closed(): boolean {
    return this.#worker.closed;
  }

  /** A visit is placed here; before its router exists. */
  enter(): void {
    this.visits += 1;
    this.unmeasured += 1;
  }

  leave(): void {
    this.visits -= 1;
    this.unmeasured = Math.max(0, this.unmeasured - 1);
  }

  /** Consumers, and those that are about to be. */
  get taken(): number {
    return this.consumers.size + this.#opening;
  }

  /** Counts a consumer from when it is asked for: others may ask meanwhile. */
  async opens<T>(consumer: Promise<T>): Promise<T> {
    this.#opening += 1;
    try {
      return await consumer;
    } finally {
      this.#opening -= 1;
    }
  }

  createRouter(mediaCodecs: types.RouterRtpCodecCapability[]): Promise<types.Router> {
    return call(this.#worker.createRouter({ mediaCodecs }), this.#deadlineMs, (late) =>
      late.close(),
    );
  }

  /** Resident memory now; where the system does not tell, the most it ever was. */
  get memoryBytes(): number {
    try {
      // Of the kernel's memory, not of a disk: there is nothing to wait for.
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      if (kilobytes !== undefined) return Number(kilobytes) * 1_024;
    } catch {
      // Not Linux, or it has just died.
    }
    return this.#peakMemoryBytes;
  }

  /** For a hung process: it hears nothing but this. Its death is reported as any other. */
  kill(): void {
    kill(this.#worker);
  }

  /** Ends the process; not a loss. Resolves when it is gone. Idempotent. */
  close(): Promise<void> {
    this.#ended.abort();
    return end(this.#worker, this.#endDeadlineMs);
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
    this.unmeasured = 0;
  }

  #follow(router: types.Router): void {
    hold(this.routers, router);
    router.observer.on('newtransport', (transport) => {
      hold(this.transports, transport);
      transport.observer.on('newproducer', (producer) => hold(this.producers, producer));
      transport.observer.on('newconsumer', (consumer) => hold(this.consumers, consumer));
    });
  }
}

/** Of the time between two looks, what a process that wants the CPU waits for it where it is starved, and what it gets. */
const STARVED = { waits: 0.5, runs: 0.2 };

/** What the main thread of a process did between two looks, as Linux tells; `running` elsewhere. */
function lookAt(pid: number): () => Look {
  let before: Turns | undefined;
  return () => {
    const now = turnsOf(pid);
    const was = before;
    before = now;
    if (!now || !was) return 'running';
    const [ran, waited] = [now.ranMs - was.ranMs, now.waitedMs - was.waitedMs];
    if (now.wantsNone && now.count === was.count && ran === 0) return 'still';
    const all = now.atMs - was.atMs;
    return waited > all * STARVED.waits && ran < all * STARVED.runs ? 'starved' : 'running';
  };
}

interface Turns {
  atMs: number;
  /** Stopped, or asleep until something happens; not running or about to (R), nor waiting for a disk (D). */
  wantsNone: boolean;
  ranMs: number;
  /** For its turn. */
  waitedMs: number;
  count: number;
}

function turnsOf(pid: number): Turns | undefined {
  try {
    // Of the kernel's memory. The command's name, in brackets, may hold anything.
    const [, state = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=[A-Za-z] )/);
    // In nanoseconds: the ticks of `stat` are 10 ms, in which a worker with little to do is not seen.
    const [ran, waited, count] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return {
      atMs: performance.now(),
      wantsNone: /^[TtS]/.test(state),
      ranMs: Number(ran) / 1e6,
      waitedMs: Number(waited) / 1e6,
      count: Number(count),
    };
  } catch {
    return undefined;
  }
}

/** Keeps an item in the set until it closes. */
function hold<T extends { observer: { once(event: 'close', listener: () => void): unknown } }>(
  set: Set<T>,
  item: T,
): void {
  set.add(item);
  item.observer.once('close', () => set.delete(item));
}

function kill(worker: types.Worker): void {
  if (worker.subprocessClosed) return;
  try {
    process.kill(worker.pid, 'SIGKILL');
  } catch {
    // It died between the check and the signal.
  }
}

/** Asks a worker to end, and sees to it that it does. */
async function end(worker: types.Worker, deadlineMs: number): Promise<void> {
  worker.close();
  if (worker.subprocessClosed) return;
  const timer = setTimeout(() => kill(worker), deadlineMs);
  await new Promise<void>((resolve) => worker.once('subprocessclose', resolve));
  clearTimeout(timer);
}

function listenInfos(index: number, config: Config): types.TransportListenInfo[] {
  return config.mediaAddresses.flatMap(({ ip, announced }) =>
    (['udp', 'tcp'] as const).map((protocol) => ({
      protocol,
      ip,
      // So that `::` leaves the port free for `0.0.0.0`.
      ...(isIPv6(ip) ? { flags: { ipv6Only: true } } : {}),
      ...(config.mediaPort === 0 ? {} : { port: config.mediaPort + index }),
      ...(announced === undefined ? {} : { announcedAddress: announced }),
    })),
  );
}

/**
 * mediasoup closes a worker by itself when the process is told to end, and keeps that handler after
 * a worker died. When a worker ends is the pool's decision, so the handlers are taken away again.
 */
function withoutSignalHandlers<T>(create: () => T): T {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = signals.map((signal) => new Set(process.listeners(signal)));
  const created = create();
  for (const [index, signal] of signals.entries()) {
    for (const handler of process.listeners(signal)) {
      if (!before[index]?.has(handler)) process.removeListener(signal, handler);
    }
  }
  return created;
}
