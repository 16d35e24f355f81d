import type { VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Bus } from '../bus.ts';
import { type ClinicKey, clinicKeys } from '../keys.ts';
import type { QueueStore } from './store.ts';
import { WatchedQueue } from './watched-queue.ts';

export interface QueuesOptions {
  store: QueueStore;
  bus: Bus;
  clock: Clock;
  rereadMs: number;
}

/** The queues that somebody watches at this gateway, one each for all who do. */
export class Queues {
  readonly #options: QueuesOptions;
  readonly #open = new Map<ClinicKey, { queue: WatchedQueue; users: number; leave: () => void }>();

  constructor(options: QueuesOptions) {
    this.#options = options;
  }

  /** To be given back by `release`. */
  acquire(clinic: ClinicKey): WatchedQueue {
    let open = this.#open.get(clinic);
    if (!open) {
      const queue = new WatchedQueue({ ...this.#options, clinic });
      const leave = this.#options.bus.listen(clinicKeys(clinic).queueChanges, {
        message: (visits) => queue.touch(visits.split(' ') as VisitKey[]),
        // Before this, changes were missed.
        subscribed: () => queue.touch('all'),
      });
      open = { queue, users: 0, leave };
      this.#open.set(clinic, open);
    }
    open.users += 1;
    return open.queue;
  }

  release(clinic: ClinicKey): void {
    const open = this.#open.get(clinic);
    if (!open) return;
    open.users -= 1;
    if (open.users > 0) return;
    this.#open.delete(clinic);
    open.leave();
    open.queue.close();
  }
}
