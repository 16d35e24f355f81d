import type {
  ClientCommandName,
  ClientCommands,
  ClientEventMap,
  ClientResponse,
  ConsumerParameters,
  ParticipantId,
  ParticipantView,
  TransportId,
} from '@bedside/protocol';
import { Connection } from '../../sdk/src/connection.ts';
import { FlowWatch } from '../../sdk/src/media/flow-watch.ts';
import { keyOf, Relocation } from '../../sdk/src/media/relocation.ts';
import { Session } from '../../sdk/src/session/session.ts';
import { type RequestBody, visitWire, type Welcome } from '../../sdk/src/signal.ts';
import { visitOfToken } from '../../sdk/src/token.ts';
import { plainCapabilities, sendParameters } from '../shared/capabilities.ts';
import { CallPath, type CallSource, type Detour } from './call-path.ts';
import type { MediaTransport } from './media-transport.ts';
import { Track } from './track.ts';

export interface CallerOptions {
  /** The balancer, or a gateway. */
  url: string;
  token: string;
  /** Milliseconds between two packets of sound, and between two of the picture. */
  soundMs?: number;
  pictureMs?: number;
  /** A packet of what somebody sends has arrived and is played; `at` in milliseconds of performance.now(). */
  onArrival?: (
    from: ParticipantId,
    source: ConsumerParameters['source'],
    at: number,
    number: number,
  ) => void;
  /** The media was lost, and is set up anew. */
  onMediaLost?: () => void;
  /** All packets go that way. */
  detour?: Detour;
}

const DEADLINE_MS = 8_000;
/** Between two looks at what is due to be sent. */
const TICK_MS = 5;

/** What arrives so shortly before it is switched to waits in the listener's jitter buffer, and is played. */
const JITTER_MS = 60;
/** As the SDK leaves a path: what is under way on it still counts. */
const LEAVE_PATH_MS = 1_000;

interface Held {
  readonly consumer: ConsumerParameters;
  readonly at: number;
  readonly number: number;
}

/**
 * A participant without a browser who does as the SDK does: its session and its control connection are the
 * SDK's own, so they come back, follow to another gateway and join again as a page would; so is how a
 * relocation is followed and how silence is noticed. Sound and picture are packets of RTP at a steady pace,
 * through libdatachannel; each sends a key frame when it is asked for one.
 */
export class Caller {
  readonly #options: Required<CallerOptions>;
  readonly #signal: Connection<ClientCommands, ClientEventMap>;
  readonly #session: Session;
  readonly #tracks: ReadonlyMap<CallSource, Track>;
  readonly #watchers = new Set<() => void>();
  #welcome: Welcome | undefined;
  #path: CallPath | undefined;
  /** The node of the last path: nothing came from there. */
  #isUnreachable = false;
  #relocation: Relocation<CallPath, undefined> | undefined;
  /** The last one that was asked for. */
  #relocating: object | undefined;
  /** What came by the path that is not played yet, the last of it. */
  readonly #held: Held[] = [];
  #flow: FlowWatch | undefined;
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
      detour: (address, port) => ({ address, port }),
      ...options,
    };
    this.#tracks = new Map([
      ['microphone', new Track('audio', this.#options.soundMs)],
      ['camera', new Track('video', this.#options.pictureMs)],
    ]);
    const lost = () => {
      this.#relocated(false);
      this.#session.dispatch({ type: 'socket-lost', ...this.#session.moment() });
    };
    this.#signal = new Connection(options.url, visitWire, {
      consumers: ({ added, removed, recvTransportId }) => {
        for (const path of this.#paths)
          if ((recvTransportId ?? this.#path?.recvTransportId) === path.recvTransportId)
            path.told(added, removed);
      },
      relocating: () => void this.#relocate(),
      'relocation-ended': ({ moved }) => this.#relocated(moved),
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
      {
        rtpCapabilities: plainCapabilities(rtpCapabilities),
        ...(this.#isUnreachable && { unreachable: true }),
      } as RequestBody<'join'>,
      { immediate: true, deadlineMs: DEADLINE_MS },
    );
    if (!current()) return;
    this.#isUnreachable = false;
    this.#signal.ready();
    this.#closeMedia();
    this.#view(answer.visit);
    const path = this.#openPath(answer);
    this.#path = path;
    this.#node = path.node;
    // As the SDK does, nothing of it waits for the rest; what fails shows as lost media.
    this.#setUp(path).catch(() => this.#pathFailed(path));
    this.#watchFlow(path);
    this.#timer ??= setInterval(() => this.#send(performance.now()), TICK_MS);
  }

  #openPath({
    sendTransport,
    recvTransport,
    consumers,
  }: Pick<ClientResponse<'join'>, 'sendTransport' | 'recvTransport' | 'consumers'>): CallPath {
    const path: CallPath = new CallPath(sendTransport, recvTransport, this.#options.detour, {
      arrived: (consumer, number) => this.#arrived(path, consumer, number),
    });
    path.told(consumers, []);
    return path;
  }

  /** Resolves once both transports are connected and all that is sent is known there. */
  async #setUp(path: CallPath): Promise<void> {
    await Promise.all([this.#connect(path.send), this.#connect(path.recv), this.#produceAll(path)]);
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

  async #produceAll(path: CallPath): Promise<void> {
    await Promise.all(
      [...this.#tracks].map(([source, track]) => this.#produce(path, source, track)),
    );
  }

  async #produce(path: CallPath, source: CallSource, track: Track): Promise<void> {
    const kind = source === 'microphone' ? 'audio' : 'video';
    const { rtpCapabilities } = this.#welcome as Welcome;
    const rtpParameters = sendParameters(rtpCapabilities, kind, track.ssrc);
    track.payloadType = rtpParameters.codecs[0]?.payloadType ?? 0;
    const { producerId } = await this.#signal.request('produce', {
      transportId: path.send.id,
      source,
      rtpParameters,
      paused: source === 'microphone' && this.#muted,
    } as RequestBody<'produce'>);
    path.produced(source, producerId);
  }

  async #resume(current: () => boolean): Promise<void> {
    const path = this.#path;
    const answer = await this.#signal.request(
      'resume',
      {
        consumerIds: path?.consumerIds ?? [],
        ...(path && { recvTransportId: path.recvTransportId }),
      },
      { immediate: true, deadlineMs: DEADLINE_MS },
    );
    if (!current()) return;
    this.#signal.ready();
    this.#view(answer.visit);
    path?.told(answer.added, answer.removed);
  }

  /** Opens a second path, to where the visit goes, and plays that once it brings all that the first does. */
  async #relocate(): Promise<void> {
    this.#relocated(false);
    const relocating = {};
    this.#relocating = relocating;
    const { rtpCapabilities } = this.#welcome as Welcome;
    const answer = await this.#signal
      .request('relocate', {
        rtpCapabilities: plainCapabilities(rtpCapabilities),
      } as RequestBody<'relocate'>)
      // It is over already, or the gateway begins again.
      .catch(() => undefined);
    const old = this.#path;
    if (!answer || !old || this.#relocating !== relocating) return;
    const next = this.#openPath(answer);
    const sent = this.#setUp(next);
    sent.catch(() => {
      if (this.#relocation?.next === next) this.#relocated(false);
    });
    this.#relocation = new Relocation<CallPath, undefined>(old, next, sent, {
      take: (consumer) => this.#take(consumer),
      switched: () => {
        this.#signal.request('relocated', {}, { immediate: true }).catch(() => {});
      },
    });
  }

  /** Only one of two paths is left. */
  #relocated(moved: boolean): void {
    this.#relocating = undefined;
    const { old, next } = this.#relocation ?? {};
    if (!old || !next) return;
    this.#relocation?.close();
    this.#relocation = undefined;
    const [path, left] = moved ? [next, old] : [old, next];
    this.#path = path;
    this.#node = path.node;
    for (const [consumer] of path.received) this.#take(consumer);
    this.#watchFlow(path);
    setTimeout(() => left.close(), LEAVE_PATH_MS);
  }

  get #paths(): CallPath[] {
    const { old, next } = this.#relocation ?? { old: this.#path, next: undefined };
    return [old, next].filter((path) => path !== undefined);
  }

  #view({ participants }: ClientResponse<'join'>['visit']): void {
    this.#self = participants.find(({ participantId }) => participantId === this.id);
  }

  #arrived(path: CallPath, consumer: ConsumerParameters, number: number): void {
    const arrival = { consumer, at: performance.now(), number };
    const isPlayed = this.#relocation
      ? this.#relocation.plays(path, consumer)
      : path === this.#path;
    if (isPlayed) this.#play(arrival);
    else if (path === this.#relocation?.next) this.#hold(arrival);
  }

  #hold(arrival: Held): void {
    while (this.#held[0] && arrival.at - this.#held[0].at > JITTER_MS) this.#held.shift();
    this.#held.push(arrival);
  }

  /** From now on what comes by the other path is played. */
  #take(consumer: ConsumerParameters): void {
    const now = performance.now();
    for (const arrival of this.#held)
      if (keyOf(arrival.consumer) === keyOf(consumer) && now - arrival.at <= JITTER_MS)
        this.#play(arrival);
  }

  #play({ consumer: { participantId, source }, at, number }: Held): void {
    this.#options.onArrival(participantId, source, at, number);
  }

  #send(now: number): void {
    for (const [source, track] of this.#tracks)
      if (track.isDue(now)) for (const path of this.#paths) path.write(source, track);
  }

  #watchFlow(path: CallPath): void {
    this.#flow?.close();
    this.#flow = new FlowWatch({
      isExpected: () => path.isConnected && path.received.length > 0,
      arrived: async () => ({ media: path.bytes, answers: 0 }),
      restart: async () => {
        const transportId: TransportId = path.recvTransportId;
        // libdatachannel can not restart ICE: it goes on with what it has, which the node accepts once more.
        await this.#signal.request('restart-ice', { transportId }).catch(() => {});
        return this.#signal.isReady;
      },
      giveUp: () => this.#pathFailed(path),
    });
  }

  #pathFailed(path: CallPath): void {
    if (path !== this.#path) return;
    this.#isUnreachable = true;
    this.#mediaFailed();
  }

  #mediaFailed(): void {
    this.#options.onMediaLost();
    this.#session.dispatch({ type: 'media-failed', ...this.#session.moment() });
  }

  #closeMedia(): void {
    this.#relocating = undefined;
    this.#relocation?.close();
    const paths = this.#paths;
    this.#path = this.#relocation = undefined;
    this.#flow?.close();
    for (const path of paths) path.close();
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
