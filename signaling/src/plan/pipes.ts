import type { NodeId, ProducerId } from '@bedside/protocol';
import { nodesOf } from '../visit/nodes.ts';
import type { Media, Visit } from '../visit/state.ts';
import type { MediaPlan, PlannedFlow } from './plan.ts';

/** What one node of a spread visit is to send to another. */
export interface PlannedPipe {
  readonly from: Media;
  readonly to: Media;
  /** Of peers at `from`, for listeners at `to`. */
  readonly producers: ReadonlySet<ProducerId>;
}

/**
 * The pipes between the nodes of a visit that its plan takes: a producer goes from its own node, once and
 * directly, to every other one at which somebody is to receive it. None for a visit at one node.
 */
export function pipesOf(visit: Visit, plan: MediaPlan): readonly PlannedPipe[] {
  const { media: home } = visit;
  if (!home || nodesOf(visit).length === 1) return [];
  const origins = new Map<ProducerId, Media>();
  for (const { endpoint } of visit.participants)
    for (const { id } of endpoint?.producers ?? []) origins.set(id, endpoint?.at ?? home);
  const pipes = new Map<string, PlannedPipe & { producers: Set<ProducerId> }>();
  // Many listeners share one part of the plan: what it takes to a node is looked at once.
  const brought = new Map<readonly PlannedFlow[], Set<NodeId>>();
  for (const { id, endpoint } of visit.participants) {
    if (!endpoint) continue;
    const to = endpoint.at ?? home;
    const flows = plan.get(id) ?? [];
    const nodes = brought.get(flows) ?? new Set();
    if (nodes.has(to.node)) continue;
    brought.set(flows, nodes.add(to.node));
    for (const { producerId } of flows) {
      const from = origins.get(producerId);
      if (!from || from.node === to.node) continue;
      const name = pipeName(from.node, to.node);
      const pipe = pipes.get(name) ?? { from, to, producers: new Set() };
      pipes.set(name, pipe);
      pipe.producers.add(producerId);
    }
  }
  return [...pipes.values()];
}

export const pipeName = (from: NodeId, to: NodeId): string => `${from} ${to}`;
