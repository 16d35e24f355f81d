import {
  BedsideError,
  type ClientEventPayload,
  type ConsumerId,
  type ConsumerParameters,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  LIMITS,
  type NodeConsumer,
  type NodeId,
  type ParticipantId,
  type PeerId,
  type PipeId,
  type ProducerId,
  type RtpCapabilities,
  type TransportId,
  toBedsideError,
  type VisitKey,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import type { NodeClient } from '../nodes/client.ts';
import { type PlannedPipe, pipesOf } from '../plan/pipes.ts';
import { type PlannedFlow, plan } from '../plan/plan.ts';
import type { Effect } from '../visit/decide.ts';
import { isSame, nodeOfPeer, nodeOfProducer, nodesOf } from '../visit/nodes.ts';
import { findPresent, type Media, type Visit } from '../visit/state.ts';
import { type DescribedPipes, VisitPipes } from './pipes.ts';
import { type PlaceForOne, Places } from './places.ts';

/** Listeners in one `apply-plan`, and not more than LIMITS.consumersPerPage flows: keeps the answer well below the control link's message limit. */
const LISTENERS_PER_CALL = 16;
/** What failed at the node is tried again after these delays, with jitter. */
export const RESYNC_MIN_MS = 500;
const RESYNC_MAX_MS = 8_000;
/** A node that another one of the visit does not reach takes nobody of it for as long, if others do. */
const CUT_OFF_MS = 120_000;
/** What a node had no room for it is asked for again after this, with jitter. */
export const REFUSED_MS = 5_000;

/** What the node made for one endpoint. */
interface Peer {
  readonly participant: ParticipantId;
  readonly at: Media;
  readonly sendTransportId: TransportId;
  readonly recvTransportId: TransportId;
  readonly consumers: Map<ConsumerId, ConsumerParameters>;
}

/** Commands that concern one peer, or one producer. */
type EndpointCommand =
  | 'connect-transport'
  | 'restart-ice'
  | 'produce'
  | 'pause-producer'
  | 'close-producer'
  | 'start-consumers'
  | 'prefer-consumers'
  | 'close-peer';

interface PlannedListener {
  readonly id: ParticipantId;
  readonly peer: PeerId;
  readonly at: Media;
  readonly flows: readonly PlannedFlow[];
}

/** In order, as many at a time as one call takes. */
function batchesOf(listeners: readonly PlannedListener[]): readonly PlannedListener[][] {
  const batches: PlannedListener[][] = [];
  let [batch, flows]: [PlannedListener[], number] = [[], 0];
  for (const listener of listeners) {
    flows += listener.flows.length;
    if (
      batch.length === 0 ||
      batch.length === LISTENERS_PER_CALL ||
      flows > LIMITS.consumersPerPage
    ) {
      [batch, flows] = [[], listener.flows.length];
      batches.push(batch);
    }
    batch.push(listener);
  }
  return batches;
}

/** What one node has of the visit. */
interface DescribedNode {
  readonly media: Media;
  readonly peers: ControlResponse<'describe-visit'>['peers'];
  readonly pipes: DescribedPipes;
}

/** The actor, as its media sees it. */
export interface MediaHost {
  readonly key: VisitKey;
  /** Of the lease: nodes refuse what comes under a lower one. */
  readonly epoch: number;
  readonly nodes: NodeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** The visit as it is now; undefined before there is one. */
  visit(): Visit | undefined;
  /** Nothing more is to be done for the visit here. */
  closing(): boolean;
  /** Runs in a turn of its own, at the end of the queue. */
  happen(task: () => Promise<void>): Promise<void>;
  /** The page has all its consumers from an answer, so that events may add to them. */
  isReconciled(participant: ParticipantId): boolean;
  /** `onActed` once the page has set up what was added. */
  sendConsumers(
    participant: ParticipantId,
    payload: ClientEventPayload<'consumers'>,
    onActed: () => void,
  ): void;
  /** The node has nothing of the visit any more. */
  mediaLost(node: NodeId): void;
  /** The nodes have the visit, but not these. */
  endpointsLost(peers: PeerId[], producers: ProducerId[]): void;
  /** The node knows of a newer owner. */
  stepDown(): void;
}

/**
 * The visit's part at its nodes: what was made there, and the work of keeping it equal to the plan. What
 * can't be done now, or may or may not have been done, is found by asking the nodes, and made good later.
 */
export class VisitMedia {
  readonly #host: MediaHost;
  readonly #peers = new Map<PeerId, Peer>();
  /** Participants whose consumers may differ from the plan. */
  readonly #unsynced = new Set<ParticipantId>();
  #syncQueued = false;
  #stopped = false;
  #syncFailures = 0;
  #cancelResync: (() => void) | undefined;
  /** Nodes that may have something else than `#peers` and `#pipes` say: they are asked with the next sync. */
  readonly #doubted = new Set<NodeId>();
  /** What the node was asked to close, until it answers or fails to. */
  readonly #tidying = new Set<Promise<void>>();
  /** Microphones that are being paused: nobody is to hear more of them than before until they are. */
  readonly #pausing = new Set<Promise<void>>();
  readonly #pipes: VisitPipes;
  /** Who lacks some of the plan, because the node had no room for it. */
  readonly #lacking = new Set<ParticipantId>();
  #cancelLacking: (() => void) | undefined;
  readonly places: Places;

  constructor(host: MediaHost) {
    this.#host = host;
    this.places = new Places(host.nodes, host.clock);
    this.#pipes = new VisitPipes({
      scope: this.scope,
      callAt: (media, name, request) => this.callAt(media, name, request),
      isUp: (media) => this.#bootOf(media) === media.bootId,
      isSure: ({ node }) => !this.#doubted.has(node),
    });
  }

  /** What every command names. */
  get scope() {
    return { visit: this.#host.key, epoch: this.#host.epoch };
  }

  /** What nodes had that came back with nothing is lost, also while the news of it waits in the queue. */
  leaveRebooted(): void {
    for (const { node, bootId } of this.nodes)
      if ((this.#bootOf({ node, bootId }) ?? bootId) !== bootId) this.#host.mediaLost(node);
  }

  /**
   * Nodes are lost: what the visit had there can begin anew at another one, where one takes it. What the lost
   * one may still have is closed when it is heard of again. False where there is no other place, or no need.
   */
  leave(): boolean {
    const { nodes } = this.#host;
    const lost = this.nodes.filter(({ node }) => nodes.isLost(node));
    const isElsewhere = lost.length < this.nodes.length || this.places.isThereAny;
    if (lost.length === 0 || !isElsewhere) return false;
    for (const { node } of lost) this.#host.mediaLost(node);
    return true;
  }

  ownerOf(peer: PeerId): ParticipantId | undefined {
    return this.#peers.get(peer)?.participant;
  }

  /** Whether the transport is one of that peer's. */
  owns(peer: PeerId | undefined, transportId: TransportId): boolean {
    const known = peer === undefined ? undefined : this.#peers.get(peer);
    return known?.sendTransportId === transportId || known?.recvTransportId === transportId;
  }

  /**
   * The participant's peer, that must have this transport where one is named.
   * @throws BedsideError `not-joined`, `media-unavailable`, `not-found`
   */
  peerOf(participant: ParticipantId, transportId?: TransportId): Peer & { id: PeerId } {
    const visit = this.#host.visit();
    const endpoint = visit && findPresent(visit, participant)?.endpoint;
    if (!endpoint) throw new BedsideError('not-joined');
    const peer = this.#peers.get(endpoint.peer);
    if (!peer) throw new BedsideError('media-unavailable', { retryAfterMs: RESYNC_MIN_MS });
    if (
      transportId !== undefined &&
      transportId !== peer.sendTransportId &&
      transportId !== peer.recvTransportId
    ) {
      throw new BedsideError('not-found', { field: 'transportId' });
    }
    return { id: endpoint.peer, ...peer };
  }

  /**
   * Opens a participant's transports and consumers, for a visit that may be new to the node.
   * @param visit as it is with them
   */
  async open(
    { media, lastResort }: PlaceForOne,
    participant: ParticipantId,
    peer: PeerId,
    rtpCapabilities: RtpCapabilities,
    visit: Visit,
  ) {
    this.#host.nodes.keepVisit(media, this.#host.key);
    const planned = plan(visit);
    const flows = planned.get(participant) ?? [];
    const isNewNode = !this.nodes.some((node) => isSame(node, media));
    for (const { from, to, error } of await this.#pipes.sync(pipesOf(visit, planned))) {
      if (error.code === 'moved') throw error;
      // Who is alone at a node that the others do not reach sees and hears nobody: the next one, then.
      if (isNewNode && (isSame(from, media) || isSame(to, media)))
        throw new BedsideError('capacity', { cause: error });
      // Without that pipe there are others to see and hear; it is tried again.
      this.#resyncLater(error);
    }
    const answer = await this.callAt(media, 'open-peer', {
      ...this.scope,
      peer,
      rtpCapabilities,
      flows: flows.map(({ flow }) => flow),
      lastResort,
    });
    const { sendTransport, recvTransport, consumers, refused } = answer;
    this.#refused(participant, refused);
    const opened = consumers.flatMap((consumer) => consumerFor(flows, consumer));
    this.#peers.set(peer, {
      participant,
      at: media,
      sendTransportId: sendTransport.transportId,
      recvTransportId: recvTransport.transportId,
      consumers: new Map(opened.map((consumer) => [consumer.consumerId, consumer])),
    });
    return { sendTransport, recvTransport, consumers: opened };
  }

  /** At the node of the peer, or of the producer, that the request names. @throws BedsideError `not-joined` where the visit is nowhere */
  call<Name extends EndpointCommand>(
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const visit = this.#host.visit();
    const media = visit && nodeFor(visit, request);
    return media
      ? this.callAt(media, name, request)
      : Promise.reject(new BedsideError('not-joined'));
  }

  async callAt<Name extends ControlCommandName>(
    media: Media,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    try {
      // Another boot knows nothing of the visit; its `linked` report is on its way through the queue.
      if (this.#bootOf(media) !== media.bootId)
        throw new BedsideError('media-unavailable', { retryAfterMs: RESYNC_MIN_MS });
      return await this.#host.nodes.call(media.node, name, request);
    } catch (thrown) {
      const error = toBedsideError(thrown);
      if (error.code === 'stale-epoch') {
        this.#host.stepDown();
        throw new BedsideError('moved', { retryAfterMs: RESYNC_MIN_MS, cause: thrown });
      }
      // Nobody knows whether the node has done it, or will: it is asked what it has.
      if (error.code === 'media-unavailable' || error.code === 'deadline') {
        this.#doubted.add(media.node);
        this.#resyncLater(error);
      }
      throw error;
    }
  }

  /**
   * Closes at the nodes what the visit has no use for, and pauses what is to be silent. What fails is found
   * again when the nodes are described.
   * @param at the visit that has what the effects name, or the node where all of it is
   */
  tidy(effects: readonly Effect[], at: Visit | Media): void {
    for (const effect of effects) {
      if (effect.type === 'close-peer')
        this.#tidies(this.#callIn(at, 'close-peer', { peer: effect.peer }));
      else if (effect.type === 'close-producer')
        this.#tidies(this.#callIn(at, 'close-producer', { producerId: effect.producer }));
      else if (effect.type === 'pause-producer') {
        const { producer: producerId, paused } = effect;
        this.#tidies(this.#callIn(at, 'pause-producer', { producerId, paused }), this.#pausing);
      } else if (effect.type === 'close-visit') {
        this.#pipes.drop(effect.media);
        this.#host.nodes.closeVisit(effect.media, this.scope);
      }
    }
  }

  async #callIn<Name extends EndpointCommand>(
    at: Visit | Media,
    name: Name,
    request: Omit<ControlRequest<Name>, 'visit' | 'epoch'>,
  ): Promise<unknown> {
    const scoped = { ...this.scope, ...request } as ControlRequest<Name>;
    const media = 'node' in at ? at : nodeFor(at, scoped);
    return media && this.callAt(media, name, scoped);
  }

  #tidies(call: Promise<unknown>, underWay = this.#tidying): void {
    const tidying = call.then(
      () => {},
      () => {},
    );
    underWay.add(tidying);
    void tidying.then(() => underWay.delete(tidying));
  }

  /**
   * What is sent through these pipes does not arrive. Others take their place; where those are silent, too, the
   * two nodes do not reach each other, and the fewer people go to where the others are. To be called in a turn.
   */
  pipesSilent(pipes: readonly PipeId[]): void {
    const { clock, key, log } = this.#host;
    const visit = this.#host.visit();
    if (!visit) return;
    for (const id of pipes) {
      const silent = this.#pipes.silent(id, clock.now());
      if (!silent) continue;
      const { from, to, again } = silent;
      log.warn(
        { visit: key, from: from.node, to: to.node, again },
        'a pipe between two nodes is silent',
      );
      if (again) this.#cutOff(from, to);
      // Others take its place with the next sync.
      for (const { id: listener } of endpointsOf(visit)) this.#unsynced.add(listener);
    }
    void this.scheduleSync();
  }

  /** Those at the one of two nodes that has fewer of the visit join again, elsewhere. */
  #cutOff(one: Media, other: Media): void {
    const visit = this.#host.visit();
    if (!visit) return;
    const countAt = ({ node }: Media) =>
      endpointsOf(visit).filter(({ peer }) => nodeOfPeer(visit, peer)?.node === node).length;
    const { node } = countAt(one) < countAt(other) ? one : other;
    this.places.avoid(node, CUT_OFF_MS);
    this.#host.mediaLost(node);
  }

  /** Has who may differ from the plan looked at in a turn of its own. */
  async scheduleSync(): Promise<void> {
    const isInLine = this.#unsynced.size === 0 && this.#doubts.length === 0;
    if (this.#syncQueued || this.#closing || isInLine) return;
    this.#syncQueued = true;
    // At the end of the queue: commands that wait already share one call.
    await this.#host.happen(async () => {
      this.#syncQueued = false;
      if (!this.#stopped) await this.trySync();
    });
  }

  /** Has everything that differs from the plan applied and closed, in a turn at the end of the queue; whether it was. */
  async inLine(): Promise<boolean> {
    let applied = false;
    await this.#host.happen(async () => {
      await Promise.all(this.#tidying);
      const synced = await this.trySync();
      // What the node had besides, it is asked to close.
      await Promise.all(this.#tidying);
      applied = synced && this.#doubts.length === 0;
    });
    return applied;
  }

  /** Whether the node's part is in line now; if not, it is tried again later. */
  async trySync(): Promise<boolean> {
    try {
      await this.#sync();
      this.#syncFailures = 0;
      return true;
    } catch (thrown) {
      this.#syncFailures++;
      this.#resyncLater(toBedsideError(thrown));
      return false;
    }
  }

  /** One retry at a time is under way: more faults don't put it off. */
  #resyncLater(error: BedsideError): void {
    if (this.#closing) return;
    if (error.kind === 'internal')
      this.#host.log.error({ visit: this.#host.key, err: error }, 'the plan was not applied');
    if (this.#cancelResync) return;
    const delay = Math.min(RESYNC_MIN_MS * 2 ** this.#syncFailures, RESYNC_MAX_MS);
    this.#cancelResync = this.#host.clock.after(delay * (0.5 + Math.random() / 2), () => {
      this.#cancelResync = undefined;
      void this.readopt();
    });
  }

  /** Makes the consumers of those who may differ from the plan equal to it, and tells their pages. */
  async #sync(): Promise<void> {
    await Promise.all(this.#pausing);
    const unasked = await this.#adopt();
    const visit = this.#host.visit();
    if (!visit?.media) return this.forget();
    const planned = plan(visit);
    const listeners = [...this.#unsynced].flatMap((id) => {
      const peer = findPresent(visit, id)?.endpoint?.peer;
      const at = peer && this.#peers.get(peer)?.at;
      if (!at) this.#unsynced.delete(id);
      // One node that can't be asked is no reason for what the others have to wait.
      return at && !this.#doubted.has(at.node)
        ? [{ id, peer, at, flows: planned.get(id) ?? [] }]
        : [];
    });
    // What is to end does not wait for what is to be brought from another node.
    const [applied, isBrought] = await Promise.all([
      this.#apply(listeners),
      this.#bring(pipesOf(visit, planned)),
    ]);
    const lacking = listeners.filter(({ id }) => isBrought && this.#lacking.delete(id));
    const again = await this.#apply(lacking);
    const failed = unasked ?? applied ?? again;
    if (failed) throw failed;
  }

  /** Makes the pipes these; whether some bring more than before. What one lacks is no reason for others to wait. */
  async #bring(wanted: readonly PlannedPipe[]): Promise<boolean> {
    const before = this.#pipes.changes;
    // Where there is no room, those who lack what it is to bring are looked at again in a while.
    for (const { error } of await this.#pipes.sync(wanted))
      if (error.code !== 'capacity') this.#resyncLater(error);
    return this.#pipes.changes > before;
  }

  /** The first failure, or undefined. What fails at one node is done at the others. */
  async #apply(listeners: readonly PlannedListener[]): Promise<unknown> {
    const nodes = [...Map.groupBy(listeners, ({ at }) => at.node).values()];
    const outcomes = await Promise.allSettled(nodes.map((there) => this.#applyAt(there)));
    return outcomes.find((outcome) => outcome.status === 'rejected')?.reason;
  }

  /** @param listeners of one node */
  async #applyAt(listeners: readonly PlannedListener[]): Promise<void> {
    for (const some of batchesOf(listeners)) {
      const [first] = some;
      if (!first) return;
      const { listeners: results } = await this.callAt(first.at, 'apply-plan', {
        ...this.scope,
        listeners: some.map(({ peer, flows }) => ({ peer, flows: flows.map(({ flow }) => flow) })),
      });
      for (const { id, peer, flows } of some) {
        const result = results.find((each) => each.peer === peer);
        this.#unsynced.delete(id);
        this.#refused(id, result?.refused ?? []);
        this.#deliver(id, peer, flows, result?.added ?? [], result?.removed ?? []);
      }
    }
  }

  /** What there is no room for now, or has not been brought, there may be later; a codec that the page does not know it never will. */
  #refused(id: ParticipantId, refused: ControlResponse<'open-peer'>['refused']): void {
    // Of a visit at one node, what is not there is about to leave the plan.
    const isSpread = this.nodes.length > 1;
    const flows = refused.filter(
      ({ code }) => code !== 'media-unsupported' && (code !== 'not-found' || isSpread),
    ).length;
    if (flows === 0 || this.#closing) return;
    this.#lacking.add(id);
    const { clock, key, log } = this.#host;
    if (refused.some(({ code }) => code === 'capacity') && !this.#cancelLacking)
      log.warn({ visit: key, flows }, 'a node has no room for all that somebody is to receive');
    this.#cancelLacking ??= clock.after(REFUSED_MS * (0.5 + Math.random() / 2), () => {
      this.#cancelLacking = undefined;
      for (const each of this.#lacking) this.#unsynced.add(each);
      this.#lacking.clear();
      void this.scheduleSync();
    });
  }

  #deliver(
    id: ParticipantId,
    peerId: PeerId,
    flows: readonly PlannedFlow[],
    opened: readonly NodeConsumer[],
    closed: readonly ConsumerId[],
  ): void {
    const consumers = this.#peers.get(peerId)?.consumers;
    if (!consumers) return;
    const removed: ConsumerId[] = [];
    const updated: ClientEventPayload<'consumers'>['updated'] = [];
    for (const [consumerId, consumer] of consumers) {
      const flow = flows.find(({ producerId }) => producerId === consumer.producerId);
      // A closed producer takes its consumers along: the node need not list them.
      if (!flow || closed.includes(consumerId)) {
        consumers.delete(consumerId);
        removed.push(consumerId);
      } else if (flow.gain !== consumer.gain || flow.protected !== consumer.protected) {
        const { gain, protected: isProtected } = flow;
        consumers.set(consumerId, { ...consumer, gain, protected: isProtected });
        updated.push({ consumerId, gain, protected: isProtected });
      }
    }
    const added = opened.flatMap((consumer) => consumerFor(flows, consumer));
    for (const consumer of added) consumers.set(consumer.consumerId, consumer);
    if (added.length + removed.length + updated.length === 0) return;
    if (!this.#host.isReconciled(id)) return; // `join` or `resume` will tell
    this.#host.sendConsumers(id, { added, removed, updated }, () =>
      this.start(
        peerId,
        added.map(({ consumerId }) => consumerId),
      ),
    );
  }

  /** Tells how each consumer that the page had before is played now: it may have missed a change. */
  retell(id: ParticipantId, had: ReadonlySet<ConsumerId>): void {
    const updated = [...this.peerOf(id).consumers.values()]
      .filter(({ consumerId }) => had.has(consumerId))
      .map(({ consumerId, gain, protected: isProtected }) => ({
        consumerId,
        gain,
        protected: isProtected,
      }));
    if (updated.length > 0)
      this.#host.sendConsumers(id, { added: [], removed: [], updated }, () => {});
  }

  /** The listener is ready for these. */
  start(peer: PeerId, consumerIds: ConsumerId[]): void {
    if (consumerIds.length === 0 || this.#closing || !this.#peers.has(peer)) return;
    this.call('start-consumers', { ...this.scope, peer, consumerIds }).catch((thrown: unknown) =>
      this.#resyncLater(toBedsideError(thrown)),
    );
  }

  /** Describes what the node has, or all nodes, anew, and plans everybody there. */
  async readopt(node?: NodeId): Promise<void> {
    if (this.#closing || !this.#host.visit()?.media) return;
    this.doubtNode(node);
    await this.scheduleSync();
  }

  /**
   * Takes over what the nodes in doubt have of this visit; closes what the visit has not. The first failure, or
   * undefined.
   */
  async #adopt(): Promise<unknown> {
    if (this.#doubts.length === 0) return undefined;
    this.leave();
    this.leaveRebooted();
    const answers = await Promise.allSettled(this.#doubts.map((media) => this.#describe(media)));
    const reached = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    for (const { media } of reached) this.#doubted.delete(media.node);
    if (reached.length > 0) await this.#takeOver(reached);
    return answers.find((each) => each.status === 'rejected')?.reason;
  }

  /** @throws BedsideError `media-unavailable` */
  async #describe(media: Media): Promise<DescribedNode> {
    const peers: DescribedNode['peers'] = [];
    const first = await this.callAt(media, 'describe-visit', { ...this.scope, from: 0 });
    peers.push(...first.peers);
    for (let from = first.next; from !== undefined; ) {
      const page = await this.callAt(media, 'describe-visit', { ...this.scope, from });
      peers.push(...page.peers);
      from = page.next;
    }
    return { media, peers, pipes: { sends: first.sends, receives: first.receives } };
  }

  async #takeOver(nodes: readonly DescribedNode[]): Promise<void> {
    const before = this.#host.visit();
    if (!before) return;
    this.#pipes.adopt(
      nodes.map(({ media, pipes }) => ({ media, ...pipes })),
      this.#doubts.length === 0,
    );
    const described = new Map(
      nodes.flatMap(({ media, peers }) => peers.map((peer) => [peer.peer, { ...peer, media }])),
    );
    const endpoints = endpointsOf(before).filter(({ peer }) => {
      const at = nodeOfPeer(before, peer);
      return at && nodes.some(({ media }) => isSame(media, at));
    });
    const ours = new Set(endpoints.map(({ peer }) => peer));
    for (const [peer, { media }] of described)
      if (!ours.has(peer)) this.#tidies(this.callAt(media, 'close-peer', { ...this.scope, peer }));
    const lost: ProducerId[] = [];
    for (const { peer, producers } of endpoints) {
      const there = new Map(
        described.get(peer)?.producers.map((producer) => [producer.producerId, producer]),
      );
      for (const { id: producerId, paused } of producers) {
        const found = there.get(producerId);
        if (!found) lost.push(producerId);
        else if (found.paused !== paused)
          await this.call('pause-producer', { ...this.scope, producerId, paused });
        there.delete(producerId);
      }
      const media = described.get(peer)?.media;
      for (const producerId of there.keys())
        if (media) await this.callAt(media, 'close-producer', { ...this.scope, producerId });
    }
    this.#host.endpointsLost(
      endpoints.filter(({ peer }) => !described.has(peer)).map(({ peer }) => peer),
      lost,
    );
    const planned = plan(this.#host.visit() ?? before);
    for (const { id, peer } of endpoints) {
      const there = described.get(peer);
      if (!there) continue;
      const { sendTransportId, recvTransportId, media: at } = there;
      const told = this.#peers.get(peer)?.consumers ?? new Map<ConsumerId, ConsumerParameters>();
      this.#peers.set(peer, {
        participant: id,
        at,
        sendTransportId,
        recvTransportId,
        consumers: told,
      });
      // The page may have missed what was started, and this gateway the answer that opened or closed one.
      if (this.#host.isReconciled(id)) this.start(peer, [...told.keys()]);
      const open = new Set(there.consumers.map(({ consumerId }) => consumerId));
      this.#deliver(
        id,
        peer,
        planned.get(id) ?? [],
        there.consumers.filter(({ consumerId }) => !told.has(consumerId)),
        [...told.keys()].filter((consumerId) => !open.has(consumerId)),
      );
      this.#unsynced.add(id);
    }
  }

  /** The state changed: these may differ from the plan now, and peers that are not in it are gone. */
  changed(visit: Visit, replanned: readonly ParticipantId[]): void {
    const live = new Set(endpointsOf(visit).map(({ peer }) => peer));
    for (const peer of this.#peers.keys()) if (!live.has(peer)) this.#peers.delete(peer);
    for (const participant of replanned) this.#unsynced.add(participant);
  }

  /** The answer of `join` has told this listener everything. */
  told(participant: ParticipantId): void {
    this.#unsynced.delete(participant);
  }

  /** To be looked at with the next sync. */
  doubt(participant: ParticipantId): void {
    this.#unsynced.add(participant);
  }

  /** The node, or any, may have what this gateway does not know of: it is asked with the next sync. */
  doubtNode(node?: NodeId): void {
    for (const each of node === undefined ? this.nodes.map((media) => media.node) : [node])
      this.#doubted.add(each);
  }

  /** Nothing is at any node any more. */
  forget(): void {
    this.#doubted.clear();
    this.#unsynced.clear();
    this.#pipes.forget();
  }

  /** Nothing more is done at the node; answers that are under way change nothing. */
  stop(): void {
    this.#stopped = true;
    this.#cancelResync?.();
    this.#cancelLacking?.();
  }

  /** Where the visit is, its home first. */
  get nodes(): readonly Media[] {
    const visit = this.#host.visit();
    return visit ? nodesOf(visit) : [];
  }

  get #doubts(): readonly Media[] {
    return this.nodes.filter(({ node }) => this.#doubted.has(node));
  }

  get #closing(): boolean {
    return this.#stopped || this.#host.closing();
  }

  /** The present boot of the node that carries the visit; undefined while it is not linked. */
  #bootOf(media: Media): string | undefined {
    return this.#host.nodes.linked().find(({ nodeId }) => nodeId === media.node)?.bootId;
  }
}

/** Where what the request names is. */
const nodeFor = (
  visit: Visit,
  request: { peer: PeerId } | { producerId: ProducerId },
): Media | undefined =>
  'peer' in request ? nodeOfPeer(visit, request.peer) : nodeOfProducer(visit, request.producerId);

function endpointsOf(visit: Visit) {
  return visit.participants.flatMap(({ id, endpoint }) => (endpoint ? [{ id, ...endpoint }] : []));
}

/** The node's consumer with what the plan knows of it; none where the plan has no such flow. */
function consumerFor(flows: readonly PlannedFlow[], consumer: NodeConsumer): ConsumerParameters[] {
  const flow = flows.find(({ producerId }) => producerId === consumer.producerId);
  if (!flow) return [];
  const { from, source, gain, protected: isProtected } = flow;
  return [{ ...consumer, participantId: from, source, gain, protected: isProtected }];
}
