import { BedsideError, LIMITS, type NodeId } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { NodeClient } from '../nodes/client.ts';
import { place } from '../nodes/placement.ts';
import type { Media } from '../visit/state.ts';

/** Nodes beside those of the visit that are asked to take somebody. */
const PLACES_TRIED = 3;
/** A node that was too full for one more is not asked again for as long. */
const FULL_MS = 5_000;

/** Where an endpoint may go. */
export interface PlaceForOne {
  readonly media: Media;
  /** Nobody else takes it. */
  readonly lastResort: boolean;
}

/** Where the visit, and each who joins it, may go. */
export class Places {
  readonly #nodes: NodeClient;
  readonly #clock: Clock;
  /** Nodes that are not asked, and until when. */
  readonly #avoided = new Map<NodeId, number>();

  constructor(nodes: NodeClient, clock: Clock) {
    this.#nodes = nodes;
    this.#clock = clock;
  }

  /** The node is not asked for so many milliseconds, as long as there are others. */
  avoid(node: NodeId, ms: number): void {
    this.#avoided.set(node, this.#clock.now() + ms);
  }

  /** Whether a node takes a visit that is new to it. */
  get isThereAny(): boolean {
    return place(this.#nodes.linked(), this.#nodes.region, Math.random).ok;
  }

  /**
   * Where one more endpoint may go, one place after the other as long as each is refused: nodes that the visit
   * is at, others, and in the end those again that have their share of it, for whatever room is left.
   * @param nodes those that the visit is at, its home first
   * @param closed others that are none: where the visit is about to go, it takes itself
   * @param unreachable the one that the page does not reach: the last of all
   * @throws BedsideError `capacity`, `media-unavailable` where there is none at all
   */
  *forOne(
    nodes: readonly Media[],
    closed: readonly NodeId[],
    unreachable?: NodeId,
  ): Generator<PlaceForOne, void, void> {
    for (const media of nodes) {
      if (media.node === unreachable || this.#isAvoided(media.node)) continue;
      yield { media, lastResort: false };
      this.avoid(media.node, FULL_MS);
    }
    const refused = nodes.length === 0 ? [] : this.#unfitBeside(nodes, closed);
    for (let tried = 0; refused && tried < PLACES_TRIED; tried++) {
      let media: Media;
      try {
        media = this.beside(refused);
      } catch (thrown) {
        if (refused.length === 0) throw thrown;
        break;
      }
      yield { media, lastResort: false };
      refused.push(media.node);
    }
    const isLast = ({ node }: Media) => Number(node === unreachable);
    for (const media of nodes.toSorted((one, other) => isLast(one) - isLast(other)))
      yield { media, lastResort: true };
  }

  /** Where a visit goes that is nowhere else, or leaves these nodes. @throws BedsideError `capacity`, `media-unavailable` */
  beside(others: readonly NodeId[]): Media {
    const linked = this.#nodes.linked();
    const open = linked.filter(({ nodeId }) => !others.includes(nodeId));
    const placement = place(open, this.#nodes.region, Math.random);
    if (!placement.ok)
      throw new BedsideError(others.length > 0 ? 'capacity' : placement.code, {
        retryAfterMs: 1_000,
      });
    const { node } = placement;
    node.pending += 1;
    return { node: node.nodeId, bootId: node.bootId };
  }

  /** Nodes that can not share the visit with these; undefined where these share it with nobody. */
  #unfitBeside(nodes: readonly Media[], closed: readonly NodeId[]): NodeId[] | undefined {
    if (nodes.length >= LIMITS.nodesPerVisit) return undefined;
    const own = nodes.map(({ node }) => node);
    const linked = this.#nodes.linked();
    const unshared = linked.filter(({ pipes }) => !pipes).map(({ nodeId }) => nodeId);
    if (own.some((node) => unshared.includes(node))) return undefined;
    const avoided = [...this.#avoided.keys()].filter((node) => this.#isAvoided(node));
    return [...own, ...closed, ...unshared, ...avoided];
  }

  #isAvoided(node: NodeId): boolean {
    return (this.#avoided.get(node) ?? 0) > this.#clock.now();
  }
}
