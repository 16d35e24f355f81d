import { BedsideError, type NodeId, toBedsideError, type VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import type { NodeClient } from '../nodes/client.ts';
import type { LinkedNode } from '../nodes/placement.ts';
import { type Kept, restored, type Seal, type Unwritten } from '../store/kept.ts';
import type { Lease } from '../store/store.ts';
import type { Media } from '../visit/state.ts';

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

/** Nodes besides the visit's home that hold what Redis lacks of it, where there are as many. */
const OTHERS = 2;

/**
 * Where one visit's changes are while Redis is away: at nodes besides, its keepers, so that they outlive this
 * gateway. The keepers are on record, and the next owner asks them (`recall`) before it does anything. Once it
 * has, they take nothing more of this one: whatever was acknowledged is the next owner's, too. See ADR 0015.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #scope: { visit: VisitKey; epoch: number };
  #others: readonly Media[];
  /** The log says so. */
  #isRefused = false;
  /** Nodes that may hold something. */
  readonly #holders: Set<NodeId>;

  constructor(options: KeeperOptions, key: VisitKey, { epoch, keepers, heldAt }: Lease) {
    this.#options = options;
    this.#scope = { visit: key, epoch };
    this.#others = keepers;
    this.#holders = new Set(heldAt);
  }

  /** A visit's keepers from now on: its home, and others that stay while they are there. */
  keepersFor(home: Media | undefined): readonly Media[] {
    this.#others = chooseKeepers(this.#options.nodes, this.#others, home?.node);
    return home ? [home, ...this.#others] : this.#others;
  }

  /** `failed`: not now, as long as one of them does not answer and may again at once. `stale`: another gateway owns the visit. */
  async keep(
    unwritten: Unwritten,
    keepers: readonly Media[],
  ): Promise<'kept' | 'failed' | 'stale'> {
    const there = thereOf(this.#options.nodes, keepers);
    if (there.length === 0 || there.includes(undefined)) return 'failed';
    const { visit, epoch } = this.#scope;
    const changes = this.#options.seal.close(visit, { epoch, ...unwritten });
    const outcomes = await Promise.all(there.map((node) => node && this.#keepAt(node, changes)));
    if (outcomes.includes('stale')) return 'stale';
    return outcomes.includes('failed') ? 'failed' : 'kept';
  }

  async #keepAt({ nodeId }: LinkedNode, changes: string): Promise<'kept' | 'failed' | 'stale'> {
    const { nodes, log } = this.#options;
    this.#holders.add(nodeId);
    try {
      await nodes.call(nodeId, 'keep-changes', { ...this.#scope, changes });
      return 'kept';
    } catch (thrown) {
      const error = toBedsideError(thrown);
      if (error.code === 'stale-epoch') return 'stale';
      if (error.code !== 'capacity' && error.retryable) return 'failed';
      // The node is full, too old, or this is too much: visits go on all the same.
      if (!this.#isRefused)
        log.error({ node: nodeId, err: error }, 'a node does not hold what Redis lacks of a visit');
      this.#isRefused = true;
      return 'kept';
    }
  }

  /** Redis has it all. */
  drop(): void {
    for (const node of this.#holders)
      this.#options.nodes.call(node, 'keep-changes', this.#scope).catch(() => {});
    this.#holders.clear();
  }
}

/** Keepers besides the home that are there, and others by chance in place of those that are not. */
export function chooseKeepers(
  nodes: NodeClient,
  before: readonly Media[] = [],
  home?: NodeId,
): readonly Media[] {
  const kept = before
    .filter((keeper) => keeper.node !== home && !isGone(nodes, keeper))
    .slice(0, OTHERS);
  if (kept.length === OTHERS) return kept;
  const known = [home, ...kept.map(({ node }) => node)];
  const fresh = nodes
    .linked()
    .filter(({ nodeId, state }) => state === 'ready' && !known.includes(nodeId));
  while (kept.length < OTHERS && fresh.length > 0) {
    const [one] = fresh.splice(Math.floor(Math.random() * fresh.length), 1);
    if (one) kept.push({ node: one.nodeId, bootId: one.bootId });
  }
  return kept;
}

/** Nobody has heard of it for a while, or it has begun anew. */
function isGone(nodes: NodeClient, { node, bootId }: Media): boolean {
  const linked = nodes.linked().find(({ nodeId }) => nodeId === node);
  return linked ? linked.bootId !== bootId : nodes.isLost(node);
}

/** Each keeper once that is not gone; undefined for one that is away for a moment. */
function thereOf(nodes: NodeClient, keepers: readonly Media[]): (LinkedNode | undefined)[] {
  // Many commits have the same ones.
  const each = new Map(keepers.map((keeper) => [`${keeper.node} ${keeper.bootId}`, keeper]));
  const there = [...each.values()].filter((keeper) => !isGone(nodes, keeper));
  const names = new Set(there.map(({ node }) => node));
  const linked = nodes.linked();
  return [...names].map((name) => linked.find(({ nodeId }) => nodeId === name));
}

/**
 * The lease with what its last owner kept at nodes and Redis lacks. To be called before anything is done with a
 * visit that another had.
 * @throws BedsideError `moved` where yet another one owns it by now, `media-unavailable` where a keeper is there and
 * does not answer
 */
export async function recall(options: KeeperOptions, key: VisitKey, lease: Lease): Promise<Lease> {
  const { nodes, clock } = options;
  const { inherited, visit, epoch } = lease;
  if (!inherited) return lease;
  const keepers = visit?.media ? [visit.media, ...inherited.keepers] : inherited.keepers;
  for (let waited = 0; waited < RECALL_MS; waited += RETRY_MS) {
    const there = thereOf(nodes, keepers);
    const answers = await Promise.all(
      there.map((node) => (node ? askFor(options, node.nodeId, key, epoch) : 'no answer')),
    );
    if (!answers.includes('no answer')) {
      const holders = there.filter((node, index) => node && typeof answers[index] === 'object');
      const kept = answers.filter((answer) => typeof answer === 'object');
      return {
        ...restored(lease, kept.toSorted(isLater)[0]),
        heldAt: holders.flatMap((node) => node?.nodeId ?? []),
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
    if (error.kind === 'unavailable' && error.code !== 'capacity') return 'no answer';
    // Not the cause: it may quote what was kept.
    if (error.kind === 'internal')
      log.error({ visit, node }, 'what a node held of a visit can not be read');
    return 'nothing';
  }
}

const isLater = (one: Kept, other: Kept): number =>
  other.epoch - one.epoch || lastOf(other) - lastOf(one);
const lastOf = ({ batches }: Kept): number => batches.at(-1)?.number ?? 0;
