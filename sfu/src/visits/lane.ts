import { BedsideError } from '@bedside/protocol';

/** Runs tasks one at a time, in the order they came. One visit, one lane: visits never wait for each other. */
export class Lane {
  readonly #limit: number;
  #tail: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** @param limit Tasks that may wait or run; more are refused. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get idle(): boolean {
    return this.#length === 0;
  }

  /**
   * The task's outcome. A task that fails does not stop those behind it.
   * @throws BedsideError `media-unavailable` where too many wait already.
   */
  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#length >= this.#limit) {
      return Promise.reject(new BedsideError('media-unavailable', { retryAfterMs: 1_000 }));
    }
    this.#length += 1;
    const outcome = this.#tail.then(task);
    const settled = () => {
      this.#length -= 1;
    };
    this.#tail = outcome.then(settled, settled);
    return outcome;
  }
}
