import { createHash } from 'node:crypto';
import { type GatewayId, toBedsideError, type VisitKey } from '@bedside/protocol';
import type { Clock, View } from '@bedside/service';
import type { VisitStore } from '../store/store.ts';

/** Who is gone may be back under its name, and pages come to another gateway by themselves, within this, milliseconds. */
const WAIT_MS = 15_000;
/** Visits that are taken up side by side. */
const PARALLEL = 8;

export interface InheritanceOptions {
  self: GatewayId;
  store: Pick<VisitStore, 'visitsOf' | 'untrack'>;
  clock: Clock;
  /** Whether somebody answers there. */
  answers: (address: string) => Promise<boolean>;
  /** Opens a visit, as if somebody had come to it. @throws BedsideError `moved` where another gateway has it */
  adopt: (key: VisitKey) => Promise<unknown>;
}

/**
 * The visits of a gateway that does not come back: where nobody opens them they would have people in them who
 * left long ago. Each has one heir among the gateways that are there, which all of them work out by themselves.
 */
export class Inheritance {
  readonly #options: InheritanceOptions;
  #present: ReadonlyMap<GatewayId, string> = new Map();
  /** Gateways that are not there any more, and may have left visits. */
  readonly #gone = new Map<GatewayId, { address: string; isOld: boolean }>();
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: InheritanceOptions) {
    this.#options = options;
  }

  /** Who is in the cluster now. */
  meet(view: View): void {
    const gateways = [...view.values()].filter(({ kind }) => kind === 'gateway');
    const present = new Map(gateways.map(({ id, address }) => [id as GatewayId, address]));
    for (const [id, address] of this.#present)
      if (!present.has(id)) this.#gone.set(id, { address, isOld: false });
    for (const id of present.keys()) this.#gone.delete(id);
    this.#present = present;
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #wait(): void {
    if (this.#stopped || this.#gone.size === 0 || this.#cancel) return;
    const ms = WAIT_MS * (0.75 + Math.random() / 2);
    this.#cancel = this.#options.clock.after(ms, () => void this.#takeUp());
  }

  async #takeUp(): Promise<void> {
    // Where Redis is away, or something could not be opened, it is looked at again.
    for (const gateway of [...this.#gone.keys()]) await this.#takeUpOf(gateway).catch(() => {});
    this.#cancel = undefined;
    this.#wait();
  }

  async #takeUpOf(gateway: GatewayId): Promise<void> {
    const { store, self, answers } = this.#options;
    const gone = this.#gone.get(gateway);
    // Cut off from Redis alone, it goes on with its visits.
    if (!gone || (await answers(gone.address))) return;
    const visits = await store.visitsOf(gateway);
    if (visits.length === 0 && this.#gone.get(gateway) === gone) this.#gone.delete(gateway);
    // An heir that began later knows nothing of it: what is left then is anybody's.
    const isOurs = (visit: VisitKey) => gone.isOld || heirOf(visit, this.#present.keys()) === self;
    const ours = visits.filter(isOurs).values();
    gone.isOld = true;
    const take = async () => {
      for (const visit of ours) if (this.#isGone(gateway)) await this.#adopt(visit, gateway);
    };
    await Promise.all(Array.from({ length: PARALLEL }, take));
  }

  async #adopt(visit: VisitKey, from: GatewayId): Promise<void> {
    const { adopt, store } = this.#options;
    try {
      await adopt(visit);
    } catch (thrown) {
      const { code, gateway } = toBedsideError(thrown);
      // Another one has it, and counts it among its own.
      if (code === 'moved' && gateway !== undefined && gateway !== from)
        await store.untrack(from, visit);
    }
  }

  #isGone(gateway: GatewayId): boolean {
    return !this.#stopped && this.#gone.has(gateway);
  }
}

/** The same for all who know the same gateways; with one more or one less most visits keep theirs. */
function heirOf(visit: VisitKey, gateways: Iterable<GatewayId>): GatewayId | undefined {
  const rank = (gateway: GatewayId) =>
    createHash('sha256').update(`${gateway} ${visit}`).digest('hex');
  const ranked = [...gateways].map((gateway) => ({ gateway, rank: rank(gateway) }));
  return ranked.toSorted((one, other) => (one.rank < other.rank ? -1 : 1))[0]?.gateway;
}
