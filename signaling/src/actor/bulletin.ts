import type { Clock } from '@bedside/service';

/** What many are told of at once is told no more often than this, milliseconds. */
const INTERVAL_MS = 1_000;

/** Gathers what is to be told to many, so that all of one interval goes out together at its end. */
export class Bulletin {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #tell: () => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'after'>, tell: () => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** There is something to tell. */
  announce(): void {
    this.#cancel ??= this.#clock.after(INTERVAL_MS, () => {
      this.#cancel = undefined;
      this.#tell();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
