import type { ControlEventPayload, NodeId } from '@bedside/protocol';

/** A node that a gateway is linked to. */
export interface LinkedNode {
  nodeId: NodeId;
  /** New at every start of the node's process. */
  bootId: string;
  region: string;
  state: ControlEventPayload<'welcome'>['state'];
  load: ControlEventPayload<'welcome'>['load'];
}

/** Share of a core above which the least busy worker of a node takes no new visit. */
const SOFT_CPU_LIMIT = 0.85;

export type Placement =
  | { ok: true; node: LinkedNode }
  | { ok: false; code: 'capacity' | 'media-unavailable' };

/**
 * The node for a new visit: the less busy of two that chance picks among those ready and with
 * headroom, so that gateways with the same figures don't all choose the same node.
 * @param random two numbers in [0, 1)
 */
export function place(nodes: readonly LinkedNode[], random: readonly [number, number]): Placement {
  if (nodes.length === 0) return { ok: false, code: 'media-unavailable' };
  const ready = nodes.filter((node) => node.state === 'ready' && busyness(node) < SOFT_CPU_LIMIT);
  const first = ready[Math.floor(random[0] * ready.length)];
  if (!first) return { ok: false, code: 'capacity' };
  const others = ready.filter((node) => node !== first);
  const second = others[Math.floor(random[1] * others.length)];
  return { ok: true, node: second && busyness(second) < busyness(first) ? second : first };
}

/** CPU share of the least busy worker: a visit lives on one. A node that has not said yet counts as idle. */
function busyness(node: LinkedNode): number {
  return node.load.workers.length === 0
    ? 0
    : Math.min(...node.load.workers.map((worker) => worker.cpu));
}
