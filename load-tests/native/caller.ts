import { randomInt } from 'node:crypto';
import type {
  ClientCommandName,
  ClientCommands,
  ClientEventMap,
  ClientResponse,
  ConsumerId,
  ConsumerParameters,
  ParticipantId,
  ParticipantView,
} from '@bedside/protocol';
import { Connection } from '../../sdk/src/connection.ts';
import { Session } from '../../sdk/src/session/session.ts';
import { type RequestBody, visitWire, type Welcome } from '../../sdk/src/signal.ts';
import { visitOfToken } from '../../sdk/src/token.ts';
import { plainCapabilities, sendParameters } from '../shared/capabilities.ts';
import { MediaTransport } from './media-transport.ts';
import { asksForKeyFrame, readRtp, writeRtp } from './rtp.ts';

export interface CallerOptions {
  /** The balancer, or a gateway. */
  url: string;
  token: string;
  /** Milliseconds between two packets of sound, and between two of the picture. */
  soundMs?: number;
  pictureMs?: number;
  /** A packet of what somebody sends has arrived; `at` in milliseconds of performance.now(). */
  onArrival?: (from: ParticipantId, source: ConsumerParameters['source'], at: number) => void;
  /** The media was lost, and is set up anew. */
  onMediaLost?: () => void;
}

type Source = 'microphone' | 'camera';
const SOURCES: readonly Source[] = ['microphone', 'camera'];
const DEADLINE_MS = 8_000;
/** Between two looks at what is due to be sent. */
const TICK_MS = 5;

/** One track that is sent, over all transports that it lived on. */
interface Track {
  readonly ssrc: number;
  readonly everyMs: number;
  readonly ticks: number;
  payloadType: number;
  sequenceNumber: number;
  timestamp: number;
  dueAt: number;
}

/** The transports of one join, with what was agreed on them. */
interface Path {
  readonly send: MediaTransport;
  readonly recv: MediaTransport;
  readonly consumers: Map<ConsumerId, ConsumerParameters>;
  readonly bySsrc: Map<number, ConsumerParameters>;
  readonly producers: Map<Source, ClientResponse<'produce'>['producerId']>;
}

/**
 * A participant without a browser who does as the SDK does: its session and its control connection are the
 * SDK's own, so they come back, follow to another gateway and join again as a page would. Sound and picture
 * are packets of RTP at a steady pace, through libdatachannel; each sends a key frame when it is asked for one.
 */
export class Caller {
  readonly #options: Required<CallerOptions>;
  readonly #signal: Connection<ClientCommands, ClientEventMap>;
  readonly #session: Session;
  readonly #tracks = new Map<Source, Track>();
  readonly #watchers = new Set<() => void>();
  #welcome: Welcome | undefined;
  #path: Path | undefined;
  #keyFrameAsked = true;
  #muted = false;
  #self: ParticipantView | undefined;
  #node: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Joined, sending, and playing what is there. @throws Error when it can not */
  static async enter(options: CallerOptions): Promise<Caller> {
    const caller = new Caller(options);
    const { at, random } = caller.#session.moment();
    caller.#session.dispatch({ type: 'connect', renewable: false, at, random });
    await caller.#until(() => caller.isConnected);
    return caller;
  }

  private constructor(options: CallerOptions) {
    this.#options = {
      soundMs: 20,
      pictureMs: 40,
      onArrival: () => {},
      onMediaLost: () => {},
      ...options,
    };
    const lost = () => this.#session.dispatch({ type: 'socket-lost', ...this.#session.moment() });
    this.#signal = new Connection(options.url, visitWire, {
      consumers: ({ added, removed }) => this.#told(added, removed),
      'media-lost': () => this.#path && this.#mediaFailed(),
      closing: ({ reason, retryAfterMs }) =>
        this.#session.dispatch({
          type: 'closing',
          reason,
          retryAfterMs,
          ...this.#session.moment(),
        }),
      lost,
    });
    this.#session = new Session({
      getToken: async () => {},
      openSocket: () => this.#openSocket(),
      join: (current) => this.#join(current),
      resume: (current) => this.#resume(current),
      closeSocket: () => this.#signal.close(),
      closeMedia: () => this.#closeMedia(),
      forgetSession: () => {
        this.#welcome = undefined;
      },
      sendLeave: () => {
        this.#signal.request('leave', {}, { immediate: true }).catch(() => {});
      },
      release: () => this.#release(),
      changed: () => {
        for (const look of [...this.#watchers]) look();
      },
    });
  }

  get isConnected(): boolean {
    return this.#session.state.phase === 'connected';
  }

  /** Of the session, for a person: the phase, the step and what failed. */
  get state(): string {
    const { phase, step, failure, reason } = this.#session.state;
    return [phase, step, failure?.code, reason].filter(Boolean).join(' ');
  }

  get id(): ParticipantId {
    if (!this.#welcome) throw new Error('not connected');
    return this.#welcome.participantId;
  }

  /** The address of the node that carries the media, as ICE has it. */
  get node(): string | undefined {
    return this.#node;
  }

  /** As the visit had this participant at the last join or resume. */
  get self(): ParticipantView | undefined {
    return this.#self;
  }

  get muted(): boolean {
    return this.#muted;
  }

  /** As a page's button: kept over everything that happens to the media. */
  async mute(muted: boolean): Promise<void> {
    this.#muted = muted;
    const producerId = this.#path?.producers.get('microphone');
    if (producerId) await this.command('pause-producer', { producerId, paused: muted });
  }

  /** Repeated under the same request id over sockets and gateways, until the deadline. @throws BedsideError */
  command<Name extends ClientCommandName>(
    name: Name,
    request: Omit<RequestBody<Name>, 'requestId'>,
    deadlineMs?: number,
  ): Promise<ClientResponse<Name>> {
    return this.#signal.request(
      name,
      request as RequestBody<Name>,
      deadlineMs === undefined ? {} : { deadlineMs },
    ) as Promise<ClientResponse<Name>>;
  }

  /** Leaves for good. */
  async leave(): Promise<void> {
    this.#session.dispatch({ type: 'leave' });
    await this.#until(() => this.#session.state.phase === 'disconnected');
  }

  async #openSocket(): Promise<{ resumed: boolean }> {
    const { token } = this.#options;
    const query = { visit: visitOfToken(token) };
    this.#welcome = await this.#signal.openAt(query, token, this.#welcome?.sessionId);
    return { resumed: this.#welcome.resumed };
  }

  async #join(current: () => boolean): Promise<void> {
    const { rtpCapabilities } = this.#welcome as Welcome;
    const answer = await this.#signal.request(
      'join',
      { rtpCapabilities: plainCapabilities(rtpCapabilities) } as RequestBody<'join'>,
      { immediate: true, deadlineMs: DEADLINE_MS },
    );
    if (!current()) return;
    this.#signal.ready();
    this.#closeMedia();
    this.#view(answer.visit);
    this.#node = answer.recvTransport.iceCandidates[0]?.address;
    const path: Path = {
      send: new MediaTransport(answer.sendTransport),
      recv: new MediaTransport(answer.recvTransport),
      consumers: new Map(),
      bySsrc: new Map(),
      producers: new Map(),
    };
    this.#path = path;
    this.#told(answer.consumers, []);
    path.recv.onPacket((packet) => this.#received(path, packet));
    path.send.onPacket((packet) => {
      if (asksForKeyFrame(packet)) this.#keyFrameAsked = true;
    });
    // As the SDK does, none of these waits for another; what fails shows as lost media.
    void Promise.all([
      this.#connect(path.send),
      this.#connect(path.recv),
      ...SOURCES.map((source) => this.#produce(path, source)),
    ]).catch(() => {
      if (this.#path === path) this.#mediaFailed();
    });
    this.#timer ??= setInterval(() => this.#send(performance.now()), TICK_MS);
  }

  async #connect(transport: MediaTransport): Promise<void> {
    const { id: transportId, dtlsParameters } = transport;
    await Promise.all([
      this.#signal.request('connect-transport', {
        transportId,
        dtlsParameters,
      } as RequestBody<'connect-transport'>),
      transport.connect(DEADLINE_MS),
    ]);
  }

  async #produce(path: Path, source: Source): Promise<void> {
    const track = this.#trackOf(source);
    const kind = source === 'microphone' ? 'audio' : 'video';
    const { rtpCapabilities } = this.#welcome as Welcome;
    const rtpParameters = sendParameters(rtpCapabilities, kind, track.ssrc);
    // The encoder of a new sender starts with one.
    if (source === 'camera') this.#keyFrameAsked = true;
    track.payloadType = rtpParameters.codecs[0]?.payloadType ?? 0;
    const { producerId } = await this.#signal.request('produce', {
      transportId: path.send.id,
      source,
      rtpParameters,
      paused: source === 'microphone' && this.#muted,
    } as RequestBody<'produce'>);
    path.producers.set(source, producerId);
  }

  #trackOf(source: Source): Track {
    const known = this.#tracks.get(source);
    if (known) return known;
    const { soundMs, pictureMs } = this.#options;
    const everyMs = source === 'microphone' ? soundMs : pictureMs;
    const track: Track = {
      ssrc: randomInt(1, 0xffff_ffff),
      everyMs,
      ticks: everyMs * (source === 'microphone' ? 48 : 90),
      payloadType: 0,
      sequenceNumber: randomInt(0x1_0000),
      timestamp: randomInt(0xffff_ffff),
      dueAt: 0,
    };
    this.#tracks.set(source, track);
    return track;
  }

  async #resume(current: () => boolean): Promise<void> {
    const path = this.#path;
    const answer = await this.#signal.request(
      'resume',
      { consumerIds: [...(path?.consumers.keys() ?? [])] },
      { immediate: true, deadlineMs: DEADLINE_MS },
    );
    if (!current()) return;
    this.#signal.ready();
    this.#view(answer.visit);
    this.#told(answer.added, answer.removed);
  }

  #view({ participants }: ClientResponse<'join'>['visit']): void {
    this.#self = participants.find(({ participantId }) => participantId === this.id);
  }

  #told(added: readonly ConsumerParameters[], removed: readonly ConsumerId[]): void {
    const path = this.#path;
    if (!path) return;
    for (const id of removed) path.consumers.delete(id);
    for (const consumer of added) path.consumers.set(consumer.consumerId, consumer);
    path.bySsrc.clear();
    for (const consumer of path.consumers.values()) {
      const ssrc = consumer.rtpParameters.encodings?.[0]?.ssrc;
      if (ssrc !== undefined) path.bySsrc.set(ssrc, consumer);
    }
  }

  #received(path: Path, packet: Buffer): void {
    const rtp = readRtp(packet);
    const consumer = rtp && path.bySsrc.get(rtp.ssrc);
    if (consumer)
      this.#options.onArrival(consumer.participantId, consumer.source, performance.now());
  }

  #send(now: number): void {
    const path = this.#path;
    if (!path) return;
    for (const [source, track] of this.#tracks) {
      if (!path.producers.has(source) || now < track.dueAt) continue;
      // A late tick does not put the next ones off, but what was missed is not made up for.
      track.dueAt = Math.max(track.dueAt + track.everyMs, now - track.everyMs);
      const payload = source === 'camera' ? this.#frame() : Buffer.alloc(40, 7);
      path.send.send(writeRtp({ ...track, payload }));
      track.sequenceNumber = (track.sequenceNumber + 1) & 0xffff;
      track.timestamp = (track.timestamp + track.ticks) >>> 0;
    }
  }

  /** A VP8 payload: descriptor (start of the first partition), then the frame's first byte, whose lowest bit is 0 in a key frame. */
  #frame(): Buffer {
    const frame = Buffer.alloc(200, 7);
    frame[0] = 0x10;
    frame[1] = this.#keyFrameAsked ? 0 : 1;
    this.#keyFrameAsked = false;
    return frame;
  }

  #mediaFailed(): void {
    this.#options.onMediaLost();
    this.#session.dispatch({ type: 'media-failed', ...this.#session.moment() });
  }

  #closeMedia(): void {
    const path = this.#path;
    this.#path = undefined;
    path?.send.close();
    path?.recv.close();
  }

  #release(): void {
    clearInterval(this.#timer);
    this.#closeMedia();
    this.#signal.abandon();
  }

  #until(reached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const { phase, reason, failure } = this.#session.state;
        if (!reached() && phase !== 'disconnected') return;
        this.#watchers.delete(look);
        if (reached()) resolve();
        else reject(new Error(`not in the visit: ${failure?.code ?? reason}`));
      };
      this.#watchers.add(look);
      look();
    });
  }
}
