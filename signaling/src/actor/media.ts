import {
  BedsideError,
  type ClientEventPayload,
  type ConsumerId,
  type ConsumerParameters,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type NodeConsumer,
  type NodeId,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  type RtpCapabilities,
  type TransportId,
  toBedsideError,
  type VisitKey,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import type { NodeClient } from '../nodes/client.ts';
import { place } from '../nodes/placement.ts';
import { type PlannedFlow, plan } from '../plan/plan.ts';
import type { Effect } from '../visit/decide.ts';
import { findPresent, type Media, type Visit } from '../visit/state.ts';

/** Listeners in one `apply-plan`: keeps the answer well below the control link's message limit. */
const LISTENERS_PER_CALL = 16;
/** What failed at the node is tried again after these delays, with jitter. */
export const RESYNC_MIN_MS = 500;
const RESYNC_MAX_MS = 8_000;

/** What the node made for one endpoint. */
interface Peer {
  readonly participant: ParticipantId;
  readonly sendTransportId: TransportId;
  readonly recvTransportId: TransportId;
  readonly consumers: Map<ConsumerId, ConsumerParameters>;
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
  mediaLost(): void;
  /** The node has the visit, but not these. */
  endpointsLost(peers: PeerId[], producers: ProducerId[]): void;
  /** The node knows of a newer owner. */
  stepDown(): void;
}

/**
 * The visit's part at its node: what was made there, and the work of keeping it equal to the plan. What
 * can't be done now, or may or may not have been done, is found by asking the node, and made good later.
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
  /** `#peers` is what the node has. */
  #adopted = true;
  /** What the node was asked to close, until it answers or fails to. */
  readonly #tidying = new Set<Promise<void>>();
  /** Microphones that are being paused: nobody is to hear more of them than before until they are. */
  readonly #pausing = new Set<Promise<void>>();

  constructor(host: MediaHost) {
    this.#host = host;
  }

  /** What every command names. */
  get scope() {
    return { visit: this.#host.key, epoch: this.#host.epoch };
  }

  /** The node came back with nothing, and the news waits in the queue. */
  get hasRebooted(): boolean {
    const media = this.#host.visit()?.media;
    return media !== undefined && (this.#bootOf(media) ?? media.bootId) !== media.bootId;
  }

  /** Where a visit without media goes; not to `full` ones. @throws BedsideError `capacity`, `media-unavailable` */
  place(full: readonly NodeId[] = []): Media {
    const { nodes } = this.#host;
    const linked = nodes.linked();
    const open = full.length === 0 ? linked : linked.filter(({ nodeId }) => !full.includes(nodeId));
    const placement = place(open, nodes.region, Math.random);
    if (!placement.ok)
      throw new BedsideError(full.length > 0 ? 'capacity' : placement.code, {
        retryAfterMs: 1_000,
      });
    const { node } = placement;
    node.pending += 1;
    return { node: node.nodeId, bootId: node.bootId };
  }

  /**
   * The node is lost: the visit can begin anew at another one, where one takes it. What the lost one may
   * still have is closed when it is heard of again. False where there is no other place, or no need.
   */
  leave(): boolean {
    const { nodes } = this.#host;
    const media = this.#host.visit()?.media;
    if (!media || !nodes.isLost(media.node)) return false;
    if (!place(nodes.linked(), nodes.region, Math.random).ok) return false;
    this.#host.mediaLost();
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

  /** Opens a participant's transports and consumers, for a visit that may be new to the node. */
  async open(
    media: Media,
    participant: ParticipantId,
    peer: PeerId,
    rtpCapabilities: RtpCapabilities,
    flows: readonly PlannedFlow[],
  ) {
    this.#host.nodes.keepVisit(media, this.#host.key);
    const { sendTransport, recvTransport, consumers } = await this.callAt(media, 'open-peer', {
      ...this.scope,
      peer,
      rtpCapabilities,
      flows: flows.map(({ flow }) => flow),
    });
    const planned = consumers.flatMap((consumer) => consumerFor(flows, consumer));
    this.#peers.set(peer, {
      participant,
      sendTransportId: sendTransport.transportId,
      recvTransportId: recvTransport.transportId,
      consumers: new Map(planned.map((consumer) => [consumer.consumerId, consumer])),
    });
    return { sendTransport, recvTransport, consumers: planned };
  }

  /** At the node that carries the visit. @throws BedsideError `not-joined` where none does */
  call<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const media = this.#host.visit()?.media;
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
        this.#adopted = false;
        this.#resyncLater(error);
      }
      throw error;
    }
  }

  /** Closes at the node what the visit has no use for, and pauses what is to be silent. What fails is found again when the node is described. */
  tidy(effects: readonly Effect[], media: Media): void {
    for (const effect of effects) {
      if (effect.type === 'close-peer')
        this.#tidies(this.callAt(media, 'close-peer', { ...this.scope, peer: effect.peer }));
      else if (effect.type === 'close-producer')
        this.#tidies(
          this.callAt(media, 'close-producer', { ...this.scope, producerId: effect.producer }),
        );
      else if (effect.type === 'pause-producer')
        this.#tidies(
          this.callAt(media, 'pause-producer', {
            ...this.scope,
            producerId: effect.producer,
            paused: effect.paused,
          }),
          this.#pausing,
        );
      else if (effect.type === 'close-visit') this.#host.nodes.closeVisit(media, this.scope);
    }
  }

  #tidies(call: Promise<unknown>, underWay = this.#tidying): void {
    const tidying = call.then(
      () => {},
      () => {},
    );
    underWay.add(tidying);
    void tidying.then(() => underWay.delete(tidying));
  }

  /** Has who may differ from the plan looked at in a turn of its own. */
  async scheduleSync(): Promise<void> {
    if (this.#syncQueued || this.#closing || (this.#unsynced.size === 0 && this.#adopted)) return;
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
      applied = synced && this.#adopted;
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
    const visit = this.#host.visit();
    if (!visit?.media) {
      this.#unsynced.clear();
      return;
    }
    if (!this.#adopted) return this.#adopt();
    const planned = plan(visit);
    const listeners = [...this.#unsynced].flatMap((id) => {
      const peer = findPresent(visit, id)?.endpoint?.peer;
      if (peer && this.#peers.has(peer)) return [{ id, peer, flows: planned.get(id) ?? [] }];
      this.#unsynced.delete(id);
      return [];
    });
    for (let start = 0; start < listeners.length; start += LISTENERS_PER_CALL) {
      const some = listeners.slice(start, start + LISTENERS_PER_CALL);
      const { listeners: results } = await this.call('apply-plan', {
        ...this.scope,
        listeners: some.map(({ peer, flows }) => ({ peer, flows: flows.map(({ flow }) => flow) })),
      });
      for (const { id, peer, flows } of some) {
        const result = results.find((each) => each.peer === peer);
        this.#unsynced.delete(id);
        this.#deliver(id, peer, flows, result?.added ?? [], result?.removed ?? []);
      }
    }
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

  /** Describes the node's part anew, and plans everybody. */
  async readopt(): Promise<void> {
    if (this.#closing || !this.#host.visit()?.media) return;
    this.#adopted = false;
    await this.scheduleSync();
  }

  /** Takes over what the node has of this visit; closes what the visit has not. */
  async #adopt(): Promise<void> {
    const media = this.#host.visit()?.media;
    if (!media) {
      this.#adopted = true;
      return;
    }
    const bootId = this.#bootOf(media);
    if (!bootId) {
      if (this.leave()) return;
      throw new BedsideError('media-unavailable', { retryAfterMs: RESYNC_MIN_MS });
    }
    if (bootId !== media.bootId) {
      this.#host.mediaLost();
      return;
    }
    const { peers } = await this.call('describe-visit', this.scope);
    this.#adopted = true;
    const before = this.#host.visit();
    if (!before) return;
    const described = new Map(peers.map((peer) => [peer.peer, peer]));
    const endpoints = endpointsOf(before);
    const ours = new Set(endpoints.map(({ peer }) => peer));
    this.tidy(
      [...described.keys()]
        .filter((peer) => !ours.has(peer))
        .map((peer) => ({ type: 'close-peer', peer })),
      media,
    );
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
      for (const producerId of there.keys())
        await this.call('close-producer', { ...this.scope, producerId });
    }
    this.#host.endpointsLost(
      endpoints.filter(({ peer }) => !described.has(peer)).map(({ peer }) => peer),
      lost,
    );
    const planned = plan(this.#host.visit() ?? before);
    for (const { id, peer } of endpoints) {
      const there = described.get(peer);
      if (!there) continue;
      const { sendTransportId, recvTransportId } = there;
      const told = this.#peers.get(peer)?.consumers ?? new Map<ConsumerId, ConsumerParameters>();
      this.#peers.set(peer, { participant: id, sendTransportId, recvTransportId, consumers: told });
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
    await this.#sync();
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

  /** The node may have what this gateway does not know of: it is asked with the next sync. */
  doubtNode(): void {
    this.#adopted = false;
  }

  /** Nothing is at the node any more. */
  forget(): void {
    this.#adopted = true;
    this.#unsynced.clear();
  }

  /** Nothing more is done at the node; answers that are under way change nothing. */
  stop(): void {
    this.#stopped = true;
    this.#cancelResync?.();
  }

  get #closing(): boolean {
    return this.#stopped || this.#host.closing();
  }

  /** The present boot of the node that carries the visit; undefined while it is not linked. */
  #bootOf(media: Media): string | undefined {
    return this.#host.nodes.linked().find(({ nodeId }) => nodeId === media.node)?.bootId;
  }
}

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
