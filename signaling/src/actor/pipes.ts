import { randomUUID } from 'node:crypto';
import {
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type PipeId,
  type ProducerId,
  toBedsideError,
  type VisitKey,
} from '@bedside/protocol';
import { type PlannedPipe, pipeName } from '../plan/pipes.ts';
import { isSame } from '../visit/nodes.ts';
import type { Media } from '../visit/state.ts';

/** A second silent pipe between two nodes within this time: they do not reach each other. */
const SILENT_AGAIN_MS = 60_000;

interface Pipe {
  readonly id: PipeId;
  readonly from: Media;
  readonly to: Media;
  /** What both ends were told to carry; undefined while they may carry something else, or know nothing of each other. */
  carries: ReadonlySet<ProducerId> | undefined;
}

export interface PipesHost {
  readonly scope: { visit: VisitKey; epoch: number };
  /** @throws BedsideError */
  callAt<Name extends ControlCommandName>(
    media: Media,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>>;
  /** The node is linked, in that boot. */
  isUp(media: Media): boolean;
}

/** What a node says of its pipes. */
export type DescribedPipes = Pick<ControlResponse<'describe-visit'>, 'sends' | 'receives'>;

/**
 * The pipes between the nodes of one visit. Each is one-way and keeps its name for as long as both of its
 * ends live: a pipe that one end does not know any more is closed at the other, and a new one opened.
 */
export class VisitPipes {
  readonly #host: PipesHost;
  readonly #pipes = new Map<string, Pipe>();
  /** When pipes between two nodes were silent last. */
  readonly #silentAt = new Map<string, number>();

  constructor(host: PipesHost) {
    this.#host = host;
  }

  /**
   * Makes the pipes these. What one can't be brought to does not keep the others from it.
   * @throws BedsideError of the first that could not be
   */
  async sync(wanted: readonly PlannedPipe[]): Promise<void> {
    if (this.#pipes.size === 0 && wanted.length === 0) return;
    const outcomes = await Promise.allSettled(wanted.map((pipe) => this.#carry(pipe)));
    const names = new Set(wanted.map(({ from, to }) => pipeName(from.node, to.node)));
    for (const [name, pipe] of this.#pipes) if (!names.has(name)) this.#close(name, pipe);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Takes over what the nodes have: pipes that both ends know are kept, what is left of others is closed. */
  adopt(described: ReadonlyMap<Media, DescribedPipes>): void {
    const senders = endsOf(described, 'sends');
    const receivers = endsOf(described, 'receives');
    this.#pipes.clear();
    for (const [id, from] of senders) {
      const to = receivers.get(id);
      const name = to && pipeName(from.node, to.node);
      if (!name || this.#pipes.has(name)) continue;
      // Both are asked again: that they have the pipe does not say that they know of each other.
      this.#pipes.set(name, { id, from, to, carries: undefined });
    }
    const kept = new Set([...this.#pipes.values()].map(({ id }) => id));
    for (const ends of [senders, receivers])
      for (const [id, at] of ends) if (!kept.has(id)) this.#closeAt(at, id);
  }

  /**
   * What is sent through the pipe does not arrive. It is closed; the next `sync` opens another one.
   * @returns its ends, where one before it was silent, too; nothing where there is no such pipe
   */
  silent(id: PipeId, now: number): { from: Media; to: Media; again: boolean } | undefined {
    for (const [name, pipe] of this.#pipes) {
      if (pipe.id !== id) continue;
      const { from, to } = pipe;
      this.#close(name, pipe);
      const pair = [from.node, to.node].toSorted().join(' ');
      const before = this.#silentAt.get(pair) ?? Number.NEGATIVE_INFINITY;
      this.#silentAt.set(pair, now);
      return { from, to, again: now - before < SILENT_AGAIN_MS };
    }
    return undefined;
  }

  /** The visit is closed at that node, and the pipes with it. */
  drop(at: Media): void {
    for (const [name, pipe] of this.#pipes)
      if (isSame(pipe.from, at) || isSame(pipe.to, at)) this.#close(name, pipe);
  }

  /** Nothing is at any node any more. */
  forget(): void {
    this.#pipes.clear();
  }

  async #carry({ from, to, producers }: PlannedPipe): Promise<void> {
    const name = pipeName(from.node, to.node);
    let pipe = this.#pipes.get(name);
    if (pipe && !(isSame(pipe.from, from) && isSame(pipe.to, to))) {
      this.#close(name, pipe);
      pipe = undefined;
    }
    if (pipe?.carries && isEqual(pipe.carries, producers)) return;
    pipe ??= { id: randomUUID() as PipeId, from, to, carries: undefined };
    this.#pipes.set(name, pipe);
    const isConnected = pipe.carries !== undefined;
    pipe.carries = undefined;
    const named = { ...this.#host.scope, pipe: pipe.id };
    try {
      const sent = await this.#host.callAt(from, 'send-pipe', {
        ...named,
        producers: [...producers],
      });
      const { end } = await this.#host.callAt(to, 'receive-pipe', {
        ...named,
        end: sent.end,
        // What is muted sends nothing through the pipe: its copy need not be told, and is never the one
        // that stays silent because it was not.
        producers: sent.producers.map((producer) => ({ ...producer, paused: false })),
      });
      if (!isConnected) await this.#host.callAt(from, 'connect-pipe', { ...named, end });
      pipe.carries = producers;
    } catch (thrown) {
      // Silence says nothing of the pipe, and a repeat does no harm. A refusal does: one end has lost it.
      const { kind } = toBedsideError(thrown);
      if (kind !== 'unavailable' && this.#pipes.get(name) === pipe) this.#close(name, pipe);
      throw thrown;
    }
  }

  #close(name: string, { id, from, to }: Pipe): void {
    this.#pipes.delete(name);
    for (const at of [from, to]) this.#closeAt(at, id);
  }

  /** What fails is found when the node is described. */
  #closeAt(at: Media, pipe: PipeId): void {
    if (!this.#host.isUp(at)) return;
    this.#host.callAt(at, 'close-pipe', { ...this.#host.scope, pipe }).catch(() => {});
  }
}

function endsOf(
  described: ReadonlyMap<Media, DescribedPipes>,
  ends: keyof DescribedPipes,
): Map<PipeId, Media> {
  return new Map(
    [...described].flatMap(([media, pipes]) =>
      (pipes[ends] ?? []).map(({ pipe }) => [pipe, media] as const),
    ),
  );
}

function isEqual(one: ReadonlySet<ProducerId>, other: ReadonlySet<ProducerId>): boolean {
  return one.size === other.size && [...one].every((id) => other.has(id));
}
