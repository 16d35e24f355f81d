import { randomInt } from 'node:crypto';
import {
  type ClientCommandName,
  type ClientEventName,
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
  /** Gets every event after `welcome`. */
  onEvent?: EventListener;
}

type EventListener = <Name extends ClientEventName>(
  name: Name,
  payload: ClientEventPayload<Name>,
) => void;
type Request<Name extends ClientCommandName> = Omit<ClientRequest<Name>, 'requestId'>;
type Source = ClientRequest<'produce'>['source'];

const DEADLINE_MS = 10_000;

/** What one track sends. */
export interface Sender {
  readonly producerId: ClientResponse<'produce'>['producerId'];
  readonly ssrc: number;
  /** Sends the next packet; `ticks` of the codec's clock after the last one. */
  send(payload: Buffer, ticks: number): boolean;
}

/** One participant without a browser: Socket.IO, the protocol, and media through libdatachannel. */
export class NativeParticipant {
  readonly #options: ParticipantOptions;
  readonly #deadlineMs: number;
  #socket: Socket;
  #welcome: ClientEventPayload<'welcome'>;
  #requests = 0;
  #transports: { send: MediaTransport; recv: MediaTransport } | undefined;
  #joined: ClientResponse<'join'> | undefined;

  /**
   * Connects and waits for `welcome`.
   * @throws Error when the gateway refuses or does not answer in time.
   */
  static async connect(options: ParticipantOptions): Promise<NativeParticipant> {
    return new NativeParticipant(options, await openSocket(options));
  }

  private constructor(options: ParticipantOptions, { socket, welcome }: OpenSocket) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#socket = socket;
    this.#welcome = welcome;
  }

  /** Of the latest socket. */
  get welcome(): ClientEventPayload<'welcome'> {
    return this.#welcome;
  }

  /** Another socket for the same session, at another gateway where one is named. The media goes on. */
  async reconnect(url = this.#options.url): Promise<void> {
    this.#socket.disconnect();
    const { sessionId } = this.#welcome;
    const { socket, welcome } = await openSocket({ ...this.#options, url }, sessionId);
    this.#socket = socket;
    this.#welcome = welcome;
  }

  /** The socket breaks; the media goes on. */
  drop(): void {
    this.#socket.disconnect();
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  /** What `join` gave. @throws Error before it. */
  get joined(): ClientResponse<'join'> {
    if (!this.#joined) throw new Error('join first');
    return this.#joined;
  }

  /**
   * `requestId` is a new one unless it is given.
   * @throws BedsideError that the gateway answers with; Error when it does not answer in time.
   */
  async command<Name extends ClientCommandName>(
    name: Name,
    request: Request<Name>,
    requestId = `r${++this.#requests}`,
  ): Promise<ClientResponse<Name>> {
    const answer: unknown = await this.#socket
      .timeout(this.#deadlineMs)
      .emitWithAck(name, { ...request, requestId });
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

  /** The transports end; `join` opens others. */
  closeMedia(): void {
    this.#transports?.send.close();
    this.#transports?.recv.close();
    this.#transports = undefined;
  }

  /** Drops socket and transports without a word, as a page that is gone. Idempotent. */
  close(): void {
    this.closeMedia();
    this.#socket.disconnect();
  }
}

interface OpenSocket {
  socket: Socket;
  welcome: ClientEventPayload<'welcome'>;
}

type SessionId = ClientEventPayload<'welcome'>['sessionId'];

/** Follows to the gateway that has the visit, where a balancer goes by its name. */
async function openSocket(options: ParticipantOptions, sessionId?: SessionId): Promise<OpenSocket> {
  try {
    return await openSocketAt(options, sessionId);
  } catch (error) {
    const { data } = error as { data?: { code?: string; gateway?: string } };
    if (data?.code !== 'moved' || !data.gateway) throw error;
    return openSocketAt(options, sessionId, data.gateway);
  }
}

async function openSocketAt(
  { url, visit, token, deadlineMs = DEADLINE_MS, onEvent }: ParticipantOptions,
  sessionId?: SessionId,
  gateway?: string,
): Promise<OpenSocket> {
  const auth = parse(ClientHandshake, { token, versions: SUPPORTED_VERSIONS, sessionId });
  const socket = io(url, {
    transports: ['websocket'],
    query: { visit, ...(gateway && { gateway }) },
    auth,
    forceNew: true,
    reconnection: false,
    timeout: deadlineMs,
  });
  for (const [name, { payload: schema }] of Object.entries(clientEvents)) {
    if (name === 'welcome') continue;
    socket.on(name, (payload: unknown, ack?: () => void) => {
      onEvent?.(name as ClientEventName, parse(schema, payload) as never);
      // Nothing has to be set up for a consumer here: each packet is told apart by its SSRC.
      ack?.();
    });
  }
  try {
    return { socket, welcome: await welcomed(socket, deadlineMs) };
  } catch (error) {
    socket.disconnect();
    throw error;
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
