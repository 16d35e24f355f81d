import { compareEntries, type QueueEntry, type VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { ClinicKey } from '../keys.ts';
import type { QueueStore } from './store.ts';

/** Least time from one look at Redis to the next, milliseconds: a watcher hears no more often. */
export const THROTTLE_MS = 250;
/** While Redis is away it is looked for this often, milliseconds. */
const RETRY_MS = 1_000;
/** More changes than this are read as the whole queue. */
const FEW = 100;

export interface QueueNews {
  changed: readonly QueueEntry[];
  removed: readonly QueueEntry[];
  stale: boolean;
}

export type QueueWatcher = (news: QueueNews) => void;

export interface WatchedQueueOptions {
  clinic: ClinicKey;
  store: QueueStore;
  clock: Clock;
  /** The whole queue is read this often, milliseconds: what has expired is missed by nobody. */
  rereadMs: number;
}

/**
 * The queue of one clinic as those see it who watch it at this gateway. It is read from Redis, one read
 * at a time, so that what is known only ever gets newer.
 */
export class WatchedQueue {
  readonly #options: WatchedQueueOptions;
  readonly #watchers = new Set<QueueWatcher>();
  #entries: Map<VisitKey, QueueEntry> | undefined;
  #stale = false;
  #dirty = new Set<VisitKey>();
  #allDirty = true;
  #reading: Promise<void> | undefined;
  /** When the next read may begin, and when the last one of the whole queue began. */
  #nextAt = 0;
  #wholeAt = 0;
  #closed = false;
  #cancelTimer = () => {};

  constructor(options: WatchedQueueOptions) {
    this.#options = options;
  }

  /**
   * What is known, in order; the watcher hears of everything that comes after it.
   * @throws BedsideError `state-unavailable` where nothing is known and Redis is away
   */
  async watch(watcher: QueueWatcher): Promise<{ entries: QueueEntry[]; stale: boolean }> {
    if (!this.#entries) await this.#read();
    this.#watchers.add(watcher);
    return { entries: this.entries, stale: this.#stale };
  }

  unwatch(watcher: QueueWatcher): void {
    this.#watchers.delete(watcher);
  }

  get stale(): boolean {
    return this.#stale;
  }

  /** In order. */
  get entries(): QueueEntry[] {
    return [...(this.#entries?.values() ?? [])].toSorted(compareEntries);
  }

  /** These may have changed. */
  touch(visits: readonly VisitKey[] | 'all'): void {
    if (visits === 'all') this.#allDirty = true;
    else for (const visit of visits) this.#dirty.add(visit);
    this.#readIn(this.#nextAt - this.#options.clock.now());
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
  }

  #readIn(ms: number): void {
    this.#cancelTimer();
    if (this.#closed) return;
    const { clock, rereadMs } = this.#options;
    // A clock that is set back must not hold the queue up.
    const bounded = Math.min(Math.max(ms, 0), rereadMs);
    this.#cancelTimer = clock.after(bounded, () => void this.#read().catch(() => {}));
  }

  #read(): Promise<void> {
    this.#cancelTimer();
    this.#reading ??= this.#readOnce();
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const { store, clinic, clock, rereadMs } = this.#options;
    const started = clock.now();
    const whole =
      this.#allDirty ||
      !this.#entries ||
      this.#dirty.size > FEW ||
      started - this.#wholeAt >= rereadMs;
    const visits = whole ? 'all' : [...this.#dirty];
    this.#allDirty = false;
    this.#dirty = new Set();
    let answered = false;
    try {
      const found = await store.read(clinic, visits);
      answered = true;
      if (whole) this.#wholeAt = started;
      this.#apply(visits, found);
    } catch (error) {
      this.#allDirty = true;
      this.#becameStale();
      throw error;
    } finally {
      // In one go with the last look at what is dirty: no touch falls in between.
      this.#reading = undefined;
      this.#nextAt = clock.now() + THROTTLE_MS;
      const dirty = this.#allDirty || this.#dirty.size > 0;
      this.#readIn(!answered ? RETRY_MS : dirty ? THROTTLE_MS : rereadMs);
    }
  }

  #apply(visits: readonly VisitKey[] | 'all', found: ReadonlyMap<VisitKey, QueueEntry>): void {
    const entries = this.#entries ?? new Map<VisitKey, QueueEntry>();
    this.#entries = entries;
    const looked = visits === 'all' ? [...entries.keys()] : visits;
    const removed = looked.flatMap((visit) => {
      const entry = entries.get(visit);
      if (!entry || found.has(visit)) return [];
      entries.delete(visit);
      return [entry];
    });
    const changed = [...found].flatMap(([visit, entry]) => {
      if (JSON.stringify(entries.get(visit)) === JSON.stringify(entry)) return [];
      entries.set(visit, entry);
      return [entry];
    });
    const returned = this.#stale;
    this.#stale = false;
    if (returned || changed.length > 0 || removed.length > 0) this.#tell({ changed, removed });
  }

  #becameStale(): void {
    if (this.#stale || !this.#entries) return;
    this.#stale = true;
    this.#tell({ changed: [], removed: [] });
  }

  #tell(news: Omit<QueueNews, 'stale'>): void {
    for (const watcher of this.#watchers) watcher({ ...news, stale: this.#stale });
  }
}
