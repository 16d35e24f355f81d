import { BedsideError, LIMITS, toBedsideError, type VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import { latest } from '../visit/ledger.ts';
import type { LedgerEvent, Media, Said, Visit } from '../visit/state.ts';
import type { Unwritten } from './kept.ts';
import type { VisitStore } from './store.ts';

/** Ledger events of one visit that are kept while Redis is away; beyond, some are dropped and counted. */
const EVENTS_KEPT = 1_000;
/** What was written so long ago a failover does not lose: replicas follow within seconds. Milliseconds. */
const LOSABLE_MS = 60_000;
/**
 * Of more participants than a visit without an audience has, each makes a write the longer, and so the rest
 * after it, milliseconds: they come many at a time, and one snapshot then has them all.
 */
const REST_FROM = LIMITS.participantsPerVisit + LIMITS.departedParticipants;
const REST_MS = 0.2;
/** What neither Redis nor a node took is tried again after this long, milliseconds. */
const RETRY_MS = 300;
/** So long a change that nobody waits for may wait for one that somebody does, milliseconds. */
const DEFER_MS = 1_000;

export interface WriterOptions {
  store: VisitStore;
  key: VisitKey;
  epoch: number;
  clock: Pick<Clock, 'now' | 'after'>;
  /** On record as keepers, before the first commit. */
  keepers: readonly Media[];
  /** Nodes hold something of an owner before. */
  isHeld?: boolean;
  /** The keepers from now on, for a visit whose media is there. */
  keepersFor: (home: Media | undefined) => readonly Media[];
  /** Has all of these nodes hold what Redis lacks, for the next owner. */
  keep: (unwritten: Unwritten, keepers: readonly Media[]) => Promise<'kept' | 'failed' | 'stale'>;
  /** What nodes hold is not needed any more. */
  drop: () => void;
  /** By how many the count of unwritten changes grew or fell. */
  onUnwritten: (difference: number) => void;
  /** Another gateway owns the visit now; nothing is written any more. */
  onStale: () => void;
  /** Nothing is left to write. */
  onClean: () => void;
  onDropped: (events: number) => void;
  /** Redis refused a batch; it is tried again with the next change. */
  onFault: (error: BedsideError) => void;
}

interface Batch {
  number: number;
  visit: Visit;
  events: LedgerEvent[];
  messages: Said[];
  changes: number;
  /** Since it was tried for the first time. */
  keepers: readonly Media[];
  waiting: {
    resolve: (outcome: 'written' | 'kept') => void;
    reject: (error: BedsideError) => void;
  }[];
}

/** What Redis said to have written, and may lose when a replica takes its place. */
interface Written {
  commit: Pick<Batch, 'number' | 'events' | 'messages'>;
  keepers: readonly Media[];
  at: number;
}

/**
 * Commits one visit's changes, one batch at a time and in order. Changes that come while a batch is
 * under way go into the next one: its snapshot is the latest. A batch that failed is tried again as it
 * was, under its number, because Redis may have written it. What Redis has lost of the last minute is
 * written again, before anything else, once it shows. While Redis is away a node holds what it lacks, so
 * that what is acknowledged outlives this gateway.
 */
export class VisitWriter {
  readonly #options: WriterOptions;
  #inFlight: Batch | undefined;
  #next: Batch | undefined;
  #number = 0;
  /** Oldest first. */
  #written: Written[] = [];
  #lost: Written[] = [];
  #flushing: Promise<void> | undefined;
  #cancelDeferred: (() => void) | undefined;
  #roundTrips = 0;
  /** On record before the commits in `#written`. */
  #keepers: readonly Media[];
  #isKeeping = false;
  /** Nodes may hold something. */
  #isHeld: boolean;
  #cancelDrop: (() => void) | undefined;
  #stale = false;
  /** The rest after a large write, while it lasts. */
  #resting: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#keepers = options.keepers;
    this.#isHeld = options.isHeld ?? false;
  }

  /** To Redis and back, up to now. */
  get roundTrips(): number {
    return this.#roundTrips;
  }

  /** Nothing is left to write. */
  get clean(): boolean {
    return this.#stale || (!this.#inFlight && !this.#next);
  }

  /**
   * Resolves `written` once Redis has it, or `kept` where Redis is away, a node holds it, and it will be
   * written later.
   * @throws BedsideError `moved` where another gateway owns the visit
   */
  write(
    visit: Visit,
    events: readonly LedgerEvent[],
    messages: readonly Said[] = [],
  ): Promise<'written' | 'kept'> {
    if (this.#stale) return Promise.reject(new BedsideError('moved'));
    const { waiting } = this.#add(visit, events, messages);
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      if (this.#options.store.available) void this.flush();
      else this.#keep();
    });
  }

  /** Is written with the next change, or after a moment. */
  defer(visit: Visit, events: readonly LedgerEvent[]): void {
    this.#add(visit, events, []);
    this.#cancelDeferred ??= this.#options.clock.after(DEFER_MS, () => this.hurry());
  }

  /** What was deferred is written now. */
  hurry(): void {
    if (this.#endDeferral() && this.#options.store.available) void this.flush();
  }

  #endDeferral(): boolean {
    const isDeferred = this.#cancelDeferred !== undefined;
    this.#cancelDeferred?.();
    this.#cancelDeferred = undefined;
    return isDeferred;
  }

  #add(visit: Visit, events: readonly LedgerEvent[], messages: readonly Said[]): Batch {
    this.#next ??= {
      number: ++this.#number,
      visit,
      events: [],
      messages: [],
      changes: 0,
      keepers: [],
      waiting: [],
    };
    const batch = this.#next;
    batch.visit = visit;
    batch.changes++;
    batch.events.push(...events);
    batch.messages = [...batch.messages, ...messages].slice(-LIMITS.messagesPerVisit);
    if (batch.events.length > EVENTS_KEPT) {
      this.#options.onDropped(batch.events.length - EVENTS_KEPT);
      batch.events = latest(batch.events, EVENTS_KEPT);
    }
    this.#options.onUnwritten(1);
    return batch;
  }

  /**
   * Whether Redis has every change so far; where it is away this takes one try to say.
   * @throws BedsideError `moved` where another gateway owns the visit
   */
  async written(): Promise<boolean> {
    await this.flush();
    if (this.#stale) throw new BedsideError('moved');
    return this.clean;
  }

  /** Writes what is unwritten, until all is or Redis is away. */
  flush(): Promise<void> {
    this.#endDeferral();
    if (!this.#flushing && !this.clean) this.#flushing = this.#writeAll();
    return this.#flushing ?? Promise.resolve();
  }

  async #writeAll(): Promise<void> {
    try {
      while (!this.clean) {
        if (this.#resting) await this.#resting;
        const batch = this.#take();
        if (!batch) break;
        this.#rest(batch.visit);
        await this.#commit(batch);
      }
    } catch (thrown) {
      // The batches stay for the next flush: Redis is away, or it holds what is not ours.
      this.#keep();
      const error = toBedsideError(thrown);
      if (error.kind === 'internal') this.#options.onFault(error);
    }
    // In one go with the last look at what there is to write: no change falls in between.
    this.#flushing = undefined;
    if (!this.clean) return;
    // A failover may lose what was written last.
    if (this.#isHeld) this.#cancelDrop ??= this.#options.clock.after(LOSABLE_MS, () => this.drop());
    this.#options.onClean();
  }

  /** Nodes need not hold anything any more, where Redis has it all. */
  drop(): void {
    this.#cancelDrop?.();
    this.#cancelDrop = undefined;
    // Another gateway may have the visit, and not have asked yet.
    if (!this.#isHeld || this.#stale || !this.clean) return;
    this.#isHeld = false;
    this.#options.drop();
  }

  #keep(): void {
    if (!this.#isKeeping) void this.#keepAll();
  }

  /** Until nodes hold what Redis lacks, or Redis lacks nothing; who waits goes on then. */
  async #keepAll(): Promise<void> {
    this.#isKeeping = true;
    for (let lacking = this.#lacking; lacking.length > 0; lacking = this.#lacking) {
      const waiting = lacking.flatMap((batch) => batch.waiting);
      if (waiting.length === 0) break;
      this.#isHeld = true;
      const outcome = await this.#options.keep(this.#unwritten(lacking), this.#onRecord);
      if (outcome === 'stale' && !this.#stale) {
        this.discard();
        this.#options.onStale();
      } else if (outcome === 'failed') {
        await new Promise<void>((resolve) => this.#options.clock.after(RETRY_MS, resolve));
      } else {
        for (const { resolve } of waiting) resolve('kept');
        for (const batch of lacking)
          batch.waiting = batch.waiting.filter((each) => !waiting.includes(each));
      }
    }
    this.#isKeeping = false;
  }

  get #lacking(): Batch[] {
    return [this.#inFlight, this.#next].filter((batch) => batch !== undefined);
  }

  #unwritten(lacking: readonly Batch[]): Unwritten {
    const { visit } = lacking.at(-1) as Batch;
    const batches = [...this.#written.map(({ commit }) => commit), ...lacking];
    return {
      visit,
      batches: batches.map(({ number, events, messages }) => ({ number, events, messages })),
    };
  }

  /** All keepers that the next owner may find: a failover loses what was written, and a batch that failed may be written. */
  get #onRecord(): Media[] {
    return [
      this.#keepers,
      ...this.#written.map(({ keepers }) => keepers),
      this.#inFlight?.keepers ?? [],
    ].flat();
  }

  #rest({ participants }: Visit): void {
    const ms = (participants.length - REST_FROM) * REST_MS;
    if (ms <= 0) return;
    this.#resting = new Promise((resolve) => {
      this.#options.clock.after(ms, () => {
        this.#resting = undefined;
        resolve();
      });
    });
  }

  /** The batch to write now: the one that failed before, or the next. */
  #take(): Batch | undefined {
    if (this.#inFlight) return this.#inFlight;
    const batch = this.#next;
    this.#inFlight = batch;
    this.#next = undefined;
    if (batch) batch.keepers = this.#options.keepersFor(batch.visit.media);
    return batch;
  }

  /** Once more where Redis has lost what came before: that goes first then. */
  async #commit(batch: Batch): Promise<void> {
    const { store, key, epoch, clock, onUnwritten } = this.#options;
    const { number, visit, events, messages, keepers } = batch;
    const count = () => {
      this.#roundTrips += 1;
    };
    for (let lost = this.#lost[0]; lost; lost = this.#lost[0]) {
      const after = this.#written[this.#written.indexOf(lost) - 1]?.commit.number;
      const again = { ...lost.commit, epoch, after, visit, keepers };
      const outcome = await store.commit(key, again, count);
      if (this.#isOver(batch, outcome)) return;
      lost.at = clock.now();
      // Another failover, in the middle of it.
      if (outcome === 'gap') this.#lost = [...this.#written];
      else this.#lost.shift();
    }
    const commit = { number, events, messages };
    const after = this.#written.at(-1)?.commit.number;
    const outcome = await store.commit(key, { ...commit, epoch, after, visit, keepers }, count);
    if (this.#isOver(batch, outcome)) return;
    if (outcome === 'gap') {
      this.#lost = [...this.#written];
      return;
    }
    this.#inFlight = undefined;
    this.#remember(commit, keepers);
    onUnwritten(-batch.changes);
    for (const { resolve } of batch.waiting) resolve('written');
  }

  /** Whether nothing is to be done with that batch any more. */
  #isOver(batch: Batch, outcome: 'written' | 'stale' | 'gap'): boolean {
    // Given up meanwhile.
    if (this.#inFlight !== batch) return true;
    if (outcome !== 'stale') return false;
    this.discard();
    this.#options.onStale();
    return true;
  }

  #remember(commit: Written['commit'], keepers: readonly Media[]): void {
    const at = this.#options.clock.now();
    this.#written.push({ commit, keepers, at });
    let events = this.#written.reduce((sum, each) => sum + each.commit.events.length, 0);
    for (let oldest = this.#written[0]; oldest; oldest = this.#written[0]) {
      if (at - oldest.at <= LOSABLE_MS && events <= EVENTS_KEPT) return;
      events -= oldest.commit.events.length;
      this.#keepers = oldest.keepers;
      this.#written.shift();
    }
  }

  /** Gives up: the visit is another gateway's. */
  discard(): void {
    this.#stale = true;
    this.#cancelDrop?.();
    this.#endDeferral();
    for (const batch of [this.#inFlight, this.#next]) {
      if (!batch) continue;
      this.#options.onUnwritten(-batch.changes);
      for (const { reject } of batch.waiting) reject(new BedsideError('moved'));
    }
    this.#inFlight = undefined;
    this.#next = undefined;
  }
}
