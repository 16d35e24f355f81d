import {
  BedsideError,
  type ConsumerId,
  type ControlCommandName,
  type ControlEventPayload,
  type ControlRequest,
  type ControlResponse,
  type IceParameters,
  LIMITS,
  type PeerId,
  type PipedProducer,
  type PipeId,
  ProducerId,
  TransportId,
  type VisitKey,
} from '@bedside/protocol';
import type { types } from 'mediasoup';
import type { PipeSettings } from '../config.ts';
import { blame, call } from '../media/call.ts';
import type { CapabilitySets } from '../media/capabilities.ts';
import { ROUTER_CODECS } from '../media/codecs.ts';
import { MAX_INCOMING_BITRATE, transportOptions } from '../media/transports.ts';
import type { MediaWorker } from '../workers/media-worker.ts';
import { Peer } from './peer.ts';
import { type PipeOptions, ReceivingPipe, SendingPipe } from './pipe.ts';
import { ScoreBook } from './scores.ts';
import { hear, NOBODY_SPEAKS, type SpeakerEvent, speakerOf } from './speaker.ts';

/** Milliseconds between two decisions on who dominates. */
const SPEAKER_INTERVAL_MS = 300;
/** Milliseconds of sound that decide on silence: shorter ones hold too few packets of 60 ms each. */
const LEVEL_INTERVAL_MS = 600;
/** dBov below which a microphone counts as silent. */
const SILENCE_THRESHOLD = -60;

export interface VisitOptions {
  key: VisitKey;
  worker: MediaWorker;
  deadlineMs: number;
  capabilities: CapabilitySets;
  pipes: PipeSettings;
  /** Consumers that the worker still has room for. */
  room: () => number;
  /** Whether who commands the visit may have one more peer. */
  mayOpenPeer: () => boolean;
  /** By how many the peers grew or fell. */
  onPeers: (difference: number) => void;
  onTransportState: (payload: ControlEventPayload<'transport-state'>) => void;
  onSpeaker: (payload: ControlEventPayload<'speaker'>) => void;
}

/** A command's request without what only fencing needs. */
type Args<Name extends ControlCommandName> = Omit<ControlRequest<Name>, 'visit' | 'epoch'>;

interface Source {
  readonly producer: types.Producer;
  /** Where it comes from. */
  readonly from: Peer | ReceivingPipe;
  readonly observed: boolean;
}

/** A node has one end of each pipe; while they are replaced there are twice as many. */
const PIPES_OF_A_KIND = LIMITS.nodesPerVisit * 2;

/**
 * One visit's router and all in it. Knows nothing of gateways and epochs; its caller runs one method
 * at a time, but for `connectTransport` and `restartIce`. Closing goes down: visit, peers, transports.
 */
export class Visit {
  readonly key: VisitKey;
  readonly worker: MediaWorker;
  readonly scores = new ScoreBook();
  readonly #options: VisitOptions;
  readonly #router: types.Router;
  readonly #speakers: types.ActiveSpeakerObserver;
  readonly #levels: types.AudioLevelObserver;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #sources = new Map<ProducerId, Source>();
  readonly #sending = new Map<PipeId, SendingPipe>();
  readonly #receiving = new Map<PipeId, ReceivingPipe>();
  #speaker = NOBODY_SPEAKS;
  #closed = false;

  private constructor(
    options: VisitOptions,
    router: types.Router,
    speakers: types.ActiveSpeakerObserver,
    levels: types.AudioLevelObserver,
  ) {
    this.key = options.key;
    this.worker = options.worker;
    this.#options = options;
    this.#router = router;
    this.#speakers = speakers;
    this.#levels = levels;
    speakers.on('dominantspeaker', ({ producer }) =>
      this.#hear({ type: 'dominant', producerId: ProducerId.parse(producer.id) }),
    );
    levels.on('volumes', ([loudest]) => {
      if (loudest) {
        this.#hear({ type: 'sound', loudest: ProducerId.parse(loudest.producer.id) });
      }
    });
    levels.on('silence', () => this.#hear({ type: 'silence' }));
  }

  /** @throws BedsideError `media-unavailable` */
  static async open(options: VisitOptions): Promise<Visit> {
    const { worker, deadlineMs } = options;
    const router = await worker.createRouter(ROUTER_CODECS);
    try {
      const [speakers, levels] = await Promise.all([
        call(
          router.createActiveSpeakerObserver({ interval: SPEAKER_INTERVAL_MS }),
          deadlineMs,
          (late) => late.close(),
        ),
        call(
          router.createAudioLevelObserver({
            interval: LEVEL_INTERVAL_MS,
            threshold: SILENCE_THRESHOLD,
            maxEntries: 1,
          }),
          deadlineMs,
          (late) => late.close(),
        ),
      ]);
      return new Visit(options, router, speakers, levels);
    } catch (error) {
      router.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed || this.#router.closed;
  }

  get empty(): boolean {
    return this.#peers.size === 0;
  }

  /** Peers that are open. */
  get size(): number {
    return this.#peers.size;
  }

  /** @throws BedsideError `media-unsupported`, `invalid-request`, `capacity`, `media-unavailable` */
  async openPeer(request: Args<'open-peer'>): Promise<ControlResponse<'open-peer'>> {
    const present = this.#peers.get(request.peer);
    const peer = present ?? (await this.#createPeer(request));
    try {
      const { refused } = await peer.applyFlows(request.flows);
      return { ...peer.offer(), refused };
    } catch (error) {
      if (!present) this.closePeer(peer.id);
      throw error;
    }
  }

  /** @throws BedsideError `not-found`, `invalid-request`, `media-unavailable` */
  async connectTransport(request: Args<'connect-transport'>): Promise<void> {
    await this.#peer(request.peer).connect(request.transportId, request.dtlsParameters);
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async restartIce(request: Args<'restart-ice'>): Promise<{ iceParameters: IceParameters }> {
    const iceParameters = await this.#peer(request.peer).restartIce(request.transportId);
    return { iceParameters };
  }

  /** @throws BedsideError `not-found`, `media-unsupported`, `invalid-request`, `media-unavailable` */
  async produce(request: Args<'produce'>): Promise<void> {
    const peer = this.#peer(request.peer);
    const { producerId } = request;
    const present = this.#sources.get(producerId);
    if (present?.from === peer) return;
    if (present) throw new BedsideError('invalid-request', { field: 'producerId' });

    const producer = await peer.produce(request);
    producer.on('score', (scores) =>
      this.scores.producer(producerId, Math.max(0, ...scores.map(({ score }) => score))),
    );
    producer.observer.once('close', () => this.scores.forgetProducer(producerId));
    await this.#addSource(producerId, { producer, from: peer, observed: request.observed });
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async pauseProducer({ producerId, paused }: Args<'pause-producer'>): Promise<void> {
    const producer = this.#sources.get(producerId)?.producer;
    if (!producer) throw new BedsideError('not-found');
    // Also where it seems to be so: an earlier call that got no answer may still arrive.
    await call(paused ? producer.pause() : producer.resume(), this.#options.deadlineMs);
  }

  closeProducer(producerId: ProducerId): void {
    this.#sources.get(producerId)?.producer.close();
  }

  /** @throws BedsideError `not-found` where a listener is unknown (nothing is applied then), `media-unavailable` */
  async applyPlan({ listeners }: Args<'apply-plan'>): Promise<ControlResponse<'apply-plan'>> {
    const planned = listeners.map(({ peer, flows }) => ({ peer: this.#peer(peer), flows }));
    const outcomes = await Promise.allSettled(
      planned.map(({ peer, flows }) => peer.applyFlows(flows)),
    );
    const results = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = outcomes.find((one) => one.status === 'rejected');
    if (!failed) return { listeners: results };
    // Nobody hears of these results: the repeat has to name it all.
    for (const result of results) this.#peer(result.peer).retract(result);
    throw failed.reason;
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async startConsumers(request: Args<'start-consumers'>): Promise<void> {
    await this.#peer(request.peer).start(request.consumerIds);
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  async preferConsumers(request: Args<'prefer-consumers'>): Promise<void> {
    await this.#peer(request.peer).prefer(request.preferences);
  }

  closePeer(id: PeerId): void {
    const peer = this.#peers.get(id);
    if (!peer) return;
    this.#peers.delete(id);
    this.#options.onPeers(-1);
    peer.close();
  }

  /** @throws BedsideError `invalid-request`, `capacity`, `media-unavailable` */
  async sendPipe({ pipe, producers }: Args<'send-pipe'>): Promise<ControlResponse<'send-pipe'>> {
    if (this.#receiving.has(pipe)) throw new BedsideError('invalid-request', { field: 'pipe' });
    const outgoing = new Map<ProducerId, Source>();
    for (const id of producers) {
      const source = this.#sources.get(id);
      if (source) outgoing.set(id, source);
    }
    let sending = this.#sending.get(pipe);
    const added = outgoing.size - (sending?.producerIds.length ?? 0);
    if (added > this.#options.room()) throw new BedsideError('capacity');
    if (!sending) {
      if (this.#sending.size >= PIPES_OF_A_KIND) throw new BedsideError('capacity');
      sending = await SendingPipe.open(this.#pipeOptions);
      this.#sending.set(pipe, sending);
    }
    return { end: sending.end, producers: await sending.carry(outgoing) };
  }

  /** @throws BedsideError `invalid-request`, `conflict`, `forbidden`, `capacity`, `media-unavailable` */
  async receivePipe(request: Args<'receive-pipe'>): Promise<ControlResponse<'receive-pipe'>> {
    const { pipe, end, producers } = request;
    if (this.#sending.has(pipe)) throw new BedsideError('invalid-request', { field: 'pipe' });
    let receiving = this.#receiving.get(pipe);
    for (const { producerId } of producers) {
      const present = this.#sources.get(producerId);
      if (present && present.from !== receiving) {
        throw new BedsideError('invalid-request', { field: 'producers' });
      }
    }
    if (receiving) await receiving.connect(end);
    else {
      if (this.#receiving.size >= PIPES_OF_A_KIND) throw new BedsideError('capacity');
      receiving = await ReceivingPipe.open(end, this.#pipeOptions);
      this.#receiving.set(pipe, receiving);
    }
    receiving.retain(producers);
    for (const piped of new Map(producers.map((one) => [one.producerId, one])).values()) {
      await this.#receive(receiving, piped);
    }
    return { end: receiving.end };
  }

  /** @throws BedsideError `not-found`, `conflict`, `forbidden`, `invalid-request`, `media-unavailable` */
  async connectPipe({ pipe, end }: Args<'connect-pipe'>): Promise<void> {
    const sending = this.#sending.get(pipe);
    if (!sending) throw new BedsideError('not-found', { field: 'pipe' });
    await sending.connect(end);
  }

  closePipe(pipe: PipeId): void {
    this.#sending.get(pipe)?.close();
    this.#sending.delete(pipe);
    this.#receiving.get(pipe)?.close();
    this.#receiving.delete(pipe);
  }

  /** @param from peers to pass over; a page ends before the consumers are too many for one message */
  describe(from = 0): ControlResponse<'describe-visit'> {
    const peers: ControlResponse<'describe-visit'>['peers'] = [];
    let consumers = 0;
    let next = from;
    for (const peer of [...this.#peers.values()].slice(from)) {
      const described = peer.describe();
      consumers += described.consumers.length;
      if (peers.length > 0 && consumers > LIMITS.consumersPerPage) break;
      peers.push(described);
      next += 1;
    }
    const rest = next < this.#peers.size ? { next } : {};
    if (from > 0) return { ...rest, peers };
    return { ...rest, sends: listed(this.#sending), receives: listed(this.#receiving), peers };
  }

  /** Idempotent; also right after the worker died. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#router.closed) this.#router.close();
    this.#options.onPeers(-this.#peers.size);
    this.#peers.clear();
    this.#sources.clear();
    this.#sending.clear();
    this.#receiving.clear();
  }

  get #pipeOptions(): PipeOptions {
    const { pipes, deadlineMs } = this.#options;
    return { router: this.#router, settings: pipes, deadlineMs };
  }

  async #receive(receiving: ReceivingPipe, piped: PipedProducer): Promise<void> {
    const { producerId, paused, observed } = piped;
    if (this.#sources.has(producerId)) return this.pauseProducer({ producerId, paused });
    const producer = await receiving.produce(piped);
    await this.#addSource(producerId, { producer, from: receiving, observed });
  }

  /** Where it throws, the producer is closed again: the repeat has to do it all. */
  async #addSource(producerId: ProducerId, source: Source): Promise<void> {
    const { producer, observed } = source;
    this.#sources.set(producerId, source);
    producer.observer.once('close', () => {
      this.#sources.delete(producerId);
      this.#hear({ type: 'closed', producerId });
    });
    if (observed && producer.kind === 'audio') await this.#observe(producer);
  }

  #peer(id: PeerId): Peer {
    const peer = this.#peers.get(id);
    if (!peer) throw new BedsideError('not-found', { field: 'peer' });
    return peer;
  }

  async #createPeer({ peer: id, rtpCapabilities, flows }: Args<'open-peer'>): Promise<Peer> {
    const checked = this.#options.capabilities.checked(rtpCapabilities);
    const { room, mayOpenPeer } = this.#options;
    if (this.#peers.size >= LIMITS.peersPerVisit || room() < flows.length || !mayOpenPeer())
      throw new BedsideError('capacity');
    const [sendTransport, recvTransport] = await this.#createTransports();
    const peer = new Peer({
      id,
      router: this.#router,
      sendTransport,
      recvTransport,
      rtpCapabilities: checked,
      deadlineMs: this.#options.deadlineMs,
      room: this.#options.room,
      producerOf: (producerId) => this.#sources.get(producerId)?.producer,
      onConsumerScore: (consumerId: ConsumerId, score: number, producerScore: number) =>
        this.scores.consumer(id, consumerId, score, producerScore),
      onConsumerClosed: (consumerId: ConsumerId) => this.scores.forgetConsumer(consumerId),
    });
    this.#peers.set(id, peer);
    this.#options.onPeers(1);
    for (const transport of [sendTransport, recvTransport]) this.#reportState(id, transport);
    return peer;
  }

  async #createTransports(): Promise<[types.WebRtcTransport, types.WebRtcTransport]> {
    const create = async (maxIncomingBitrate?: number) => {
      const { deadlineMs } = this.#options;
      const transport = await call(
        this.#router.createWebRtcTransport(transportOptions(this.worker.webRtcServer)),
        deadlineMs,
        (late) => late.close(),
      );
      try {
        if (maxIncomingBitrate !== undefined) {
          await call(transport.setMaxIncomingBitrate(maxIncomingBitrate), deadlineMs);
        }
        return transport;
      } catch (error) {
        transport.close();
        throw error;
      }
    };
    const [send, recv] = await Promise.allSettled([create(MAX_INCOMING_BITRATE), create()]);
    if (send.status === 'fulfilled' && recv.status === 'fulfilled') return [send.value, recv.value];
    for (const outcome of [send, recv]) {
      if (outcome.status === 'fulfilled') outcome.value.close();
    }
    throw send.status === 'rejected' ? send.reason : (recv as PromiseRejectedResult).reason;
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

  async #observe(producer: types.Producer): Promise<void> {
    const producerId = producer.id;
    try {
      await call(
        Promise.all([
          this.#speakers.addProducer({ producerId }),
          this.#levels.addProducer({ producerId }),
        ]),
        this.#options.deadlineMs,
      );
    } catch (error) {
      producer.close();
      throw blame(error, 'producerId');
    }
  }

  #hear(event: SpeakerEvent): void {
    const before = speakerOf(this.#speaker);
    this.#speaker = hear(this.#speaker, event);
    const now = speakerOf(this.#speaker);
    if (now !== before && !this.closed) {
      this.#options.onSpeaker({ visit: this.key, producerId: now });
    }
  }
}

const listed = (pipes: ReadonlyMap<PipeId, SendingPipe | ReceivingPipe>) =>
  [...pipes].map(([pipe, { producerIds }]) => ({ pipe, producers: producerIds }));
