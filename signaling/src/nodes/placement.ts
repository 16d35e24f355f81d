import type { ControlEventPayload, NodeId } from '@bedside/protocol';
import { cpuOfAVisit } from '@bedside/service';

/** A node that a gateway is linked to. */
export interface LinkedNode {
  nodeId: NodeId;
  /** New at every start of the node's process. */
  bootId: string;
  region: string;
  state: ControlEventPayload<'welcome'>['state'];
  load: ControlEventPayload<'welcome'>['load'];
  /** Whether it can share a visit with others. */
  pipes: boolean;
  /** Visits that this gateway placed there since that load was measured. */
  pending: number;
}

/** Share of a worker, by CPU or by consumers, above which it takes no new visit: the rest is for who joins visits that are there. */
const SOFT_LIMIT = 0.85;
/** Share of a worker up to which a cluster is filled on purpose: a node that dies leaves its visits to the others. */
const TARGET = 0.6;
export type Placement =
  | { ok: true; node: LinkedNode }
  | { ok: false; code: 'capacity' | 'media-unavailable' };

/** Draws for two nodes that take visits; where so many find none, all are looked at. */
const DRAWS = 16;

/**
 * The node for a new visit: the less busy of two that chance picks among those of the region that are
 * ready and have headroom, so that gateways with the same figures don't all choose the same node.
 * @param random gives numbers in [0, 1)
 */
export function place(
  nodes: readonly LinkedNode[],
  region: string,
  random: () => number,
): Placement {
  const takes = (node: LinkedNode) =>
    node.region === region && node.state === 'ready' && burden(node) < SOFT_LIMIT;
  let chosen = draw(nodes, takes, random);
  chosen ??= draw(nodes.filter(takes), () => true, random);
  if (chosen) return { ok: true, node: chosen };
  const isThere = nodes.some((node) => node.region === region);
  return { ok: false, code: isThere ? 'capacity' : 'media-unavailable' };
}

/** Usually without a look at most of them. */
function draw(
  nodes: readonly LinkedNode[],
  takes: (node: LinkedNode) => boolean,
  random: () => number,
): LinkedNode | undefined {
  let chosen: LinkedNode | undefined;
  for (let i = 0; i < DRAWS; i++) {
    const node = nodes[Math.floor(random() * nodes.length)];
    if (!node || node === chosen || !takes(node)) continue;
    if (chosen) return burden(node) < burden(chosen) ? node : chosen;
    chosen = node;
  }
  return chosen;
}

/**
 * How full the least busy worker is, 0 to 1 and beyond, with what was placed there and is not measured
 * yet: a visit begins on one worker. A node that has not said yet counts as idle.
 */
export function burden({ load: { workers, limits }, pending }: LinkedNode): number {
  if (workers.length === 0) return 0;
  const least = Math.min(
    ...workers.map(({ cpu, consumers }) =>
      limits ? Math.max(cpu, consumers / limits.consumersPerWorker) : cpu,
    ),
  );
  const visits = sum(workers.map(({ routers }) => routers));
  const cpu = sum(workers.map((worker) => worker.cpu));
  return least + (pending * cpuOfAVisit(cpu, visits)) / workers.length;
}

/**
 * How many nodes of the size of these the region's load needs, with room for the loss of one: what an
 * autoscaler is told. At least one.
 */
export function desiredNodes(nodes: readonly LinkedNode[], region: string): number {
  const near = nodes.filter((node) => node.region === region && node.load.workers.length > 0);
  const workers = sum(near.map(({ load }) => load.workers.length));
  if (workers === 0) return 1;
  const busy = sum(near.flatMap(({ load }) => load.workers.map(({ cpu }) => cpu)));
  const perNode = workers / near.length;
  return Math.max(1, Math.ceil(busy / TARGET / perNode) + (near.length > 1 ? 1 : 0));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
