import { isDeepStrictEqual } from 'node:util';
import {
  BedsideError,
  type PipedProducer,
  type PipeEnd,
  type ProducerId,
  type RtpParameters,
} from '@bedside/protocol';
import type { types } from 'mediasoup';
import { NotFoundError } from 'mediasoup/errors';
import type { PipeSettings } from '../config.ts';
import { blame, call } from '../media/call.ts';
import { KEY_FRAME_REQUEST_DELAY_MS } from '../media/transports.ts';
import { watchPipe } from './pipe-watch.ts';

export interface PipeOptions {
  router: types.Router;
  settings: PipeSettings;
  deadlineMs: number;
}

/** A producer that may go through a pipe. */
export interface Outgoing {
  readonly producer: types.Producer;
  readonly observed: boolean;
}

/**
 * This node's end of a pipe: a socket of its own, encrypted by the two keys that the gateway exchanges.
 * It sends nothing before it is connected, and takes nothing from elsewhere after.
 */
class PipeSocket {
  readonly transport: types.PipeTransport;
  readonly end: PipeEnd;
  readonly #settings: PipeSettings;
  readonly #deadlineMs: number;
  #connecting: { end: PipeEnd; done: Promise<void> } | undefined;

  private constructor(transport: types.PipeTransport, { settings, deadlineMs }: PipeOptions) {
    const { srtpParameters, tuple } = transport;
    if (!srtpParameters) throw new Error('a pipe without SRTP');
    this.transport = transport;
    this.end = { ip: tuple.localAddress, port: tuple.localPort, srtp: srtpParameters };
    this.#settings = settings;
    this.#deadlineMs = deadlineMs;
  }

  /** @throws BedsideError `capacity` where no port is free, `media-unavailable` */
  static async open(options: PipeOptions): Promise<PipeSocket> {
    const { ip, announced, ports } = options.settings;
    try {
      const transport = await call(
        options.router.createPipeTransport({
          listenInfo: {
            protocol: 'udp',
            ip,
            ...(announced === undefined ? {} : { announcedAddress: announced }),
            ...(ports ? { portRange: { ...ports } } : {}),
          },
          enableRtx: true,
          enableSrtp: true,
        }),
        options.deadlineMs,
        (late) => late.close(),
      );
      return new PipeSocket(transport, options);
    } catch (error) {
      if (String(error).includes('no more available ports')) {
        throw new BedsideError('capacity', { cause: error });
      }
      throw error;
    }
  }

  /**
   * @param end where the other node is; the same one again changes nothing
   * @throws BedsideError `forbidden`, `conflict` (another end than before), `invalid-request`, `media-unavailable`
   */
  async connect(end: PipeEnd): Promise<void> {
    refuseUnlisted(end, this.#settings);
    if (!this.#connecting) {
      const { ip, port, srtp } = end;
      const srtpParameters = srtp as types.SrtpParameters;
      const connecting = { end, done: this.transport.connect({ ip, port, srtpParameters }) };
      this.#connecting = connecting;
      // What the worker refused leaves room for another end; a call that is late is still under way.
      connecting.done.catch(() => {
        this.#connecting = undefined;
      });
    } else if (!isDeepStrictEqual(this.#connecting.end, end)) {
      throw new BedsideError('conflict', { field: 'end' });
    }
    await call(this.#connecting.done, this.#deadlineMs).catch((error: unknown) => {
      throw blame(error, 'end');
    });
  }
}

/** @throws BedsideError `forbidden` */
function refuseUnlisted({ ip }: PipeEnd, { peers }: PipeSettings): void {
  if (!peers.has(ip)) throw new BedsideError('forbidden', { field: 'end' });
}

/** The end that media leaves by. Owned by its visit, which calls one method at a time. */
export class SendingPipe {
  readonly #socket: PipeSocket;
  readonly #deadlineMs: number;
  readonly #consumers = new Map<ProducerId, types.Consumer>();

  private constructor(socket: PipeSocket, deadlineMs: number) {
    this.#socket = socket;
    this.#deadlineMs = deadlineMs;
  }

  /** @throws BedsideError `capacity`, `media-unavailable` */
  static async open(options: PipeOptions, onSilent: () => void): Promise<SendingPipe> {
    const socket = await PipeSocket.open(options);
    const { transport } = socket;
    const closed = new AbortController();
    transport.observer.once('close', () => closed.abort());
    void watchPipe({
      counts: async () => {
        const [stat] = await call(transport.getStats(), options.deadlineMs);
        return { sent: stat?.bytesSent ?? 0, received: stat?.bytesReceived ?? 0 };
      },
      silenceMs: options.settings.silenceMs,
      onSilent,
      signal: closed.signal,
    });
    return new SendingPipe(socket, options.deadlineMs);
  }

  get end(): PipeEnd {
    return this.#socket.end;
  }

  get producerIds(): ProducerId[] {
    return [...this.#consumers.keys()];
  }

  carries(id: ProducerId): boolean {
    return this.#consumers.has(id);
  }

  /** @throws BedsideError `forbidden`, `conflict`, `invalid-request`, `media-unavailable` */
  connect(end: PipeEnd): Promise<void> {
    return this.#socket.connect(end);
  }

  /**
   * Makes what goes through the pipe equal to these.
   * @returns them as they leave, without those that closed meanwhile
   * @throws BedsideError `media-unavailable`
   */
  async carry(outgoing: ReadonlyMap<ProducerId, Outgoing>): Promise<PipedProducer[]> {
    for (const [id, consumer] of this.#consumers) if (!outgoing.has(id)) consumer.close();
    const outcomes = await Promise.allSettled(
      [...outgoing].map(async ([producerId, { producer, observed }]) => {
        const consumer = this.#consumers.get(producerId) ?? (await this.#consume(producerId));
        if (!consumer) return undefined;
        return {
          producerId,
          kind: consumer.kind,
          rtpParameters: consumer.rtpParameters as unknown as RtpParameters,
          paused: producer.paused,
          observed,
        };
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return outcomes.flatMap((one) => (one.status === 'fulfilled' && one.value ? [one.value] : []));
  }

  /** Idempotent. */
  close(): void {
    this.#socket.transport.close();
  }

  async #consume(producerId: ProducerId): Promise<types.Consumer | undefined> {
    try {
      const consumer = await call(
        this.#socket.transport.consume({ producerId }),
        this.#deadlineMs,
        (late) => late.close(),
      );
      this.#consumers.set(producerId, consumer);
      consumer.observer.once('close', () => this.#consumers.delete(producerId));
      return consumer;
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }
}

/** The end that media comes in by. Owned by its visit, which calls one method at a time. */
export class ReceivingPipe {
  readonly #socket: PipeSocket;
  readonly #deadlineMs: number;
  readonly #producers = new Map<
    ProducerId,
    { producer: types.Producer; rtpParameters: RtpParameters }
  >();

  private constructor(socket: PipeSocket, deadlineMs: number) {
    this.#socket = socket;
    this.#deadlineMs = deadlineMs;
  }

  /** @throws BedsideError `forbidden`, `invalid-request`, `capacity`, `media-unavailable` */
  static async open(end: PipeEnd, options: PipeOptions): Promise<ReceivingPipe> {
    refuseUnlisted(end, options.settings);
    const socket = await PipeSocket.open(options);
    try {
      await socket.connect(end);
      return new ReceivingPipe(socket, options.deadlineMs);
    } catch (error) {
      socket.transport.close();
      throw error;
    }
  }

  get end(): PipeEnd {
    return this.#socket.end;
  }

  get producerIds(): ProducerId[] {
    return [...this.#producers.keys()];
  }

  /**
   * Where the same end is connected already, this changes nothing.
   * @throws BedsideError `forbidden`, `conflict`, `invalid-request`, `media-unavailable`
   */
  connect(end: PipeEnd): Promise<void> {
    return this.#socket.connect(end);
  }

  /** Closes what is not among these, or comes by another name of its packets now. */
  retain(piped: readonly PipedProducer[]): void {
    const kept = new Map(piped.map((one) => [one.producerId, one.rtpParameters]));
    for (const [id, { producer, rtpParameters }] of this.#producers) {
      if (!isDeepStrictEqual(kept.get(id), rtpParameters)) producer.close();
    }
  }

  /** @throws BedsideError `invalid-request`, `media-unsupported`, `media-unavailable` */
  async produce({
    producerId,
    kind,
    rtpParameters,
    paused,
  }: PipedProducer): Promise<types.Producer> {
    try {
      const producer = await call(
        this.#socket.transport.produce({
          id: producerId,
          kind,
          // mediasoup completes what it is given.
          rtpParameters: structuredClone(rtpParameters) as unknown as types.RtpParameters,
          paused,
          ...(kind === 'video' ? { keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY_MS } : {}),
        }),
        this.#deadlineMs,
        (late) => late.close(),
      );
      this.#producers.set(producerId, { producer, rtpParameters });
      producer.observer.once('close', () => this.#producers.delete(producerId));
      return producer;
    } catch (error) {
      throw blame(error, 'producers');
    }
  }

  /** Idempotent. */
  close(): void {
    this.#socket.transport.close();
  }
}
