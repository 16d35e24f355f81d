import {
  BedsideError,
  type ControlRequest,
  type ControlResponse,
  LIMITS,
  type PipedProducer,
  type PipeEnd,
  type PipeId,
  type ProducerId,
} from '@bedside/protocol';
import type { PipeSettings } from '../config.ts';
import type { MediaWorker } from '../workers/media-worker.ts';
import type { Branch } from './branch.ts';
import { ReceivingPipe, SendingPipe } from './pipe.ts';
import type { Source, Sources } from './sources.ts';

export interface NodePipesOptions {
  settings: PipeSettings;
  deadlineMs: number;
  sources: Sources;
  /** Consumers that a worker still has room for. */
  room: (worker: MediaWorker) => number;
  /** What came by a pipe is there for the visit; throws where it has closed. */
  onSource: (id: ProducerId, source: Source) => void;
  /** What is sent through it stays without an answer. */
  onSilent: (pipe: PipeId) => void;
}

type Args<Name extends 'send-pipe' | 'receive-pipe'> = Omit<
  ControlRequest<Name>,
  'visit' | 'epoch'
>;

type Listed = NonNullable<ControlResponse<'describe-visit'>['sends']>;

/** A node has one end of each pipe; while they are replaced there are twice as many. */
const PIPES_OF_A_KIND = LIMITS.nodesPerVisit * 2;

/** A visit's pipes to and from other nodes, all at its home. Owned by the visit, which calls one method at a time. */
export class NodePipes {
  readonly #options: NodePipesOptions;
  readonly #sending = new Map<PipeId, SendingPipe>();
  readonly #receiving = new Map<PipeId, ReceivingPipe>();

  constructor(options: NodePipesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sending.size + this.#receiving.size;
  }

  get sends(): Listed {
    return listed(this.#sending);
  }

  get receives(): Listed {
    return listed(this.#receiving);
  }

  /** Whether it goes to another node. */
  carries(id: ProducerId): boolean {
    return [...this.#sending.values()].some((pipe) => pipe.carries(id));
  }

  /** @throws BedsideError `invalid-request`, `capacity`, `media-unavailable` */
  async send(
    { pipe, producers }: Args<'send-pipe'>,
    home: Branch,
  ): Promise<ControlResponse<'send-pipe'>> {
    if (this.#receiving.has(pipe)) throw new BedsideError('invalid-request', { field: 'pipe' });
    const { onSilent, room, sources } = this.#options;
    const outgoing = new Map<ProducerId, Source>();
    for (const id of producers) {
      const source = sources.get(id);
      if (source) outgoing.set(id, source);
    }
    let sending = this.#sending.get(pipe);
    const added = outgoing.size - (sending?.producerIds.length ?? 0);
    // What is there, or less, takes no room: the worker may be over full by then.
    if (added > 0 && added > room(home.worker)) throw new BedsideError('capacity');
    if (!sending) {
      if (this.#sending.size >= PIPES_OF_A_KIND) throw new BedsideError('capacity');
      sending = await SendingPipe.open(this.#pipeOptions(home), () => onSilent(pipe));
      this.#sending.set(pipe, sending);
    }
    const failed = await sources.bring(outgoing.keys(), home);
    if (failed.size > 0) throw new BedsideError('media-unavailable');
    return { end: sending.end, producers: await sending.carry(outgoing) };
  }

  /** @throws BedsideError `invalid-request`, `conflict`, `forbidden`, `capacity`, `media-unavailable` */
  async receive(
    { pipe, end, producers }: Args<'receive-pipe'>,
    home: Branch,
  ): Promise<ControlResponse<'receive-pipe'>> {
    if (this.#sending.has(pipe)) throw new BedsideError('invalid-request', { field: 'pipe' });
    let receiving = this.#receiving.get(pipe);
    for (const { producerId } of producers) {
      const present = this.#options.sources.get(producerId);
      if (present && present.from !== receiving) {
        throw new BedsideError('invalid-request', { field: 'producers' });
      }
    }
    if (receiving) await receiving.connect(end);
    else {
      if (this.#receiving.size >= PIPES_OF_A_KIND) throw new BedsideError('capacity');
      receiving = await ReceivingPipe.open(end, this.#pipeOptions(home));
      this.#receiving.set(pipe, receiving);
    }
    receiving.retain(producers);
    const from = receiving;
    const wanted = new Map(producers.map((piped) => [piped.producerId, piped]));
    const outcomes = await Promise.allSettled(
      [...wanted.values()].map((piped) => this.#take(piped, from, home)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return { end: receiving.end };
  }

  /** @throws BedsideError `not-found`, `conflict`, `forbidden`, `invalid-request`, `media-unavailable` */
  async connect(pipe: PipeId, end: PipeEnd): Promise<void> {
    const sending = this.#sending.get(pipe);
    if (!sending) throw new BedsideError('not-found', { field: 'pipe' });
    await sending.connect(end);
  }

  close(pipe: PipeId): void {
    this.#sending.get(pipe)?.close();
    this.#sending.delete(pipe);
    this.#receiving.get(pipe)?.close();
    this.#receiving.delete(pipe);
  }

  /** The home is closed, or about to be. @returns those that were there */
  leave(): PipeId[] {
    const pipes = [...this.#sending.keys(), ...this.#receiving.keys()];
    for (const pipe of pipes) this.close(pipe);
    return pipes;
  }

  async #take(piped: PipedProducer, from: ReceivingPipe, branch: Branch): Promise<void> {
    const { producerId, paused, observed } = piped;
    const { sources, onSource } = this.#options;
    if (sources.get(producerId)) {
      if (!sources.isPaused(producerId, paused)) await sources.setPaused(producerId, paused);
      return;
    }
    const producer = await from.produce(piped);
    onSource(producerId, { producer, branch, from, observed });
  }

  #pipeOptions({ router }: Branch) {
    const { settings, deadlineMs } = this.#options;
    return { router, settings, deadlineMs };
  }
}

const listed = (pipes: ReadonlyMap<PipeId, SendingPipe | ReceivingPipe>): Listed =>
  [...pipes].map(([pipe, { producerIds }]) => ({ pipe, producers: producerIds }));
