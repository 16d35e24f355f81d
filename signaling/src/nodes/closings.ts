import { type ControlRequest, type NodeId, toBedsideError, type VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Media } from '../visit/state.ts';
import type { NodeClient } from './client.ts';

/** A node that does not answer is told again after these delays, with jitter. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** After this long without its gateway a node has closed the visit by itself (BEDSIDE_ORPHAN_MS), and then some. */
const GIVE_UP_MS = 60 * 60 * 1000;

interface Closing {
  media: Media;
  request: ControlRequest<'close-visit'>;
  since: number;
  attempt: number;
  cancel: () => void;
}

/**
 * Visits that are over here and may still be open at a node: nobody else would ever close them there, and
 * whoever keeps their page open would go on hearing. Told again until the node has answered.
 */
export class Closings {
  readonly #nodes: Pick<NodeClient, 'linked' | 'call'>;
  readonly #clock: Clock;
  /** By node, its boot and visit: a visit may be left behind at several. */
  readonly #closings = new Map<string, Closing>();

  constructor(nodes: Pick<NodeClient, 'linked' | 'call'>, clock: Clock) {
    this.#nodes = nodes;
    this.#clock = clock;
  }

  get size(): number {
    return this.#closings.size;
  }

  close(media: Media, request: ControlRequest<'close-visit'>): void {
    this.keep(media, request.visit);
    const closing = { media, request, since: this.#clock.now(), attempt: 0, cancel: () => {} };
    this.#closings.set(nameOf(media, request.visit), closing);
    void this.#tell(closing);
  }

  /** The visit is opened anew there: what is there is asked for then, and not closed any more. */
  keep(media: Media, visit: VisitKey): void {
    const name = nameOf(media, visit);
    this.#closings.get(name)?.cancel();
    this.#closings.delete(name);
  }

  /** The link with the node is up: no need to wait for the next try. */
  linked(node: NodeId): void {
    for (const closing of [...this.#closings.values()]) {
      if (closing.media.node !== node) continue;
      closing.cancel();
      void this.#tell(closing);
    }
  }

  stop(): void {
    for (const { media, request } of [...this.#closings.values()]) this.keep(media, request.visit);
  }

  async #tell(closing: Closing): Promise<void> {
    if (!this.#isOpen(closing)) return;
    const { media } = closing;
    const node = this.#nodes.linked().find(({ nodeId }) => nodeId === media.node);
    // Another boot has nothing of before.
    const isDone = node !== undefined && node.bootId !== media.bootId;
    if (isDone || (node && (await this.#told(closing)))) this.#forget(closing);
    else if (this.#isOpen(closing)) this.#again(closing);
  }

  async #told({ media, request }: Closing): Promise<boolean> {
    try {
      await this.#nodes.call(media.node, 'close-visit', request);
      return true;
    } catch (thrown) {
      // Any other refusal is an answer: the visit is not there, or somebody else's.
      const { kind } = toBedsideError(thrown);
      return kind !== 'unavailable' && kind !== 'internal';
    }
  }

  #again(closing: Closing): void {
    if (this.#clock.now() - closing.since > GIVE_UP_MS) {
      this.#forget(closing);
      return;
    }
    const delay = Math.min(RETRY_MIN_MS * 2 ** closing.attempt++, RETRY_MAX_MS);
    closing.cancel = this.#clock.after(
      delay * (0.5 + Math.random() / 2),
      () => void this.#tell(closing),
    );
  }

  #forget(closing: Closing): void {
    const { media, request } = closing;
    if (this.#isOpen(closing)) this.#closings.delete(nameOf(media, request.visit));
  }

  #isOpen(closing: Closing): boolean {
    const { media, request } = closing;
    return this.#closings.get(nameOf(media, request.visit)) === closing;
  }
}

const nameOf = ({ node, bootId }: Media, visit: VisitKey): string => `${node} ${bootId} ${visit}`;
