import { BedsideError } from '@bedside/protocol';

/** Whose turn it is: what waits at the back begins where nothing waits at the front. */
export type Lane = 'front' | 'back';

/** Runs tasks one at a time, in the order of each lane, up to a bound of waiting ones in each. */
export class TaskQueue {
  readonly #limits: Readonly<Record<Lane, number>>;
  readonly #onIdle: () => void;
  readonly #waiting: Readonly<Record<Lane, (() => Promise<void>)[]>> = { front: [], back: [] };
  /** With the one that runs. */
  readonly #lengths: Record<Lane, number> = { front: 0, back: 0 };
  #running = false;

  /** @param onIdle called when the last task has ended */
  constructor(limits: Readonly<Record<Lane, number>>, onIdle: () => void) {
    this.#limits = limits;
    this.#onIdle = onIdle;
  }

  get idle(): boolean {
    return this.#lengths.front + this.#lengths.back === 0;
  }

  /** @throws BedsideError `rate-limited` where too many wait, or what the task throws */
  run<Result>(task: () => Result | Promise<Result>, lane: Lane = 'front'): Promise<Result> {
    if (this.#lengths[lane] >= this.#limits[lane]) {
      return Promise.reject(new BedsideError('rate-limited', { retryAfterMs: 500 }));
    }
    return this.always(task, lane);
  }

  /** As `run`, for what must not be refused: a socket that went, a timer, news from a node. */
  always<Result>(task: () => Result | Promise<Result>, lane: Lane = 'front'): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#lengths[lane]++;
    this.#waiting[lane].push(async () => {
      const [outcome] = await Promise.allSettled([(async () => task())()]);
      this.#ended(lane);
      if (outcome.status === 'fulfilled') resolve(outcome.value);
      else reject(outcome.reason);
    });
    if (!this.#running) void this.#runAll();
    return promise;
  }

  async #runAll(): Promise<void> {
    this.#running = true;
    // Not before who queued it goes on.
    await Promise.resolve();
    for (;;) {
      const next = this.#waiting.front.shift() ?? this.#waiting.back.shift();
      if (!next) break;
      await next();
    }
    this.#running = false;
  }

  #ended(lane: Lane): void {
    this.#lengths[lane]--;
    if (this.idle) this.#onIdle();
  }
}
