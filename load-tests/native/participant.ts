import { randomInt } from 'node:crypto';
import {
  type ClientCommandName,
  type ClientEventPayload,
  ClientHandshake,
  type ClientRequest,
  type ClientResponse,
  clientCommands,
  clientEvents,
  parse,
  SUPPORTED_VERSIONS,
  unwrap,
} from '@bedside/protocol';
import { io, type Socket } from 'socket.io-client';
import { type Capabilities, plainCapabilities, sendParameters } from '../shared/capabilities.ts';
import { MediaTransport } from './media-transport.ts';
import { type RtpPacket, readRtp, writeRtp } from './rtp.ts';

export interface ParticipantOptions {
  /** The gateway: "http://127.0.0.1:7000". */
  url: string;
  visit: string;
  token: string;
  /** For each answer of the gateway and for DTLS, in ms. */
  deadlineMs?: number;
}

type Request<Name extends ClientCommandName> = Omit<ClientRequest<Name>, 'requestId'>;
type Source = ClientRequest<'produce'>['source'];

/** What one track sends. */
export interface Sender {
  readonly producerId: ClientResponse<'produce'>['producerId'];
  readonly ssrc: number;
  /** Sends the next packet; `ticks` of the codec's clock after the last one. */
  send(payload: Buffer, ticks: number): boolean;
}

/** One participant without a browser: Socket.IO, the protocol, and media through libdatachannel. */
export class NativeParticipant {
  readonly welcome: ClientEventPayload<'welcome'>;
  readonly #socket: Socket;
  readonly #deadlineMs: number;
  #requests = 0;
  #transports: { send: MediaTransport; recv: MediaTransport } | undefined;
  #joined: ClientResponse<'join'> | undefined;

  /**
   * Connects and waits for `welcome`.
   * @throws Error when the gateway refuses or does not answer in time.
   */
  static async connect(options: ParticipantOptions): Promise<NativeParticipant> {
    const deadlineMs = options.deadlineMs ?? 10_000;
    const auth = parse(ClientHandshake, { token: options.token, versions: SUPPORTED_VERSIONS });
    const socket = io(options.url, {
      transports: ['websocket'],
      query: { visit: options.visit },
      auth,
      forceNew: true,
      reconnection: false,
      timeout: deadlineMs,
    });
    try {
      return new NativeParticipant(socket, await welcomed(socket, deadlineMs), deadlineMs);
    } catch (error) {
      socket.disconnect();
      throw error;
    }
  }

  private constructor(socket: Socket, welcome: ClientEventPayload<'welcome'>, deadlineMs: number) {
    this.#socket = socket;
    this.#deadlineMs = deadlineMs;
    this.welcome = welcome;
    // Nothing has to be set up for a consumer here: each packet is told apart by its SSRC.
    socket.on('consumers', (_payload: unknown, ack?: () => void) => ack?.());
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  /** What `join` gave. @throws Error before it. */
  get joined(): ClientResponse<'join'> {
    if (!this.#joined) throw new Error('join first');
    return this.#joined;
  }

  /** @throws BedsideError that the gateway answers with; Error when it does not answer in time. */
  async command<Name extends ClientCommandName>(
    name: Name,
    request: Request<Name>,
  ): Promise<ClientResponse<Name>> {
    this.#requests += 1;
    const answer: unknown = await this.#socket
      .timeout(this.#deadlineMs)
      .emitWithAck(name, { ...request, requestId: `r${this.#requests}` });
    return unwrap(clientCommands[name].response, answer) as ClientResponse<Name>;
  }

  /** Joins; both transports exist at the node afterwards, neither is connected. */
  async join(
    capabilities: (offered: Capabilities) => Capabilities = plainCapabilities,
  ): Promise<void> {
    const rtpCapabilities = capabilities(this.welcome.rtpCapabilities);
    this.#joined = await this.command('join', { rtpCapabilities } as Request<'join'>);
  }

  /** Opens ICE and DTLS of both transports. */
  async connectMedia(): Promise<void> {
    const send = new MediaTransport(this.joined.sendTransport);
    const recv = new MediaTransport(this.joined.recvTransport);
    this.#transports = { send, recv };
    await Promise.all(
      [send, recv].map(async (transport) => {
        const { id: transportId, dtlsParameters } = transport;
        await Promise.all([
          this.command('connect-transport', { transportId, dtlsParameters }),
          transport.connect(this.#deadlineMs),
        ]);
      }),
    );
  }

  /** Announces one track; `connectMedia` first if packets are to be sent. */
  async produce(source: Source): Promise<Sender> {
    const ssrc = randomInt(1, 0xffff_ffff);
    const kind = source === 'microphone' || source === 'screen-audio' ? 'audio' : 'video';
    const rtpParameters = sendParameters(this.welcome.rtpCapabilities, kind, ssrc);
    const { producerId } = await this.command('produce', {
      transportId: this.joined.sendTransport.transportId,
      source,
      rtpParameters,
      paused: false,
    });
    const payloadType = rtpParameters.codecs[0]?.payloadType ?? 0;
    let sequenceNumber = randomInt(0x1_0000);
    let timestamp = randomInt(0xffff_ffff);
    const send = (payload: Buffer, ticks: number): boolean => {
      const sent =
        this.#transports?.send.send(
          writeRtp({ payloadType, sequenceNumber, timestamp, ssrc, payload }),
        ) ?? false;
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      timestamp = (timestamp + ticks) >>> 0;
      return sent;
    };
    return { producerId, ssrc, send };
  }

  /** Every RTP packet of every consumer; `connectMedia` first. */
  onRtp(listener: (packet: RtpPacket) => void): void {
    this.#transports?.recv.onPacket((packet) => {
      const rtp = readRtp(packet);
      if (rtp) listener(rtp);
    });
  }

  /** Leaves for good and closes everything. */
  async leave(): Promise<void> {
    try {
      await this.command('leave', {});
    } finally {
      this.close();
    }
  }

  /** Drops socket and transports without a word, as a page that is gone. Idempotent. */
  close(): void {
    this.#transports?.send.close();
    this.#transports?.recv.close();
    this.#transports = undefined;
    this.#socket.disconnect();
  }
}

function welcomed(socket: Socket, deadlineMs: number): Promise<ClientEventPayload<'welcome'>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no welcome in ${deadlineMs} ms`)), deadlineMs);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    socket.once('welcome', (payload: unknown) =>
      settle(() => {
        try {
          resolve(parse(clientEvents.welcome.payload, payload));
        } catch (error) {
          reject(error);
        }
      }),
    );
    socket.once('connect_error', (error) => settle(() => reject(error)));
    socket.once('disconnect', (reason) =>
      settle(() => reject(new Error(`disconnected: ${reason}`))),
    );
  });
}
