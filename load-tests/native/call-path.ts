import type {
  ClientResponse,
  ConsumerId,
  ConsumerParameters,
  ProducerId,
  TransportId,
} from '@bedside/protocol';
import { keyOf, type WatchedPath } from '../../sdk/src/media/relocation.ts';
import type { Received, Snapshot } from '../../sdk/src/media/steadiness.ts';
import { MediaTransport } from './media-transport.ts';
import { asksForKeyFrame, readRtp, writeRtp } from './rtp.ts';
import { readNumber, type Track } from './track.ts';

export type CallSource = 'microphone' | 'camera';

type Transport = ClientResponse<'join'>['sendTransport'];

/** Where a candidate of a node is reached, in place of its address. */
export type Detour = (address: string, port: number) => { address: string; port: number };

export interface CallPathHandlers {
  /** A packet of what somebody sends, with the number that its sender gave it. */
  arrived(consumer: ConsumerParameters, number: number): void;
}

/** The transports of one `join` or `relocate`, with what was agreed on them. */
export class CallPath implements WatchedPath<undefined> {
  /** Its address, as ICE has it. */
  readonly node: string | undefined;
  readonly send: MediaTransport;
  readonly recv: MediaTransport;
  /** What the visit knows the tracks by that are sent here. */
  readonly producers = new Map<CallSource, ProducerId>();
  readonly #consumers = new Map<ConsumerId, ConsumerParameters>();
  readonly #bySsrc = new Map<number, ConsumerParameters>();
  readonly #packets = new Map<string, number>();
  #keyFrameAsked = true;
  #bytes = 0;

  constructor(send: Transport, recv: Transport, detour: Detour, handlers: CallPathHandlers) {
    this.node = recv.iceCandidates[0]?.address;
    this.send = new MediaTransport(led(send, detour));
    this.recv = new MediaTransport(led(recv, detour));
    this.send.onPacket((packet) => {
      if (asksForKeyFrame(packet)) this.#keyFrameAsked = true;
    });
    this.recv.onPacket((packet) => {
      const rtp = readRtp(packet);
      const consumer = rtp && this.#bySsrc.get(rtp.ssrc);
      if (!consumer) return;
      const key = keyOf(consumer);
      this.#packets.set(key, (this.#packets.get(key) ?? 0) + 1);
      this.#bytes += packet.length;
      handlers.arrived(consumer, readNumber(rtp.payload));
    });
  }

  get recvTransportId(): TransportId {
    return this.recv.id;
  }

  get isConnected(): boolean {
    return this.send.isConnected && this.recv.isConnected;
  }

  get consumerIds(): ConsumerId[] {
    return [...this.#consumers.keys()];
  }

  /** Of media, so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get received(): (readonly [ConsumerParameters, undefined])[] {
    return [...this.#consumers.values()].map((consumer) => [consumer, undefined] as const);
  }

  async snapshot(): Promise<Snapshot> {
    return new Map(
      this.received.map(([consumer]): [string, Received] => {
        const key = keyOf(consumer);
        const packets = this.#packets.get(key) ?? 0;
        // Each packet is a frame, and the node lets none through before a key frame.
        return [
          key,
          consumer.kind === 'video' ? { packets, frames: packets, height: 1 } : { packets },
        ];
      }),
    );
  }

  told(added: readonly ConsumerParameters[], removed: readonly ConsumerId[]): void {
    for (const id of removed) this.#consumers.delete(id);
    for (const consumer of added) this.#consumers.set(consumer.consumerId, consumer);
    this.#bySsrc.clear();
    for (const consumer of this.#consumers.values()) {
      const ssrc = consumer.rtpParameters.encodings?.[0]?.ssrc;
      if (ssrc !== undefined) this.#bySsrc.set(ssrc, consumer);
    }
  }

  /** The encoder of a new sender starts with a key frame. */
  produced(source: CallSource, producerId: ProducerId): void {
    if (source === 'camera') this.#keyFrameAsked = true;
    this.producers.set(source, producerId);
  }

  /** One packet of a track, where it is sent here. */
  write(source: CallSource, track: Track): void {
    if (!this.producers.has(source)) return;
    const isKeyFrame = source === 'camera' && this.#keyFrameAsked;
    if (isKeyFrame) this.#keyFrameAsked = false;
    this.send.send(writeRtp({ ...track, payload: track.payload(isKeyFrame) }));
  }

  close(): void {
    this.send.close();
    this.recv.close();
  }
}

const led = (transport: Transport, detour: Detour): Transport => ({
  ...transport,
  iceCandidates: transport.iceCandidates
    .filter(({ protocol }) => protocol === 'udp')
    .map((candidate) => ({ ...candidate, ...detour(candidate.address, candidate.port) })),
});
