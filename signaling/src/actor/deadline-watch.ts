import type { VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { VisitStore } from '../store/store.ts';

/** Between two looks, milliseconds, with jitter. */
const LOOK_MS = 5_000;

export interface DeadlineWatchOptions {
  store: Pick<VisitStore, 'overdue'>;
  clock: Clock;
  /** Has what is due in this visit happened. */
  look: (key: VisitKey) => Promise<unknown>;
}

/**
 * What is due in visits that no gateway has open, or whose gateway is gone, happens here: Redis gives each
 * of them to one of the gateways that ask. See ADR 0012.
 */
export class DeadlineWatch {
  readonly #options: DeadlineWatchOptions;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(options: DeadlineWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(
      LOOK_MS * (0.75 + Math.random() / 2),
      () => void this.#run(),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #run(): Promise<void> {
    const { store, look } = this.#options;
    try {
      for (let more = true; more && !this.#stopped; ) {
        const overdue = await store.overdue();
        more = overdue.length > 0;
        // What fails here is another gateway's, or is given out again.
        await Promise.allSettled(overdue.map(look));
      }
    } catch {
      // Redis is away.
    }
    if (!this.#stopped) this.start();
  }
}
