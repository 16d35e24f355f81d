import { isDeepStrictEqual } from 'node:util';
import {
  BedsideError,
  ConsumerId,
  type ControlRequest,
  type ControlResponse,
  type DtlsParameters,
  type Flow,
  type IceParameters,
  type NodeConsumer,
  type PeerId,
  type PeerPlanResult,
  ProducerId,
  type RtpCapabilities,
  type RtpParameters,
  TransportId,
} from '@bedside/protocol';
import type { types } from 'mediasoup';
import { NotFoundError } from 'mediasoup/errors';
import { blame, call } from '../media/call.ts';
import { KEY_FRAME_REQUEST_DELAY_MS, parametersOf } from '../media/transports.ts';
import { estimated, UNKNOWN_LINE } from './bandwidth.ts';
import { type ConsumerSettings, diffPlan, type Preference, settingsOf } from './plan.ts';

interface Listening {
  consumer: types.Consumer;
  flow: Flow;
  /** Whether the listener said, or needs not say, that it is ready. */
  started: boolean;
  preference: Preference | undefined;
  /** What the worker was last asked for; undefined where it may not have heard it all. */
  asked: ConsumerSettings | undefined;
}

/** Of mediasoup's trace of the kind `bwe`, which it leaves untyped. */
interface BweInfo {
  /** Bits a second. */
  availableBitrate: number;
}

type ScoreListener = (consumerId: ConsumerId, score: number, producerScore: number) => void;

export interface PeerOptions {
  id: PeerId;
  router: types.Router;
  sendTransport: types.WebRtcTransport;
  recvTransport: types.WebRtcTransport;
  rtpCapabilities: RtpCapabilities;
  deadlineMs: number;
  /** Consumers that the worker still has room for. */
  room: () => number;
  /** Has the worker count a consumer from when it is asked for. */
  opens: <T>(consumer: Promise<T>) => Promise<T>;
  producerOf: (id: ProducerId) => types.Producer | undefined;
  onConsumerScore: ScoreListener;
  onConsumerClosed: (id: ConsumerId) => void;
}

/** mediasoup's highest layer; as a limit it means none. */
const TOP_LAYER = 3;

/**
 * One join of one participant: two transports, what it sends, what it hears. Owned by its visit,
 * which calls one method at a time, but for `connect` and `restartIce`, which wait for nothing.
 */
export class Peer {
  readonly id: PeerId;
  readonly sendTransport: types.WebRtcTransport;
  readonly recvTransport: types.WebRtcTransport;
  readonly #options: PeerOptions;
  readonly #producers = new Map<ProducerId, types.Producer>();
  readonly #listening = new Map<ProducerId, Listening>();
  /** Consumers that went with their producer and that no plan result has named yet. */
  readonly #gone = new Set<ConsumerId>();
  /** What the way to the listener carries; known while something on it is protected. */
  #line = UNKNOWN_LINE;
  #isWatched = false;
  readonly #connecting = new Map<string, { parameters: DtlsParameters; done: Promise<void> }>();

  constructor(options: PeerOptions) {
    this.#options = options;
    this.id = options.id;
    this.sendTransport = options.sendTransport;
    this.recvTransport = options.recvTransport;
    this.recvTransport.on('trace', (trace) => {
      if (trace.type === 'bwe') this.#lineChanged((trace.info as BweInfo).availableBitrate);
    });
  }

  /** What the page needs to know of this peer: its transports and everything it consumes. */
  offer(): Pick<ControlResponse<'open-peer'>, 'sendTransport' | 'recvTransport' | 'consumers'> {
    return {
      sendTransport: parametersOf(this.sendTransport),
      recvTransport: parametersOf(this.recvTransport),
      consumers: [...this.#listening.values()].map(describeConsumer),
    };
  }

  get isConnected(): boolean {
    return [this.sendTransport, this.recvTransport].some(
      ({ iceState }) => iceState === 'connected' || iceState === 'completed',
    );
  }

  /** How many there are. */
  get consumers(): number {
    return this.#listening.size;
  }

  hears(producerId: ProducerId): boolean {
    return this.#listening.has(producerId);
  }

  describe(): ControlResponse<'describe-visit'>['peers'][number] {
    return {
      peer: this.id,
      sendTransportId: TransportId.parse(this.sendTransport.id),
      recvTransportId: TransportId.parse(this.recvTransport.id),
      producers: [...this.#producers].map(([producerId, { kind, paused }]) => ({
        producerId,
        kind,
        paused,
      })),
      consumers: [...this.#listening.values()].map((listening) => ({
        ...describeConsumer(listening),
        paused: listening.consumer.paused,
      })),
    };
  }

  /** @throws BedsideError `not-found`, `invalid-request` (other parameters than before), `media-unavailable` */
  connect(transportId: string, dtlsParameters: DtlsParameters): Promise<void> {
    const transport = this.#transport(transportId);
    let connecting = this.#connecting.get(transport.id);
    if (!connecting) {
      const done = transport.connect({ dtlsParameters: dtlsParameters as types.DtlsParameters });
      connecting = { parameters: dtlsParameters, done };
      this.#connecting.set(transport.id, connecting);
      // Refused parameters leave room for others; a call that is late is still under way.
      done.catch(() => this.#connecting.delete(transport.id));
    } else if (!isDeepStrictEqual(connecting.parameters, dtlsParameters)) {
      throw new BedsideError('invalid-request', { field: 'dtlsParameters' });
    }
    return call(connecting.done, this.#options.deadlineMs).catch((error: unknown) => {
      throw blame(error, 'dtlsParameters');
    });
  }

  /** @throws BedsideError `not-found`, `media-unavailable` */
  restartIce(transportId: string): Promise<IceParameters> {
    return call(this.#transport(transportId).restartIce(), this.#options.deadlineMs);
  }

  /** @throws BedsideError `media-unsupported`, `invalid-request`, `media-unavailable` */
  async produce(
    request: Omit<ControlRequest<'produce'>, 'visit' | 'epoch' | 'peer' | 'observed'>,
  ): Promise<types.Producer> {
    const { producerId, kind, rtpParameters, paused } = request;
    try {
      const producer = await call(
        this.sendTransport.produce({
          id: producerId,
          kind,
          rtpParameters: rtpParameters as unknown as types.RtpParameters,
          paused,
          ...(kind === 'video' ? { keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MS } : {}),
        }),
        this.#options.deadlineMs,
        (late) => late.close(),
      );
      this.#producers.set(producerId, producer);
      producer.observer.once('close', () => this.#producers.delete(producerId));
      return producer;
    } catch (error) {
      throw blame(error, 'rtpParameters');
    }
  }

  /**
   * Makes the consumers those of the plan. Where it throws, the consumers it added are closed again,
   * so that the same call later adds, and names, them all.
   * @param brought until then what is new waits; what goes, or changes, does not. Names what is not to be had
   *   at the moment
   * @throws BedsideError `media-unavailable`
   */
  async applyFlows(
    flows: readonly Flow[],
    brought: Promise<ReadonlySet<ProducerId>>,
  ): Promise<PeerPlanResult> {
    const diff = diffPlan(flows, new Set(this.#listening.keys()));
    for (const producerId of diff.remove) this.#stopListening(producerId);

    const refused: PeerPlanResult['refused'] = [];
    const added: Listening[] = [];
    const adding = diff.add.map(async (flow) => {
      const failed = await brought;
      if (this.recvTransport.closed) throw new BedsideError('media-unavailable');
      const reason = failed.has(flow.producerId) ? 'media-unavailable' : this.#reasonToRefuse(flow);
      if (reason) {
        refused.push({ producerId: flow.producerId, code: reason });
        return;
      }
      try {
        added.push(await this.#consume(flow));
      } catch (error) {
        const { code } = blame(error, 'rtpCapabilities');
        if (code === 'media-unavailable') throw error;
        refused.push({ producerId: flow.producerId, code });
      }
    });
    const keeping = diff.keep.map((flow) => {
      const listening = this.#listening.get(flow.producerId);
      if (!listening) return undefined;
      listening.flow = flow;
      return this.#settle(listening);
    });
    const settled = await Promise.allSettled([...adding, ...keeping]);
    const outcomes = [...settled, ...(await Promise.allSettled([this.#watchLine()]))];
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      this.retract({ added: added.map(describeConsumer), removed: [] });
      throw blame(failed.reason, 'flows');
    }

    const order = new Map(flows.map((flow, index) => [flow.producerId, index]));
    added.sort((a, b) => (order.get(a.flow.producerId) ?? 0) - (order.get(b.flow.producerId) ?? 0));
    const removed = [...this.#gone];
    this.#gone.clear();
    return { peer: this.id, added: added.map(describeConsumer), removed, refused };
  }

  /** Takes back a result that nobody heard of: a repeat adds, and names, it all. */
  retract({ added, removed }: Pick<PeerPlanResult, 'added' | 'removed'>): void {
    for (const { consumerId, producerId } of added) {
      this.#stopListening(producerId);
      this.#gone.delete(consumerId);
    }
    for (const consumerId of removed) this.#gone.add(consumerId);
  }

  /** Consumers that are not there any more are passed over. */
  async start(consumerIds: readonly ConsumerId[]): Promise<void> {
    const wanted = new Set<string>(consumerIds);
    await this.#settleAll((listening) => {
      if (!wanted.has(listening.consumer.id)) return false;
      listening.started = true;
      return true;
    });
  }

  /** Consumers that are not there any more are passed over. */
  async prefer(preferences: ControlRequest<'prefer-consumers'>['preferences']): Promise<void> {
    const byConsumer = new Map<string, Preference>(
      preferences.map(({ consumerId, ...preference }) => [consumerId, preference]),
    );
    await this.#settleAll((listening) => {
      const preference = byConsumer.get(listening.consumer.id);
      if (preference) listening.preference = preference;
      return preference !== undefined;
    });
  }

  /** Closes the transports, and with them all that the peer sends and hears. Idempotent. */
  close(): void {
    this.sendTransport.close();
    this.recvTransport.close();
  }

  #transport(id: string): types.WebRtcTransport {
    if (id === this.sendTransport.id) return this.sendTransport;
    if (id === this.recvTransport.id) return this.recvTransport;
    throw new BedsideError('not-found');
  }

  #reasonToRefuse(flow: Flow): PeerPlanResult['refused'][number]['code'] | undefined {
    const { router, rtpCapabilities, producerOf, room } = this.#options;
    if (!producerOf(flow.producerId)) return 'not-found';
    const able = router.canConsume({
      producerId: flow.producerId,
      rtpCapabilities: rtpCapabilities as unknown as types.RtpCapabilities,
    });
    if (!able) return 'media-unsupported';
    return room() > 0 ? undefined : 'capacity';
  }

  async #consume(flow: Flow): Promise<Listening> {
    // Until the transport connects, consumers may be live from the start: mediasoup asks for their
    // key frames when it does. After that, the page says when it is ready for new ones.
    const started = this.recvTransport.dtlsState !== 'connected';
    const settings = settingsOf(flow, started, undefined);
    const consumer = await call(
      this.#options.opens(
        this.recvTransport.consume({
          producerId: flow.producerId,
          rtpCapabilities: this.#options.rtpCapabilities as unknown as types.RtpCapabilities,
          paused: settings.paused,
        }),
      ),
      this.#options.deadlineMs,
      (late) => late.close(),
    );
    const consumerId = ConsumerId.parse(consumer.id);
    const listening: Listening = {
      consumer,
      flow,
      started,
      preference: undefined,
      asked: {
        paused: settings.paused,
        priority: consumer.priority,
        spatialLayer: undefined,
        temporalLayer: undefined,
      },
    };
    this.#listening.set(flow.producerId, listening);
    consumer.observer.once('close', () => {
      if (this.#listening.get(flow.producerId) !== listening) return;
      this.#listening.delete(flow.producerId);
      this.#gone.add(consumerId);
      this.#options.onConsumerClosed(consumerId);
    });
    const report = ({ score, producerScore }: types.ConsumerScore) =>
      this.#options.onConsumerScore(consumerId, score, producerScore);
    consumer.on('score', report);
    report(consumer.score);
    try {
      await this.#settle(listening);
    } catch (error) {
      consumer.close();
      this.#gone.delete(consumerId);
      throw error;
    }
    return listening;
  }

  get #signed(): Listening[] {
    return [...this.#listening.values()].filter(({ flow }) => flow.protected && !flow.paused);
  }

  /** Only what is protected needs to know the line, and it does not come for nothing. */
  async #watchLine(): Promise<void> {
    const isNeeded = this.#signed.length > 0;
    if (isNeeded === this.#isWatched || this.recvTransport.closed) return;
    const watched = this.recvTransport.enableTraceEvent(isNeeded ? ['bwe'] : []);
    await call(watched, this.#options.deadlineMs);
    this.#isWatched = isNeeded;
    if (isNeeded) return;
    this.#line = UNKNOWN_LINE;
    await this.#settleAll(() => true);
  }

  #lineChanged(available: number): void {
    if (!this.#isWatched) return;
    const before = this.#line;
    this.#line = estimated(before, available, this.#signed.length, performance.now());
    const settled: Promise<unknown>[] = [];
    const { tight, careful, cutAt } = this.#line;
    if (tight !== before.tight || careful !== before.careful)
      settled.push(this.#settleAll(() => true));
    if (cutAt !== before.cutAt) settled.push(...this.#signed.map(flush));
    // What the worker did not take is asked for again with the next plan.
    Promise.all(settled).catch(() => {});
  }

  #stopListening(producerId: ProducerId): void {
    this.#listening.get(producerId)?.consumer.close();
  }

  async #settleAll(changed: (listening: Listening) => boolean): Promise<void> {
    await Promise.all(
      [...this.#listening.values()].filter(changed).map((one) => this.#settle(one)),
    );
  }

  /** Asks the worker for what differs from what it was asked for before. */
  async #settle(listening: Listening): Promise<void> {
    const { consumer, asked } = listening;
    const { flow, started, preference } = listening;
    // Sound takes little, and goes first.
    const line = consumer.kind === 'video' ? this.#line : UNKNOWN_LINE;
    const wanted = settingsOf(flow, started, preference, line);
    listening.asked = wanted;
    const calls: Promise<void>[] = [];
    if (wanted.priority !== asked?.priority) calls.push(consumer.setPriority(wanted.priority));
    if (
      consumer.type !== 'simple' &&
      (!asked ||
        wanted.spatialLayer !== asked.spatialLayer ||
        wanted.temporalLayer !== asked.temporalLayer)
    ) {
      calls.push(
        consumer.setPreferredLayers({
          spatialLayer: wanted.spatialLayer ?? TOP_LAYER,
          temporalLayer: wanted.temporalLayer ?? TOP_LAYER,
        }),
      );
    }
    // Layers first, so that a consumer which resumes starts in the right one.
    if (wanted.paused !== asked?.paused) {
      calls.push(wanted.paused ? consumer.pause() : consumer.resume());
    }
    if (calls.length === 0) return;
    try {
      await call(Promise.all(calls), this.#options.deadlineMs);
    } catch (error) {
      listening.asked = undefined;
      if (this.recvTransport.closed) throw error;
      // The producer closed, and the consumer with it, while the worker was being asked. Of the two
      // pieces of news that follow, the one about the call may come first.
      if (error instanceof NotFoundError) consumer.close();
      if (!consumer.closed) throw error;
    }
  }
}

/**
 * Drops what is under way in a layer that the line does not carry any more, and all that would be sent
 * again of it: the picture goes on with the next key frame, in seconds less.
 */
async function flush({ consumer, asked }: Listening): Promise<void> {
  if (asked?.paused === false) await Promise.all([consumer.pause(), consumer.resume()]);
}

function describeConsumer({ consumer }: Listening): NodeConsumer {
  return {
    consumerId: ConsumerId.parse(consumer.id),
    producerId: ProducerId.parse(consumer.producerId),
    kind: consumer.kind,
    rtpParameters: consumer.rtpParameters as unknown as RtpParameters,
    producerPaused: consumer.producerPaused,
  };
}
