import { randomUUID } from 'node:crypto';
import {
  type BedsideError,
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

/**
 * A pipe between two nodes that is silent within this time after another one was: they do not reach each other.
 * Not within the first of it: where they don't, those in both directions are silent at the same time.
 */
const SILENT_AGAIN_MS = { from: 6_000, until: 60_000 };

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
  /** What the node has is known. */
  isSure(media: Media): boolean;
}

/** What a node says of its pipes. */
export type DescribedPipes = Pick<ControlResponse<'describe-visit'>, 'sends' | 'receives'>;

/** A pipe that could not be made what it is to be. */
export interface PipeFailure {
  readonly from: Media;
  readonly to: Media;
  readonly error: BedsideError;
}

/** The nodes that say they have an end of a pipe. */
interface Ends {
  from?: Media | undefined;
  to?: Media | undefined;
}

/**
 * The pipes between the nodes of one visit. Each is one-way and keeps its name for as long as both of its
 * ends live: a pipe that one end does not know any more is closed at the other, and a new one opened.
 */
export class VisitPipes {
  readonly #host: PipesHost;
  readonly #pipes = new Map<string, Pipe>();
  /** What one end was found at, of pipes whose other end may be where nobody could be asked. */
  readonly #loose = new Map<PipeId, Ends>();
  #changes = 0;
  /** When pipes between two nodes were silent last. */
  readonly #silentAt = new Map<string, number>();

  constructor(host: PipesHost) {
    this.#host = host;
  }

  /** How often a pipe was made to carry something else so far. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Makes the pipes these, but for those to or from a node that may have something else than is known. What one
   * can't be brought to does not keep the others from it.
   */
  async sync(wanted: readonly PlannedPipe[]): Promise<PipeFailure[]> {
    const failures: PipeFailure[] = [];
    const sure = wanted.filter(({ from, to }) => [from, to].every(this.#host.isSure));
    await Promise.all(
      sure.map((pipe) =>
        this.#carry(pipe).catch((thrown: unknown) => {
          failures.push({ from: pipe.from, to: pipe.to, error: toBedsideError(thrown) });
        }),
      ),
    );
    const names = new Set(wanted.map(({ from, to }) => pipeName(from.node, to.node)));
    for (const [name, pipe] of this.#pipes) if (!names.has(name)) this.#close(name, pipe);
    return failures;
  }

  /**
   * Takes over what these nodes have. A pipe that both ends know is kept, one that only one knows is closed; what
   * the other end is at, that has not been asked, stays until it is.
   * @param isComplete all nodes of the visit have been asked by now
   */
  adopt(described: readonly (DescribedPipes & { media: Media })[], isComplete: boolean): void {
    const isAsked = (at: Media) => described.some(({ media }) => isSame(media, at));
    const known = new Map([...this.#pipes.values()].map((pipe) => [pipe.id, pipe]));
    const all = new Map<PipeId, Ends>();
    for (const [id, { from, to }] of [...known, ...this.#loose])
      all.set(id, {
        from: from && !isAsked(from) ? from : undefined,
        to: to && !isAsked(to) ? to : undefined,
      });
    for (const { media, sends = [], receives = [] } of described) {
      for (const { pipe } of sends) all.set(pipe, { ...all.get(pipe), from: media });
      for (const { pipe } of receives) all.set(pipe, { ...all.get(pipe), to: media });
    }
    this.#pipes.clear();
    this.#loose.clear();
    for (const [id, { from, to }] of all) {
      const name = from && to && pipeName(from.node, to.node);
      if (name && !this.#pipes.has(name)) {
        // That both have it does not say that they know of each other: who was asked is told again.
        const isAsItWas = !isAsked(from) && !isAsked(to);
        this.#pipes.set(name, {
          id,
          from,
          to,
          carries: isAsItWas ? known.get(id)?.carries : undefined,
        });
      } else if (!name && (from || to) && !isComplete) this.#loose.set(id, { from, to });
      else for (const at of [from, to]) if (at) this.#closeAt(at, id);
    }
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
      const since = now - before;
      const again = since >= SILENT_AGAIN_MS.from && since < SILENT_AGAIN_MS.until;
      return { from, to, again };
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
    this.#loose.clear();
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
      // What was not there to be sent is asked for again.
      pipe.carries = new Set(sent.producers.map(({ producerId }) => producerId));
      this.#changes += 1;
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

function isEqual(one: ReadonlySet<ProducerId>, other: ReadonlySet<ProducerId>): boolean {
  return one.size === other.size && [...one].every((id) => other.has(id));
}
