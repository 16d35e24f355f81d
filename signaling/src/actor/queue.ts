import { BedsideError } from '@bedside/protocol';

/** Runs tasks one at a time, in order, up to a bound of waiting ones. */
export class TaskQueue {
  readonly #limit: number;
  readonly #onIdle: () => void;
  #tail: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** @param onIdle called when the last task has ended */
  constructor(limit: number, onIdle: () => void) {
    this.#limit = limit;
    this.#onIdle = onIdle;
  }

  get idle(): boolean {
    return this.#length === 0;
  }

  /** @throws BedsideError `rate-limited` where too many wait, or what the task throws */
  run<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    if (this.#length >= this.#limit) {
      return Promise.reject(new BedsideError('rate-limited', { retryAfterMs: 500 }));
    }
    return this.#append(task);
  }

  /** As `run`, for what must not be refused: a socket that went, a timer, news from a node. */
  always<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#append(task);
  }

  #append<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    this.#length++;
    const result = this.#tail.then(task);
    this.#tail = result.then(
      () => this.#ended(),
      () => this.#ended(),
    );
    return result;
  }

  #ended(): void {
    this.#length--;
    if (this.#length === 0) this.#onIdle();
  }
}
