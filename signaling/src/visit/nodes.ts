import type { NodeId, PeerId, ProducerId } from '@bedside/protocol';
import { without } from './decision.ts';
import { withoutEndpoint } from './endpoint.ts';
import type { Endpoint, Media, Visit } from './state.ts';

/**
 * Where the media of a visit is. Most visits are at one node, their home. One that is too large for it
 * spreads: endpoints that found no room at home say where they are.
 */

/** Whether it is the same node, in the same boot. */
export const isSame = (one: Media, other: Media): boolean =>
  one.node === other.node && one.bootId === other.bootId;

/** Every node that has something of the visit, its home first. */
export function nodesOf({ media: home, participants }: Visit): readonly Media[] {
  if (!home) return [];
  const nodes = [home];
  for (const { endpoint } of participants)
    if (endpoint?.at && !nodes.some((each) => isSame(each, endpoint.at as Media)))
      nodes.push(endpoint.at);
  return nodes;
}

/** Whether the node has something of the visit. */
export const isAt = (visit: Visit, node: NodeId): boolean =>
  visit.media?.node === node ||
  visit.participants.some(({ endpoint }) => endpoint?.at?.node === node);

/** Where a peer of the visit is. */
export function nodeOfPeer(visit: Visit, peer: PeerId): Media | undefined {
  const of = visit.participants.find(({ endpoint }) => endpoint?.peer === peer);
  return of && (of.endpoint?.at ?? visit.media);
}

/** Where a producer of the visit is sent to. */
export function nodeOfProducer(visit: Visit, producer: ProducerId): Media | undefined {
  const of = visit.participants.find(({ endpoint }) =>
    endpoint?.producers.some(({ id }) => id === producer),
  );
  return of && (of.endpoint?.at ?? visit.media);
}

/** An endpoint of this visit, with where it is where that is not at home. */
export const endpointAt = (visit: Visit, endpoint: Endpoint, media: Media): Endpoint =>
  visit.media && !isSame(visit.media, media) ? { ...endpoint, at: media } : endpoint;

/** A visit with nobody at home any more is at home where the most of it is. */
export function settleHome(visit: Visit): Visit {
  const { media: home } = visit;
  const endpoints = visit.participants.flatMap(({ endpoint }) => (endpoint ? [endpoint] : []));
  if (!home || endpoints.length === 0 || endpoints.some(({ at }) => !at)) return visit;
  return movedHome(visit, endpoints);
}

/** The visit without what it had at a node; without media where that was all. */
export function withoutNode(visit: Visit, node: NodeId): Visit {
  const { media: home } = visit;
  if (!home) return visit;
  const participants = visit.participants.map((each) =>
    each.endpoint && (each.endpoint.at ?? home).node === node ? withoutEndpoint(each) : each,
  );
  const left = { ...visit, participants };
  if (home.node !== node) return left;
  const endpoints = participants.flatMap(({ endpoint }) => (endpoint ? [endpoint] : []));
  return endpoints.length === 0 ? without(left, 'media') : movedHome(left, endpoints);
}

/** What is at a node before and not after is closed there. */
export function nodesLeft(before: Visit, after: Visit): readonly Media[] {
  const kept = nodesOf(after);
  return nodesOf(before).filter((was) => !kept.some((is) => isSame(was, is)));
}

/** @param endpoints all there are: none at home, and at least one */
function movedHome(visit: Visit, endpoints: readonly Endpoint[]): Visit {
  const counts = new Map<string, { media: Media; count: number }>();
  for (const { at } of endpoints) {
    if (!at) continue;
    const known = counts.get(at.node) ?? { media: at, count: 0 };
    counts.set(at.node, { ...known, count: known.count + 1 });
  }
  const [home] = [...counts.values()].toSorted((one, other) => other.count - one.count);
  if (!home) return visit;
  const participants = visit.participants.map((each) =>
    each.endpoint?.at && isSame(each.endpoint.at, home.media)
      ? { ...each, endpoint: without(each.endpoint, 'at') }
      : each,
  );
  return { ...visit, media: home.media, participants };
}
