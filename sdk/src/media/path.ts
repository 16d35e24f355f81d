import {
  BedsideError,
  type ClientEventPayload,
  type ClientResponse,
  type ConsumerId,
  type ConsumerParameters,
  type IceServer,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
  type TransportId,
  type TransportParameters,
  toBedsideError,
} from '@bedside/protocol';
import type { Device, types } from 'mediasoup-client';
import type { Signal } from '../signal.ts';
import { arrivedOver, snapshotOf } from '../stats.ts';
import { sendOptions } from './encodings.ts';
import { FlowWatch } from './flow-watch.ts';
import { IceGuard } from './ice-guard.ts';
import type { WatchedPath } from './relocation.ts';
import { signingEncodings } from './signing.ts';

export interface PathHandlers {
  received(parameters: ConsumerParameters, track: MediaStreamTrack): void;
  /** The track still lives, until the browser comes to its next task. */
  removed(consumerId: ConsumerId): void;
  /** Whether somebody is to be heard over it now. */
  isExpected(): boolean;
  /** Neither waiting nor an ICE restart helps: the page has to join again. */
  failed(): void;
}

/** Of `relocate`, too. */
export type JoinAnswer = Pick<ClientResponse<'join'>, 'sendTransport' | 'recvTransport'>;

interface End {
  transport: types.Transport;
  guard: IceGuard;
}

/** A track on its way to the visit. */
export interface Sender {
  /** Resolves with the id that the visit knows it by. @throws BedsideError */
  readonly published: Promise<ProducerId>;
  readonly producerId: ProducerId | undefined;
  replaceTrack(track: MediaStreamTrack | null): Promise<void>;
  /** Locally at once; the promise is the gateway's answer. @throws BedsideError */
  setPaused(paused: boolean): Promise<void>;
  /** Whether the encoder gives up resolution before frame rate. Best effort: not all browsers can. */
  favourMotion(motion: boolean): Promise<void>;
  close(): void;
}

const WARM_UP = 'warm-up';

/** Both transports of one join, with what flows on them. Owned by the Visit; closes all it made. */
export class MediaPath implements WatchedPath {
  readonly #device: Device;
  readonly #signal: Signal;
  readonly #handlers: PathHandlers;
  readonly #send: End;
  readonly #recv: End;
  readonly #flow: FlowWatch;
  readonly #consumers = new Map<ConsumerId, types.Consumer | undefined>();
  readonly #parameters = new Map<ConsumerId, ConsumerParameters>();
  readonly #streams = new Map<string, string>();
  /** The visit goes by the tracks of another path: of what is done to those of this one it need not be told. */
  isSpare = false;
  #closed = false;

  constructor(
    device: Device,
    signal: Signal,
    answer: JoinAnswer,
    iceServers: IceServer[],
    handlers: PathHandlers,
  ) {
    this.#device = device;
    this.#signal = signal;
    this.#handlers = handlers;
    const options = (parameters: TransportParameters): types.TransportOptions =>
      ({
        ...parameters,
        id: parameters.transportId,
        iceServers,
      }) as unknown as types.TransportOptions;
    this.#send = this.#watch(device.createSendTransport(options(answer.sendTransport)));
    this.#recv = this.#watch(device.createRecvTransport(options(answer.recvTransport)));
    this.#flow = new FlowWatch({
      isExpected: () => this.#recv.guard.isConnected && handlers.isExpected(),
      arrived: () => arrivedOver(this.#recv.transport),
      restart: async () => {
        await this.#recv.guard.peerFailed();
        return signal.isReady;
      },
      giveUp: () => this.#fail(),
    });
    this.#send.transport.on('produce', ({ rtpParameters, appData }, accept) => {
      const pending = appData as unknown as PendingProduce;
      pending.sent = signal
        .request('produce', {
          transportId: answer.sendTransport.transportId,
          source: pending.source,
          rtpParameters: rtpParameters as never,
          paused: pending.paused,
        })
        .then(({ producerId }) => producerId);
      pending.sent.catch(() => {});
      // The local half need not know the producer's id, so the next track does not wait for the answer.
      accept({ id: crypto.randomUUID() });
    });
  }

  get consumerIds(): ConsumerId[] {
    return [...this.#consumers.keys()];
  }

  get transports(): [send: types.Transport, recv: types.Transport] {
    return [this.#send.transport, this.#recv.transport];
  }

  get recvTransportId(): TransportId {
    return this.#recv.transport.id as TransportId;
  }

  get isConnected(): boolean {
    return this.transports.every(
      ({ connectionState }) => connectionState === 'connected' || connectionState === 'new',
    );
  }

  get received(): (readonly [ConsumerParameters, MediaStreamTrack])[] {
    return [...this.#parameters.values()].flatMap((parameters) => {
      const track = this.#consumers.get(parameters.consumerId)?.track;
      return track ? [[parameters, track] as const] : [];
    });
  }

  consumersOf(participantId: ParticipantId, source: MediaSource): ConsumerId[] {
    return [...this.#parameters.values()]
      .filter((each) => each.participantId === participantId && each.source === source)
      .map(({ consumerId }) => consumerId);
  }

  snapshot() {
    return snapshotOf(this);
  }

  /** What is being received, by the id of its local track. */
  parametersByTrack(): Map<string, ConsumerParameters> {
    return new Map(this.received.map(([parameters, track]) => [track.id, parameters]));
  }

  /** Sets all of them up in one negotiation. Resolves when they are ready to receive; one that fails is left out. */
  async add(added: readonly ConsumerParameters[]): Promise<void> {
    await Promise.all(added.map((parameters) => this.#consume(parameters)));
  }

  /**
   * Connects the receiving transport though there is nothing to receive yet, so that who waits gets the
   * first picture without ICE and DTLS in its way. The consumer is this page's alone: the visit knows
   * nothing of it, and nothing ever arrives on it.
   */
  async warmUp(): Promise<void> {
    const codec = this.#device.rtpCapabilities.codecs?.find(({ kind }) => kind === 'audio');
    if (!codec?.preferredPayloadType || this.#closed) return;
    const { mimeType, clockRate, channels, preferredPayloadType: payloadType } = codec;
    await this.#recv.transport
      .consume({
        id: WARM_UP,
        producerId: WARM_UP,
        kind: 'audio',
        rtpParameters: {
          mid: WARM_UP,
          codecs: [{ mimeType, clockRate, ...(channels && { channels }), payloadType }],
          encodings: [{ ssrc: 1 }],
          rtcp: { cname: WARM_UP },
        },
      })
      .catch(() => {});
  }

  remove(consumerIds: readonly ConsumerId[]): void {
    for (const consumerId of consumerIds) {
      const consumer = this.#consumers.get(consumerId);
      if (!this.#consumers.delete(consumerId)) continue;
      this.#parameters.delete(consumerId);
      this.#handlers.removed(consumerId);
      if (consumer) setTimeout(() => consumer.close());
    }
  }

  /** The plan plays it otherwise. */
  update({ consumerId, ...played }: ClientEventPayload<'consumers'>['updated'][number]): void {
    const parameters = this.#parameters.get(consumerId);
    if (parameters) Object.assign(parameters, { protected: false }, played);
  }

  publish(source: MediaSource, track: MediaStreamTrack, paused: boolean): Sender {
    return new TrackSender(this.#send.transport, this.#signal, () => this.isSpare, {
      track,
      ...sendOptions(source, this.#device.sendRtpCapabilities.codecs ?? [], track.getSettings()),
      // Tracks outlive transports: they move to the next one after a failure.
      stopTracks: false,
      appData: { source, paused } satisfies PendingProduce as never,
    });
  }

  /** One of this session that no Sender stands for. */
  async closeProducer(producerId: ProducerId): Promise<void> {
    await this.#signal.request('close-producer', { producerId });
  }

  /** The network changed, or the gateway is back: mend what is broken now. */
  check(): void {
    this.#send.guard.check();
    this.#recv.guard.check();
  }

  peerFailed(transportId: TransportId): void {
    for (const end of [this.#send, this.#recv])
      if (end.transport.id === transportId) void end.guard.peerFailed();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#flow.close();
    for (const { guard } of [this.#send, this.#recv]) guard.close();
    for (const consumerId of this.consumerIds) this.#handlers.removed(consumerId);
    this.#consumers.clear();
    this.#parameters.clear();
    // It takes a while, for which a join is not to wait.
    setTimeout(() => {
      for (const transport of this.transports) transport.close();
    });
  }

  async #consume(parameters: ConsumerParameters): Promise<void> {
    const { consumerId, producerId, kind, rtpParameters } = parameters;
    if (this.#closed || this.#consumers.has(consumerId)) return;
    this.#consumers.set(consumerId, undefined);
    this.#parameters.set(consumerId, parameters);
    try {
      const consumer = await this.#recv.transport.consume({
        id: consumerId,
        producerId,
        kind,
        rtpParameters: rtpParameters as types.RtpParameters,
        streamId: this.#streamOf(parameters),
      });
      // Removed while it was being set up.
      if (this.#parameters.get(consumerId) !== parameters) return consumer.close();
      this.#consumers.set(consumerId, consumer);
      this.#handlers.received(parameters, consumer.track);
    } catch (error) {
      this.#consumers.delete(consumerId);
      this.#parameters.delete(consumerId);
      if (!this.#closed) console.warn('Bedside: a track can not be received.', error);
    }
  }

  /** Sound and picture of one person are one stream, so the browser keeps them in lip sync. */
  #streamOf({ participantId, source }: ConsumerParameters): string {
    const of = source.startsWith('screen') ? 'screen' : source === 'exam' ? source : 'person';
    const key = `${participantId} ${of}`;
    const known = this.#streams.get(key) ?? `s${this.#streams.size}`;
    this.#streams.set(key, known);
    return known;
  }

  #watch(transport: types.Transport): End {
    const transportId = transport.id as TransportId;
    const guard = new IceGuard({
      canAsk: () => this.#signal.isReady,
      restart: async () => {
        const { iceParameters } = await this.#signal.request('restart-ice', { transportId });
        await transport.restartIce({ iceParameters: iceParameters as types.IceParameters });
      },
      giveUp: () => this.#fail(),
    });
    transport.on('connectionstatechange', (state) => guard.stateChanged(state));
    transport.on('connect', ({ dtlsParameters }, accept) => {
      // Not awaited: ICE and DTLS start while the parameters are under way.
      accept();
      this.#signal
        .request('connect-transport', { transportId, dtlsParameters })
        .catch(() => this.#fail());
    });
    return { transport, guard };
  }

  #fail(): void {
    if (!this.#closed) this.#handlers.failed();
  }
}

/** Travels through mediasoup-client as appData; the `produce` listener leaves the gateway's answer in `sent`. */
interface PendingProduce {
  source: MediaSource;
  paused: boolean;
  sent?: Promise<ProducerId>;
}

class TrackSender implements Sender {
  readonly published: Promise<ProducerId>;
  producerId: ProducerId | undefined;
  readonly #signal: Signal;
  readonly #isSpare: () => boolean;
  readonly #producer: Promise<types.Producer>;
  readonly #pending: PendingProduce;
  /** What the browser had before the first change. */
  #usual: { degradationPreference: unknown; encodings: RTCRtpEncodingParameters[] } | undefined;
  #closed = false;

  constructor(
    transport: types.Transport,
    signal: Signal,
    isSpare: () => boolean,
    options: types.ProducerOptions,
  ) {
    this.#signal = signal;
    this.#isSpare = isSpare;
    this.#pending = options.appData as unknown as PendingProduce;
    this.#producer = transport.produce(options);
    this.published = this.#publish();
    this.published.catch(() => {});
  }

  async replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    const producer = await this.#producer;
    if (!producer.closed) await producer.replaceTrack({ track });
  }

  async setPaused(paused: boolean): Promise<void> {
    this.#pending.paused = paused;
    const producer = await this.#producer;
    if (!producer.closed) {
      if (paused) producer.pause();
      else producer.resume();
    }
    const producerId = await this.published;
    // A later wish has overtaken this one; it tells the gateway itself.
    if (this.#closed || this.#pending.paused !== paused || this.#isSpare()) return;
    await this.#signal.request('pause-producer', { producerId, paused });
  }

  async favourMotion(motion: boolean): Promise<void> {
    try {
      const { rtpSender } = await this.#producer;
      const parameters = rtpSender?.getParameters();
      if (!rtpSender || !parameters) return;
      const { degradationPreference, encodings } = parameters;
      this.#usual ??= { degradationPreference, encodings };
      const { width = 1280, height = 720 } = rtpSender.track?.getSettings() ?? {};
      const layers = signingEncodings(Math.min(width, height));
      await rtpSender.setParameters({
        ...parameters,
        ...this.#usual,
        ...(motion && {
          degradationPreference: 'maintain-framerate',
          encodings: encodings.map((each, at) => ({ ...each, ...layers[at] })),
        }),
      } as RTCRtpSendParameters);
    } catch {
      // Closed meanwhile, or no such parameter here: the track's content hint says the same.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#producer.then((producer) => producer.close()).catch(() => {});
    if (this.#isSpare()) return;
    this.published
      .then((producerId) => this.#signal.request('close-producer', { producerId }))
      .catch(() => {});
  }

  async #publish(): Promise<ProducerId> {
    try {
      const producer = await this.#producer;
      if (this.#pending.paused) producer.pause();
      try {
        // Set by the `produce` listener, which ran before produce() resolved.
        this.producerId = await (this.#pending.sent as Promise<ProducerId>);
      } catch (error) {
        producer.close();
        throw error;
      }
      return this.producerId;
    } catch (error) {
      throw error instanceof BedsideError ? error : toProduceError(error);
    }
  }
}

/** mediasoup-client names what the browser can not encode UnsupportedError; a closed transport InvalidStateError. */
function toProduceError(error: unknown): BedsideError {
  const name = (error as { name?: unknown } | null)?.name;
  if (name === 'UnsupportedError') return new BedsideError('media-unsupported', { cause: error });
  if (name === 'InvalidStateError' || name === 'AwaitQueueStoppedError')
    return new BedsideError('media-lost', { cause: error });
  return toBedsideError(error);
}
