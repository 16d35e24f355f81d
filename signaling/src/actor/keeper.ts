import { BedsideError, type NodeId, toBedsideError, type VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import type { NodeClient } from '../nodes/client.ts';
import type { LinkedNode } from '../nodes/placement.ts';
import { type Kept, restored, type Seal, type Unwritten } from '../store/kept.ts';
import type { Lease } from '../store/store.ts';
import type { Media, Visit } from '../visit/state.ts';

/** A node that may be back at once is asked again after this long, milliseconds. */
const RETRY_MS = 200;
/** Asked in vain for so long, a visit is not opened; whoever wants it may try again. Milliseconds. */
const RECALL_MS = 10_000;

export interface KeeperOptions {
  nodes: NodeClient;
  clock: Clock;
  log: Logger;
  seal: Seal;
}

/**
 * Where one visit's changes are while Redis is away: at a node besides, so that they outlive this gateway.
 * It is the node that the next owner asks (`recall`) before it does anything, and once that one has asked,
 * nothing more is kept for this one: whatever was acknowledged is the next owner's, too. See ADR 0015.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #scope: { visit: VisitKey; epoch: number };
  /** Boots of nodes that hold something. */
  readonly #holders: Map<NodeId, string>;

  constructor(options: KeeperOptions, key: VisitKey, { epoch, heldAt }: Lease) {
    this.#options = options;
    this.#scope = { visit: key, epoch };
    this.#holders = new Map(heldAt);
  }

  holdsAt(node: NodeId): boolean {
    return this.#holders.has(node);
  }

  /**
   * `failed`: not now. `stale`: another gateway owns the visit.
   * @param recorded where Redis may say that the media is
   */
  async keep(
    unwritten: Unwritten,
    recorded: readonly Media[],
  ): Promise<'kept' | 'failed' | 'stale'> {
    const places = this.#placesFor(unwritten.visit, recorded);
    if (places.length === 0) return 'failed';
    const { visit, epoch } = this.#scope;
    const changes = this.#options.seal.close(visit, { epoch, ...unwritten });
    const outcomes = await Promise.all(places.map((place) => this.#keepAt(place, changes)));
    return outcomes.find((outcome) => outcome !== 'kept') ?? 'kept';
  }

  async #keepAt(
    { nodeId, bootId }: LinkedNode,
    changes: string,
  ): Promise<'kept' | 'failed' | 'stale'> {
    const { nodes, log } = this.#options;
    this.#holders.set(nodeId, bootId);
    try {
      await nodes.call(nodeId, 'keep-changes', { ...this.#scope, changes });
      return 'kept';
    } catch (thrown) {
      const error = toBedsideError(thrown);
      if (error.code === 'stale-epoch') return 'stale';
      if (error.code !== 'capacity' && error.retryable) return 'failed';
      // The node is full, too old, or this is too much: visits go on all the same.
      const { visit } = this.#scope;
      log.error({ visit, err: error }, 'what Redis lacks of a visit is in this gateway alone');
      return 'kept';
    }
  }

  /** Redis has it all. */
  drop(): void {
    for (const node of this.#holders.keys())
      this.#options.nodes.call(node, 'keep-changes', this.#scope).catch(() => {});
    this.#holders.clear();
  }

  /** That node is gone, or is another boot now. Whether it held something. */
  lost(node: NodeId, bootId?: string): boolean {
    const held = this.#holders.get(node);
    if (held === undefined || held === bootId) return false;
    return this.#holders.delete(node);
  }

  /** Where the next owner will ask; none while one of them does not answer, and may again at once. */
  #placesFor({ media }: Visit, recorded: readonly Media[]): LinkedNode[] {
    const { nodes } = this.#options;
    const linked = nodes.linked();
    const isThere = ({ node, bootId }: Media) =>
      !nodes.isLost(node) && linked.every((each) => each.nodeId !== node || each.bootId === bootId);
    const asked = new Set(recorded.filter(isThere).map(({ node }) => node));
    const places = linked.filter(({ nodeId }) => asked.has(nodeId));
    if (asked.size > 0) return places.length === asked.size ? places : [];
    // Where all of these are gone, all others are asked.
    const home = linked.filter(({ nodeId }) => nodeId === media?.node);
    if (home.length > 0) return home;
    const any =
      linked.find(({ nodeId }) => this.#holders.has(nodeId)) ??
      linked[Math.floor(Math.random() * linked.length)];
    return any ? [any] : [];
  }
}

/**
 * The lease with what its last owner kept at a node and Redis lacks. To be called before anything is done
 * with a visit that another had.
 * @throws BedsideError `moved` where yet another one owns it by now, `media-unavailable` where the node that may
 * hold something does not answer
 */
export async function recall(options: KeeperOptions, key: VisitKey, lease: Lease): Promise<Lease> {
  const { nodes, clock } = options;
  if (!lease.inherited) return lease;
  const media = lease.visit?.media;
  for (let waited = 0; waited < RECALL_MS; waited += RETRY_MS) {
    const linked = nodes.linked();
    const home = linked.filter(({ nodeId }) => nodeId === media?.node);
    const isGone =
      !media || nodes.isLost(media.node) || home.some(({ bootId }) => bootId !== media.bootId);
    // Where it is gone, the owner has kept it wherever it could.
    const asked = isGone ? linked : home;
    const answers = await Promise.all(
      asked.map(({ nodeId }) => askFor(options, nodeId, key, lease.epoch)),
    );
    if (isGone || (home.length > 0 && !answers.includes('no answer'))) {
      const kept = answers.filter((answer) => typeof answer === 'object');
      const holders = asked.filter((_, index) => typeof answers[index] === 'object');
      return {
        ...restored(lease, kept.toSorted(isLater)[0]),
        heldAt: new Map(holders.map(({ nodeId, bootId }) => [nodeId, bootId])),
      };
    }
    await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
  }
  throw new BedsideError('media-unavailable', { retryAfterMs: RETRY_MS });
}

/** @throws BedsideError `moved` */
async function askFor(
  { nodes, seal, log }: KeeperOptions,
  node: NodeId,
  visit: VisitKey,
  epoch: number,
): Promise<Kept | 'nothing' | 'no answer'> {
  try {
    const { changes } = await nodes.call(node, 'kept-changes', { visit, epoch });
    return changes === undefined ? 'nothing' : seal.open(visit, changes);
  } catch (thrown) {
    const error = toBedsideError(thrown);
    if (error.code === 'stale-epoch') throw new BedsideError('moved', { cause: thrown });
    if (error.kind === 'unavailable') return 'no answer';
    // Not the cause: it may quote what was kept.
    if (error.kind === 'internal')
      log.error({ visit, node }, 'what a node held of a visit can not be read');
    return 'nothing';
  }
}

const isLater = (one: Kept, other: Kept): number =>
  other.epoch - one.epoch || lastOf(other) - lastOf(one);
const lastOf = ({ batches }: Kept): number => batches.at(-1)?.number ?? 0;
