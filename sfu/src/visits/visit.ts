import {
  BedsideError,
  type ConsumerId,
  type ControlCommandName,
  type ControlEventPayload,
  type ControlRequest,
  type ControlResponse,
  type Flow,
  type IceParameters,
  LIMITS,
  type PeerId,
  type PeerPlanResult,
  type PipeId,
  type ProducerId,
  TransportId,
  type VisitKey,
} from '@bedside/protocol';
import type { types } from 'mediasoup';
import type { PipeSettings } from '../config.ts';
import type { CapabilitySets } from '../media/capabilities.ts';
import type { MediaWorker } from '../workers/media-worker.ts';
import { Branch } from './branch.ts';
import { SpeakerDetection } from './detection.ts';
import { NodePipes } from './node-pipes.ts';
import { Peer } from './peer.ts';
import { ScoreBook } from './scores.ts';
import { type Source, Sources } from './sources.ts';

export interface VisitOptions {
  key: VisitKey;
  deadlineMs: number;
  capabilities: CapabilitySets;
  pipes: PipeSettings;
  /**
   * The worker for the next peer, which has so many consumers to begin with, where the visit is at these
   * already, with so many each; throws `capacity` and `media-unavailable`.
   */
  choose: (
    consumers: number,
    present: ReadonlyMap<MediaWorker, number>,
    isLastResort: boolean,
  ) => MediaWorker;
  /** Consumers that a worker still has room for. */
  room: (worker: MediaWorker) => number;
  /** Whether who commands the visit may have one more peer. */
  mayOpenPeer: () => boolean;
  /** By how many the peers grew or fell. */
  onPeers: (difference: number) => void;
  onTransportState: (payload: ControlEventPayload<'transport-state'>) => void;
  onSpeaker: (payload: ControlEventPayload<'speaker'>) => void;
  onPipeSilent: (payload: ControlEventPayload<'pipes-silent'>) => void;
}

/** A command's request without what only fencing needs. */
type Args<Name extends ControlCommandName> = Omit<ControlRequest<Name>, 'visit' | 'epoch'>;

/** A peer, and where it is. */
interface Member {
  readonly peer: Peer;
  readonly branch: Branch;
  /** By the order in which they came: a name that is never given again. */
  readonly number: number;
}

interface Planned {
  readonly member: Member;
  readonly flows: readonly Flow[];
}

/** Pipes that are open, and producers that came by them. */
export interface Piped {
  pipes: number;
  producers: number;
}

/** What a visit that goes on has lost. */
export type VisitLoss = Omit<ControlEventPayload<'peers-lost'>, 'visit'>;

/**
 * One visit, at one worker or spread over several. Knows nothing of gateways and epochs; its caller runs one
 * method at a time, but for `connectTransport` and `restartIce`. Closing goes down: visit, branches, peers,
 * transports. The first branch is the home: it has the pipes to other nodes, and hears who speaks.
 */
export class Visit {
  readonly key: VisitKey;
  readonly scores = new ScoreBook();
  readonly #options: VisitOptions;
  /** In the order in which they were opened. */
  readonly #branches: Branch[] = [];
  readonly #members = new Map<PeerId, Member>();
  /** Members there ever were. */
  #numbers = 0;
  readonly #sources: Sources;
  readonly #detection: SpeakerDetection;
  /** The branch that detection listens in. */
  #listening: Branch | undefined;
  readonly #nodePipes: NodePipes;
  #closed = false;

  private constructor(options: VisitOptions) {
    const { key, deadlineMs, onPipeSilent, onSpeaker, pipes, room } = options;
    this.key = key;
    this.#options = options;
    this.#sources = new Sources(deadlineMs);
    this.#detection = new SpeakerDetection(deadlineMs, (producerId) => {
      if (!this.closed) onSpeaker({ visit: key, producerId });
    });
    this.#nodePipes = new NodePipes({
      settings: pipes,
      deadlineMs,
      sources: this.#sources,
      room,
      onSource: (id, source) => this.#addSource(id, source),
      onSilent: (pipe) => onPipeSilent({ visit: key, pipes: [pipe] }),
    });
  }

  /**
   * @param consumers of the first peer to begin with
   * @throws BedsideError `capacity`, `media-unavailable`
   */
  static async open(options: VisitOptions, consumers: number): Promise<Visit> {
    const visit = new Visit(options);
    try {
      await visit.#branchFor(consumers, false);
      await visit.mend();
      return visit;
    } catch (error) {
      visit.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed || this.#branches.length === 0;
  }

  /** Nobody's media reaches it: there is nobody, or they are away, or elsewhere by now. */
  get isDeserted(): boolean {
    return ![...this.#members.values()].some(({ peer }) => peer.isConnected);
  }

  /** Peers that are open. */
  get size(): number {
    return this.#members.size;
  }

  /** Between workers, and to and from other nodes. */
  get piped(): { local: Piped; remote: Piped } {
    const received = this.#nodePipes.receives.map(({ producers }) => producers.length);
    return {
      local: { pipes: this.#sources.pipes, producers: this.#sources.copies },
      remote: {
        pipes: this.#nodePipes.size,
        producers: received.reduce((sum, count) => sum + count, 0),
      },
    };
  }

  /** @throws BedsideError `media-unsupported`, `invalid-request`, `capacity`, `media-unavailable` */
  async openPeer(request: Args<'open-peer'>): Promise<ControlResponse<'open-peer'>> {
    const present = this.#members.get(request.peer);
    const member = present ?? (await this.#addMember(request));
    try {
      const results = await this.#apply([{ member, flows: request.flows }]);
      const refused = results.flatMap((result) => result.refused);
      return { ...member.peer.offer(), refused };
    } catch (error) {
      if (!present) this.closePeer(request.peer);
      throw error;
    }
  }

  /** @throws BedsideError `not-found`, `invalid-request`, `media-unavailable` */
  async connectTransport(request: Args<'connect-transport'>): Promise<void> {
    await this.#member(request.peer).peer.connect(request.transportId, request.dtlsParameters);
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async restartIce(request: Args<'restart-ice'>): Promise<{ iceParameters: IceParameters }> {
    const iceParameters = await this.#member(request.peer).peer.restartIce(request.transportId);
    return { iceParameters };
  }

  /** @throws BedsideError `not-found`, `media-unsupported`, `invalid-request`, `media-unavailable` */
  async produce(request: Args<'produce'>): Promise<void> {
    const { peer, branch } = this.#member(request.peer);
    const { producerId, observed } = request;
    const present = this.#sources.get(producerId);
    if (present?.from === peer) return;
    if (present) throw new BedsideError('invalid-request', { field: 'producerId' });

    const producer = await peer.produce(request);
    producer.on('score', (scores) =>
      this.scores.producer(producerId, Math.max(0, ...scores.map(({ score }) => score))),
    );
    producer.observer.once('close', () => this.scores.forgetProducer(producerId));
    this.#addSource(producerId, { producer, branch, from: peer, observed });
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async pauseProducer({ producerId, paused }: Args<'pause-producer'>): Promise<void> {
    await this.#sources.setPaused(producerId, paused);
  }

  closeProducer(producerId: ProducerId): void {
    this.#sources.get(producerId)?.producer.close();
  }

  /** @throws BedsideError `not-found` where a listener is unknown (nothing is applied then), `media-unavailable` */
  async applyPlan({ listeners }: Args<'apply-plan'>): Promise<ControlResponse<'apply-plan'>> {
    const planned = listeners.map(({ peer, flows }) => ({ member: this.#member(peer), flows }));
    return { listeners: await this.#apply(planned) };
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async startConsumers(request: Args<'start-consumers'>): Promise<void> {
    await this.#member(request.peer).peer.start(request.consumerIds);
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async preferConsumers(request: Args<'prefer-consumers'>): Promise<void> {
    await this.#member(request.peer).peer.prefer(request.preferences);
  }

  closePeer(id: PeerId): void {
    const member = this.#members.get(id);
    if (!member) return;
    this.#members.delete(id);
    this.#options.onPeers(-1);
    member.peer.close();
    this.#tidy(member.branch);
  }

  /** @throws BedsideError `invalid-request`, `capacity`, `media-unavailable` */
  async sendPipe(request: Args<'send-pipe'>): Promise<ControlResponse<'send-pipe'>> {
    try {
      return await this.#nodePipes.send(request, this.#home);
    } finally {
      this.#tidy(this.#branches[0]);
    }
  }

  /** @throws BedsideError `invalid-request`, `conflict`, `forbidden`, `capacity`, `media-unavailable` */
  receivePipe(request: Args<'receive-pipe'>): Promise<ControlResponse<'receive-pipe'>> {
    return this.#nodePipes.receive(request, this.#home);
  }

  /** @throws BedsideError `not-found`, `conflict`, `forbidden`, `invalid-request`, `media-unavailable` */
  async connectPipe({ pipe, end }: Args<'connect-pipe'>): Promise<void> {
    await this.#nodePipes.connect(pipe, end);
  }

  closePipe(pipe: PipeId): void {
    this.#nodePipes.close(pipe);
    this.#tidy(this.#branches[0]);
  }

  /**
   * @param from a page begins there, and ends before the consumers are too many for one message; without it
   *   everything is in one answer
   */
  describe(from?: number): ControlResponse<'describe-visit'> {
    const peers: ControlResponse<'describe-visit'>['peers'] = [];
    let size = 0;
    let next: number | undefined;
    for (const { peer, number } of this.#members.values()) {
      if (from !== undefined && number < from) continue;
      const described = peer.describe();
      // A peer without consumers takes its room, too: an audience is many of them.
      size += 1 + described.consumers.length;
      if (from !== undefined && peers.length > 0 && size > LIMITS.consumersPerPage) {
        next = number;
        break;
      }
      peers.push(described);
    }
    const rest = next === undefined ? {} : { next };
    if (from !== undefined && from > 0) return { ...rest, peers };
    const { sends, receives } = this.#nodePipes;
    return { ...rest, sends, receives, peers };
  }

  /**
   * The worker is gone, and with it all that the visit had there.
   * @returns what that was; undefined where the visit was not there
   */
  lose(worker: MediaWorker): VisitLoss | undefined {
    const branch = this.#branches.find((one) => one.worker === worker);
    if (!branch) return undefined;
    const members = [...this.#members].filter(([, member]) => member.branch === branch);
    for (const [id] of members) this.#members.delete(id);
    this.#options.onPeers(-members.length);
    const pipes = branch === this.#home ? this.#nodePipes.leave() : [];
    this.#leave(branch);
    return { peers: members.map(([id]) => id), pipes };
  }

  /** Whether somebody speaks unheard by detection: they are new, or the worker that listened is lost, or late. */
  get isHurt(): boolean {
    if (this.closed) return false;
    return this.#listening !== this.#home || this.#unheard.length > 0;
  }

  /** Has detection hear everybody, at home. @throws BedsideError `media-unavailable`; it can be repeated */
  async mend(): Promise<void> {
    if (!this.isHurt) return;
    const home = this.#home;
    if (this.#listening !== home) {
      await this.#detection.open(home);
      if (home !== this.#branches[0]) throw new BedsideError('media-unavailable');
      this.#listening = home;
    }
    const outcomes = await Promise.allSettled(this.#unheard.map((id) => this.#observe(id, home)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Idempotent; also right after the worker died. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onPeers(-this.#members.size);
    this.#members.clear();
    this.#nodePipes.leave();
    for (const branch of [...this.#branches]) this.#leave(branch);
  }

  /** @throws BedsideError `media-unavailable` where no branch is left */
  get #home(): Branch {
    const [home] = this.#branches;
    if (!home) throw new BedsideError('media-unavailable');
    return home;
  }

  #member(id: PeerId): Member {
    const member = this.#members.get(id);
    if (!member) throw new BedsideError('not-found', { field: 'peer' });
    return member;
  }

  async #addMember({
    peer: id,
    rtpCapabilities,
    flows,
    lastResort = true,
  }: Args<'open-peer'>): Promise<Member> {
    const { capabilities, deadlineMs, mayOpenPeer, room } = this.#options;
    const checked = capabilities.checked(rtpCapabilities);
    if (this.#members.size >= LIMITS.peersPerVisit || !mayOpenPeer())
      throw new BedsideError('capacity');
    const branch = await this.#branchFor(flows.length, lastResort);
    try {
      const [sendTransport, recvTransport] = await branch.createTransports();
      if (branch.closed) throw new BedsideError('media-unavailable');
      const peer = new Peer({
        id,
        router: branch.router,
        sendTransport,
        recvTransport,
        rtpCapabilities: checked,
        deadlineMs,
        room: () => room(branch.worker),
        opens: (consumer) => branch.worker.opens(consumer),
        producerOf: (producerId) => this.#sources.at(branch, producerId),
        onConsumerScore: (consumerId: ConsumerId, score: number, producerScore: number) =>
          this.scores.consumer(id, consumerId, score, producerScore),
        onConsumerClosed: (consumerId: ConsumerId) => this.scores.forgetConsumer(consumerId),
      });
      const member = { peer, branch, number: this.#numbers };
      this.#numbers += 1;
      this.#members.set(id, member);
      this.#options.onPeers(1);
      for (const transport of [sendTransport, recvTransport]) this.#reportState(id, transport);
      return member;
    } catch (error) {
      this.#tidy(branch);
      throw error;
    }
  }

  /** @throws BedsideError `capacity`, `media-unavailable` */
  async #branchFor(consumers: number, isLastResort: boolean): Promise<Branch> {
    const { choose, deadlineMs } = this.#options;
    const own = new Map(this.#branches.map(({ worker }) => [worker, 0]));
    for (const { peer, branch } of this.#members.values())
      own.set(branch.worker, (own.get(branch.worker) ?? 0) + peer.consumers);
    const worker = choose(consumers, own, isLastResort);
    const present = this.#branches.find((branch) => branch.worker === worker);
    if (present) return present;
    const branch = await Branch.open(worker, deadlineMs);
    if (this.#closed || branch.closed) {
      branch.close();
      throw new BedsideError('media-unavailable');
    }
    this.#branches.push(branch);
    return branch;
  }

  /** @throws BedsideError `media-unavailable`; nobody has what was added then */
  async #apply(planned: readonly Planned[]): Promise<PeerPlanResult[]> {
    const wanted = new Map<Branch, ProducerId[]>();
    for (const { member, flows } of planned) {
      const ids = wanted.get(member.branch) ?? [];
      for (const { producerId } of flows) ids.push(producerId);
      wanted.set(member.branch, ids);
    }
    const brought = new Map(
      [...wanted].map(([branch, ids]) => [branch, this.#sources.bring(ids, branch)]),
    );
    const outcomes = await Promise.allSettled(
      planned.map(({ member: { peer, branch }, flows }) =>
        peer.applyFlows(flows, brought.get(branch) ?? this.#sources.bring([], branch)),
      ),
    );
    const results = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = outcomes.find((one) => one.status === 'rejected');
    // Nobody hears of these results: the repeat has to name it all.
    if (failed) for (const result of results) this.#members.get(result.peer)?.peer.retract(result);
    for (const branch of wanted.keys()) this.#tidy(branch);
    if (failed) throw failed.reason;
    return results;
  }

  #reportState(peer: PeerId, transport: types.WebRtcTransport): void {
    const report = () =>
      this.#options.onTransportState({
        visit: this.key,
        peer,
        transportId: TransportId.parse(transport.id),
        ice: transport.iceState,
        dtls: transport.dtlsState,
      });
    transport.on('icestatechange', report);
    transport.on('dtlsstatechange', report);
  }

  /** @throws BedsideError `media-unavailable` where it has closed */
  #addSource(producerId: ProducerId, source: Source): void {
    const { producer } = source;
    if (producer.closed) throw new BedsideError('media-unavailable');
    this.#sources.add(producerId, {
      ...source,
      observed: source.observed && producer.kind === 'audio',
    });
    producer.observer.once('close', () => this.#detection.forget(producerId));
  }

  /** Microphones that detection does not listen to yet. */
  get #unheard(): ProducerId[] {
    const home = this.#home;
    return this.#sources.observed.filter((id) => {
      const producer = this.#sources.at(home, id);
      return !producer || !this.#detection.hears(producer);
    });
  }

  async #observe(id: ProducerId, home: Branch): Promise<void> {
    const failed = await this.#sources.bring([id], home);
    if (failed.size > 0) throw new BedsideError('media-unavailable');
    const producer = this.#sources.at(home, id);
    if (producer) await this.#detection.add(producer);
  }

  /** Closes what was brought to this branch and is not needed there any more, and the branch where it is not. */
  #tidy(branch: Branch | undefined): void {
    if (!branch || !this.#branches.includes(branch)) return;
    const isHome = branch === this.#home;
    const members = [...this.#members.values()].filter((member) => member.branch === branch);
    if (!isHome && members.length === 0) {
      this.#leave(branch);
      return;
    }
    this.#sources.tidy(branch, (id) => {
      if (isHome && this.#sources.get(id)?.observed) return true;
      if (isHome && this.#nodePipes.carries(id)) return true;
      return members.some(({ peer }) => peer.hears(id));
    });
  }

  #leave(branch: Branch): void {
    this.#branches.splice(this.#branches.indexOf(branch), 1);
    this.#sources.leave(branch);
    if (this.#listening === branch) {
      this.#listening = undefined;
      this.#detection.reset();
    }
    branch.close();
  }
}
