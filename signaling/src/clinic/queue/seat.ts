import {
  type ClinicResponse,
  compareEntries,
  LIMITS,
  type QueueEntry,
  type VisitId,
} from '@bedside/protocol';
import type { ClinicLink } from '../../ports.ts';
import type { ClinicKey } from '../keys.ts';
import type { Queues } from './queues.ts';
import type { QueueNews, WatchedQueue } from './watched-queue.ts';

const MOST = LIMITS.queueEntriesPerMessage;

/** One socket's view of its clinic's queue. */
export class QueueSeat {
  readonly #queues: Queues;
  readonly #clinic: ClinicKey;
  readonly #link: ClinicLink;
  readonly #watcher = (news: QueueNews) => this.#tell(news);
  #queue: WatchedQueue | undefined;

  constructor(queues: Queues, clinic: ClinicKey, link: ClinicLink) {
    this.#queues = queues;
    this.#clinic = clinic;
    this.#link = link;
  }

  /** From now on the socket hears of changes. Again: the whole answer again. @throws BedsideError `state-unavailable` */
  async watch(): Promise<ClinicResponse<'watch-queue'>> {
    this.#queue ??= this.#queues.acquire(this.#clinic);
    const queue = this.#queue;
    const { entries, stale } = await queue.watch(this.#watcher);
    if (this.#queue !== queue) queue.unwatch(this.#watcher);
    const first = entries.slice(0, MOST);
    if (entries.length > MOST) setImmediate(() => this.#tellRest(queue, first));
    return { entries: first, stale };
  }

  /** Idempotent. */
  close(): void {
    const queue = this.#queue;
    this.#queue = undefined;
    queue?.unwatch(this.#watcher);
    if (queue) this.#queues.release(this.#clinic);
  }

  /** After the answer is out, as they are by then. */
  #tellRest(queue: WatchedQueue, told: readonly QueueEntry[]): void {
    if (this.#queue !== queue) return;
    const visits = new Set(told.map(({ visit }) => visit));
    const { entries, stale } = queue;
    this.#tell({ changed: entries.filter(({ visit }) => !visits.has(visit)), removed: [], stale });
  }

  /** In as many messages as it takes, at least one. */
  #tell({ changed, removed, stale }: QueueNews): void {
    const entries = changed.toSorted(compareEntries);
    const gone: VisitId[] = removed.map(({ visit }) => visit);
    for (let at = 0; at === 0 || at < Math.max(entries.length, gone.length); at += MOST) {
      this.#link.send('queue', {
        entries: entries.slice(at, at + MOST),
        removed: gone.slice(at, at + MOST),
        stale,
      });
    }
  }
}
