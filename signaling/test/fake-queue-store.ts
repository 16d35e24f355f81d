import { BedsideError, type QueueEntry, type VisitKey } from '@bedside/protocol';
import type { ClinicKey } from '../src/clinic/keys.ts';
import type { QueueChange, QueueStore } from '../src/clinic/queue/store.ts';

/** The queue of one clinic in memory: notes each call, and is away or holds its answers back where a test says so. */
export class FakeQueueStore implements QueueStore {
  readonly entries = new Map<VisitKey, QueueEntry>();
  readonly writes: QueueChange[][] = [];
  readonly reads: (readonly VisitKey[] | 'all')[] = [];
  /** Visits of which a higher epoch has written. */
  readonly refused = new Set<VisitKey>();
  away = false;
  #gate = Promise.withResolvers<void>();

  constructor() {
    this.#gate.resolve();
  }

  /** From now on calls are taken, and answered when `giveAnswers` is called. */
  holdAnswers(): void {
    this.#gate = Promise.withResolvers();
  }

  giveAnswers(): void {
    this.#gate.resolve();
  }

  async write(_: ClinicKey, changes: readonly QueueChange[]): Promise<VisitKey[]> {
    this.writes.push([...changes]);
    await this.#answer();
    for (const { visit, entry } of changes) {
      if (this.refused.has(visit)) continue;
      if (entry === undefined) this.entries.delete(visit);
      else this.entries.set(visit, JSON.parse(entry));
    }
    return changes.map(({ visit }) => visit).filter((visit) => this.refused.has(visit));
  }

  async read(
    _: ClinicKey,
    visits: readonly VisitKey[] | 'all',
  ): Promise<Map<VisitKey, QueueEntry>> {
    this.reads.push(visits);
    // As they are when Redis is asked, not when its answer arrives.
    const found = [...this.entries].filter(([visit]) => visits === 'all' || visits.includes(visit));
    await this.#answer();
    return new Map(found);
  }

  async #answer(): Promise<void> {
    await this.#gate.promise;
    if (this.away) throw new BedsideError('state-unavailable');
  }
}
