import { setTimeout as delay } from 'node:timers/promises';
import type { ClientResponse } from '@bedside/protocol';
import ndc, { type PeerConnection, type Track } from 'node-datachannel';
import { answerOf, fingerprintOf } from './sdp.ts';

type TransportParameters = ClientResponse<'join'>['sendTransport'];

/**
 * The client's end of one WebRTC transport: ICE, DTLS and SRTP in libdatachannel, RTP packets in and
 * out as they are. One media section carries all SSRCs, so libdatachannel hands every packet to it.
 */
export class MediaTransport {
  readonly id: TransportParameters['transportId'];
  readonly dtlsParameters: { role: 'client'; fingerprints: { algorithm: string; value: string }[] };
  readonly #peer: PeerConnection;
  readonly #track: Track;
  readonly #parameters: TransportParameters;
  #isConnected = false;

  constructor(parameters: TransportParameters) {
    this.id = parameters.transportId;
    this.#parameters = parameters;
    this.#peer = new ndc.PeerConnection('load', {
      iceServers: [],
      disableAutoNegotiation: true,
      forceMediaTransport: true,
    });
    const media = new ndc.Audio('0', 'SendRecv');
    media.addOpusCodec(111);
    this.#track = this.#peer.addTrack(media);
    this.#peer.setLocalDescription('offer');
    const offer = this.#peer.localDescription();
    if (!offer) throw new Error('no local description');
    this.dtlsParameters = { role: 'client', fingerprints: [fingerprintOf(offer.sdp)] };
  }

  /**
   * Resolves once DTLS is connected. The node has to get `dtlsParameters` too, before or after.
   * @throws Error after `deadlineMs`, or when ICE or DTLS fails.
   */
  async connect(deadlineMs = 10_000): Promise<void> {
    const opened = new Promise<void>((resolve, reject) => {
      this.#peer.onStateChange((state) => {
        if (state === 'connected') resolve();
        if (state === 'failed' || state === 'closed')
          reject(new Error(`the transport is ${state}`));
      });
    });
    this.#peer.setRemoteDescription(answerOf(this.#parameters), 'answer');
    const timer = new AbortController();
    const deadline = delay(deadlineMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`the transport did not connect in ${deadlineMs} ms`);
    });
    try {
      await Promise.race([opened, deadline]);
      this.#isConnected = true;
    } finally {
      timer.abort();
    }
  }

  /** It was; that packets still pass is not said. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** False where the packet could not be sent: not connected, or closed. */
  send(rtp: Buffer): boolean {
    try {
      return this.#track.isOpen() && this.#track.sendMessageBinary(rtp);
    } catch {
      // The other end closed it between the two.
      return false;
    }
  }

  /** Every RTP and RTCP packet that arrives, decrypted. One listener. */
  onPacket(listener: (packet: Buffer) => void): void {
    this.#track.onMessage(listener);
  }

  close(): void {
    this.#peer.close();
  }
}

/** Once no transport is used any more: lets the process end, which libdatachannel's threads keep alive. */
export function releaseMedia(): void {
  ndc.cleanup();
}
