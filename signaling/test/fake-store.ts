import { BedsideError, type GatewayId, type VisitKey } from '@bedside/protocol';
import type { Commit, Lease, VisitStore } from '../src/store/store.ts';
import type { LedgerEvent, Media, Said, Visit } from '../src/visit/state.ts';

/** Redis at the port: leases and snapshots in memory, away when a test says so. */
export class FakeStore implements VisitStore {
  available = true;
  fault = 'does not answer';
  readonly leases = new Map<VisitKey, number>();
  readonly snapshots = new Map<VisitKey, Visit>();
  readonly ledger: LedgerEvent[] = [];
  readonly said = new Map<VisitKey, Said[]>();
  readonly commits: Commit[] = [];
  readonly released: VisitKey[] = [];
  readonly deadlines = new Map<VisitKey, number>();
  left: VisitKey[] = [];
  /** What other gateways left. */
  readonly leftBy = new Map<GatewayId, VisitKey[]>();
  /** Runs before each call; what it throws fails the call. */
  before: (
    call: 'acquire' | 'read' | 'commit' | 'release' | 'expect' | 'overdue' | 'abandoned',
  ) => Promise<void> = async () => {};
  readonly #seen = new Map<VisitKey, Pick<Commit, 'epoch' | 'number'>>();
  readonly #keepers = new Map<VisitKey, readonly Media[]>();
  #epochs = 0;

  /** Calls fail from now on. */
  goAway(): void {
    this.available = false;
    this.before = async () => {
      throw new BedsideError('state-unavailable');
    };
  }

  comeBack(): void {
    this.available = true;
    this.before = async () => {};
  }

  /** As by a failover to a replica that is behind: the last commits of the only visit are undone. */
  lose(key: VisitKey, count: number): void {
    for (const { events, messages } of this.commits.splice(-count, count)) {
      this.ledger.splice(this.ledger.length - events.length);
      const said = this.said.get(key) ?? [];
      said.splice(said.length - messages.length);
    }
    const last = this.commits.at(-1);
    this.#seen.delete(key);
    this.snapshots.delete(key);
    if (!last) return;
    this.#seen.set(key, last);
    this.snapshots.set(key, last.visit);
  }

  /** Another gateway takes the visit. */
  takeOver(key: VisitKey): number {
    this.#epochs += 1;
    this.leases.set(key, this.#epochs);
    return this.#epochs;
  }

  /** Nobody else has a visit here, so nobody is left out. */
  async acquire(key: VisitKey, keepers: readonly Media[] = [], _overtake = false): Promise<Lease> {
    await this.before('acquire');
    return {
      keepers,
      inherited: this.#inherited(key, keepers),
      epoch: this.takeOver(key),
      visit: structuredClone(this.snapshots.get(key)),
      messages: this.said.get(key) ?? [],
      roundTrips: 1,
    };
  }

  #inherited(key: VisitKey, fresh: readonly Media[]): Lease['inherited'] {
    const before = this.leases.has(key) ? (this.#keepers.get(key) ?? []) : undefined;
    this.#keepers.set(key, [...(before ?? []), ...fresh]);
    const { epoch = 0, number = 0 } = this.#seen.get(key) ?? {};
    return before && { epoch, number, keepers: before };
  }

  async read(key: VisitKey): Promise<Visit | undefined> {
    await this.before('read');
    return structuredClone(this.snapshots.get(key));
  }

  async commit(
    key: VisitKey,
    commit: Commit,
    onRoundTrip: () => void = () => {},
  ): Promise<'written' | 'stale' | 'gap'> {
    await this.before('commit').finally(onRoundTrip);
    if ((this.leases.get(key) ?? 0) > commit.epoch) return 'stale';
    const seen = this.#seen.get(key);
    const number = seen?.epoch === commit.epoch ? seen.number : 0;
    if (number >= commit.number) return 'written';
    if (number < (commit.after ?? 0)) return 'gap';
    this.#seen.set(key, commit);
    this.#keepers.set(key, commit.keepers ?? []);
    this.commits.push(commit);
    this.snapshots.set(key, commit.visit);
    this.ledger.push(...commit.events);
    this.said.set(key, [...(this.said.get(key) ?? []), ...commit.messages]);
    return 'written';
  }

  async events(): Promise<LedgerEvent[]> {
    return this.ledger;
  }

  async release(key: VisitKey): Promise<void> {
    await this.before('release');
    this.released.push(key);
  }

  async expect(key: VisitKey, _epoch: number, at: number | undefined): Promise<void> {
    await this.before('expect');
    if (at === undefined) this.deadlines.delete(key);
    else this.deadlines.set(key, at);
  }

  /** All of them: tests say when. */
  async overdue(): Promise<VisitKey[]> {
    await this.before('overdue');
    return [...this.deadlines.keys()];
  }

  async abandoned(): Promise<VisitKey[]> {
    await this.before('abandoned');
    return this.left;
  }

  async visitsOf(gateway: GatewayId): Promise<VisitKey[]> {
    await this.before('abandoned');
    return this.leftBy.get(gateway) ?? [];
  }

  async untrack(gateway: GatewayId, key: VisitKey): Promise<void> {
    const left = this.leftBy.get(gateway) ?? [];
    this.leftBy.set(
      gateway,
      left.filter((each) => each !== key),
    );
  }

  async lost(key: VisitKey): Promise<void> {
    this.released.push(key);
  }
}
