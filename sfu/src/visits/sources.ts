import { BedsideError, type ProducerId } from '@bedside/protocol';
import type { types } from 'mediasoup';
import { call } from '../media/call.ts';
import type { Branch } from './branch.ts';
import { LocalPipe } from './local-pipe.ts';
import type { Peer } from './peer.ts';
import type { ReceivingPipe } from './pipe.ts';

/** Something that is sent in a visit, where it comes into this node. */
export interface Source {
  readonly producer: types.Producer;
  readonly branch: Branch;
  readonly from: Peer | ReceivingPipe;
  /** Whether active speaker detection listens to it. */
  readonly observed: boolean;
}

interface Spread extends Source {
  /** In other branches, under the same id. */
  readonly copies: Map<Branch, types.Producer>;
  /** A call to pause or resume it failed: it may be either, and a late one may still arrive. */
  isUnsure: boolean;
}

/** Two branches and what joins them, open or about to be; one that could not be opened is not kept. */
interface Join {
  readonly between: readonly Branch[];
  readonly pipe: Promise<LocalPipe>;
}

/**
 * All that is sent in a visit, in whichever of its branches somebody receives it. Owned by the visit, which
 * calls one method at a time, but for `bring` of several branches.
 */
export class Sources {
  readonly #deadlineMs: number;
  readonly #sources = new Map<ProducerId, Spread>();
  readonly #joins: Join[] = [];

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /** It is forgotten when its producer closes. */
  add(id: ProducerId, source: Source): void {
    this.#sources.set(id, { ...source, copies: new Map(), isUnsure: false });
    source.producer.observer.once('close', () => this.#sources.delete(id));
  }

  get(id: ProducerId): Source | undefined {
    return this.#sources.get(id);
  }

  /** Pipes between branches. */
  get pipes(): number {
    return this.#joins.length;
  }

  /** Producers in branches other than their own. */
  get copies(): number {
    return [...this.#sources.values()].reduce((sum, { copies }) => sum + copies.size, 0);
  }

  /** Those that active speaker detection listens to. */
  get observed(): ProducerId[] {
    return [...this.#sources].flatMap(([id, { observed }]) => (observed ? [id] : []));
  }

  /** The producer as this branch has it. */
  at(branch: Branch, id: ProducerId): types.Producer | undefined {
    const source = this.#sources.get(id);
    return source?.branch === branch ? source.producer : source?.copies.get(branch);
  }

  /**
   * Has these in the branch, too; those that are not there, or close meanwhile, are passed over.
   * @returns those that could not be brought, by no fault of the others
   */
  async bring(ids: Iterable<ProducerId>, to: Branch): Promise<ReadonlySet<ProducerId>> {
    const failed = new Set<ProducerId>();
    await Promise.all(
      [...new Set(ids)].map(async (id) => {
        const source = this.#sources.get(id);
        if (!source || this.at(to, id)) return;
        await this.#copy(source, to).catch(() => failed.add(id));
      }),
    );
    return failed;
  }

  /** Takes away from the branch what was brought there and is not needed any more. */
  tidy(branch: Branch, isNeeded: (id: ProducerId) => boolean): void {
    for (const [id, { copies }] of this.#sources) {
      if (copies.has(branch) && !isNeeded(id)) copies.get(branch)?.close();
    }
  }

  /** Whether it is known to be paused, or not, in all branches. */
  isPaused(id: ProducerId, paused: boolean): boolean {
    const source = this.#sources.get(id);
    if (!source || source.isUnsure) return false;
    return everywhere(source).every((producer) => producer.paused === paused);
  }

  /** In all branches at once. @throws BedsideError `not-found`, `media-unavailable` */
  async setPaused(id: ProducerId, paused: boolean): Promise<void> {
    const source = this.#sources.get(id);
    if (!source) throw new BedsideError('not-found');
    source.isUnsure = true;
    // Also where it seems to be so: an earlier call that got no answer may still arrive.
    const set = everywhere(source).map((producer) =>
      paused ? producer.pause() : producer.resume(),
    );
    await call(Promise.all(set), this.#deadlineMs);
    source.isUnsure = false;
  }

  /** The branch is closed, or about to be: nothing leads there any more. */
  leave(branch: Branch): void {
    for (const join of this.#joins.filter(({ between }) => between.includes(branch))) {
      this.#forget(join);
      join.pipe.then(
        (pipe) => pipe.close(),
        () => {},
      );
    }
  }

  async #copy(source: Spread, to: Branch): Promise<void> {
    const pipe = await this.#pipe(source.branch, to);
    const copy = await pipe.carry(source.producer, source.branch, to);
    if (!copy) return;
    source.copies.set(to, copy);
    copy.observer.once('close', () => source.copies.delete(to));
  }

  /** Who wants the same one meanwhile waits for the same attempt. */
  #pipe(a: Branch, b: Branch): Promise<LocalPipe> {
    const present = this.#joins.find(({ between }) => between.includes(a) && between.includes(b));
    if (present) return present.pipe;
    const join: Join = { between: [a, b], pipe: LocalPipe.open(a, b, this.#deadlineMs) };
    this.#joins.push(join);
    join.pipe.catch(() => this.#forget(join));
    return join.pipe;
  }

  #forget(join: Join): void {
    const index = this.#joins.indexOf(join);
    if (index !== -1) this.#joins.splice(index, 1);
  }
}

const everywhere = ({ producer, copies }: Spread) => [producer, ...copies.values()];
