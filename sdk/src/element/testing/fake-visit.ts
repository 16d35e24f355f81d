import {
  type BedsideError,
  type CallId,
  type Grant,
  type InterpretingMode,
  type InviteId,
  KIND_OF_SOURCE,
  type MediaSource,
  type ParticipantId,
  type Place,
  type Role,
} from '@bedside/protocol';
import { Emitter } from '../../emitter.ts';
import type {
  CallInfo,
  ConnectionQuality,
  ConnectionState,
  DeviceKind,
  DisconnectReason,
  HandOver,
  Invitation,
  InviteInfo,
  InviteOptions,
  LanguageOptions,
  LocalParticipant,
  Message,
  MessageKind,
  MessageTarget,
  MoveTarget,
  PageSound,
  Participant,
  TrackPublication,
  VisitApi,
  VisitEvents,
  WaitInfo,
} from '../../types.ts';

/** A visit without network, for tests of the element: pictures are drawn on canvases. Runs in a browser. */

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };
export type FakeParticipant = Mutable<Participant> & { tracks: Map<MediaSource, TrackPublication> };

const COLORS: Partial<Record<Role, readonly [string, string]>> = {
  provider: ['#9cc5d3', '#466a78'],
  patient: ['#e3cdb4', '#8a6a4f'],
  interpreter: ['#b8cfae', '#5d7a50'],
  specialist: ['#cfc0de', '#6c5a82'],
};

/** A plain room with somebody in it, which moves a little, so that frames keep coming. */
export function drawnTrack(role: Role, width = 640, height = 360): MediaStreamTrack {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const [light, dark] = COLORS[role] ?? ['#ccd6da', '#5b6b72'];
  let step = 0;
  const draw = (): void => {
    const x = width / 2 + Math.sin(step++ / 9) * 6;
    const wall = context.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, light);
    wall.addColorStop(1, dark);
    context.fillStyle = wall;
    context.fillRect(0, 0, width, height);
    context.fillStyle = dark;
    context.beginPath();
    context.ellipse(x, height * 1.12, width * 0.2, height * 0.48, 0, 0, 7);
    context.fill();
    context.fillStyle = '#e9c9a9';
    context.beginPath();
    context.ellipse(x, height * 0.46, height * 0.145, height * 0.19, 0, 0, 7);
    context.fill();
  };
  return filmed(canvas, draw);
}

/** What an otoscope may show: something round on black, at 640 x 480. */
function examinedTrack(): MediaStreamTrack {
  const [width, height] = [640, 480];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const draw = (): void => {
    context.fillRect(0, 0, width, height);
    const skin = context.createRadialGradient(300, 210, 20, 320, 240, 230);
    skin.addColorStop(0, '#f6d9c4');
    skin.addColorStop(0.6, '#d98f78');
    skin.addColorStop(1, '#7c3a30');
    context.save();
    context.fillStyle = skin;
    context.beginPath();
    context.arc(320, 240, 228, 0, 7);
    context.fill();
    context.strokeStyle = '#a8433a';
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(190, 130);
    context.bezierCurveTo(260, 240, 330, 180, 440, 350);
    context.stroke();
    context.restore();
  };
  return filmed(canvas, draw);
}

/** What is drawn, again and again. */
function filmed(canvas: HTMLCanvasElement, draw: () => void): MediaStreamTrack {
  draw();
  const timer = setInterval(draw, 66);
  const [track] = canvas.captureStream(15).getVideoTracks();
  if (!track) throw new Error('The canvas gave no track');
  const stop = track.stop.bind(track);
  track.stop = () => {
    clearInterval(timer);
    stop();
  };
  return track;
}

/** A tone, as loud as speech. */
export function tone(): MediaStreamTrack {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  gain.gain.value = 0.2;
  const output = context.createMediaStreamDestination();
  oscillator.connect(gain).connect(output);
  oscillator.start();
  const [track] = output.stream.getAudioTracks();
  if (!track) throw new Error('The oscillator gave no track');
  const stop = track.stop.bind(track);
  track.stop = () => {
    stop();
    void context.close();
  };
  return track;
}

export const publicationOf = (
  source: MediaSource,
  track: MediaStreamTrack | undefined,
  muted = false,
): TrackPublication => ({
  source,
  kind: KIND_OF_SOURCE[source],
  muted,
  track,
  interrupted: false,
  gain: 1,
  isProtected: false,
});

export interface FakePerson {
  id: string;
  role: Role;
  name?: string;
  camera?: boolean;
  microphone?: boolean;
  screen?: boolean;
  exam?: boolean;
  /** The camera of a phone held upright. */
  upright?: boolean;
  speaking?: boolean;
  quality?: ConnectionQuality;
  state?: Participant['state'];
  /** `main` where absent. */
  place?: string;
  waitingSince?: number;
  handRaisedAt?: number;
  speaks?: string[];
  signs?: boolean;
  /** A provider may, where absent. */
  mayAttend?: boolean;
  /** The picture is one of a signed conversation. */
  isProtected?: boolean;
}

export function fakeParticipant(person: FakePerson): FakeParticipant {
  const { id, role, camera = true, microphone = true, screen = false, upright = false } = person;
  const size = upright ? ([360, 640] as const) : ([640, 360] as const);
  const tracks = new Map<MediaSource, TrackPublication>();
  const picture = publicationOf('camera', camera ? drawnTrack(role, ...size) : undefined, !camera);
  tracks.set('camera', { ...picture, isProtected: person.isProtected ?? false });
  tracks.set('microphone', publicationOf('microphone', undefined, !microphone));
  if (screen) tracks.set('screen', publicationOf('screen', drawnTrack(role, 1280, 800)));
  if (person.exam) tracks.set('exam', publicationOf('exam', examinedTrack()));
  return {
    id: id as ParticipantId,
    role,
    name: person.name,
    lang: undefined,
    isLocal: false,
    state: person.state ?? 'admitted',
    connection: 'connected',
    place: (person.place ?? 'main') as Place,
    mayAttend: person.mayAttend ?? role === 'provider',
    hold: undefined,
    isHere: (person.state ?? 'admitted') === 'admitted' && (person.place ?? 'main') === 'main',
    speaks: person.speaks ?? [],
    hears: person.speaks ?? [],
    signs: person.signs ?? false,
    duckDb: undefined,
    handRaisedAt: person.handRaisedAt,
    waitingSince: person.waitingSince,
    whisperTo: undefined,
    isSpeaking: person.speaking ?? false,
    connectionQuality: person.quality,
    tracks,
  };
}

export class FakeVisit extends Emitter<VisitEvents> implements VisitApi {
  state: ConnectionState = 'disconnected';
  disconnectReason: DisconnectReason | undefined = 'idle';
  error: BedsideError | undefined;
  visitState = 'active' as const;
  kind = 'visit' as const;
  readonly participants = new Map<ParticipantId, FakeParticipant>();
  activeSpeaker: Participant | undefined;
  canPlaybackAudio = true;
  /** Thrown by the next attempts to open a device. */
  deviceError: BedsideError | undefined;
  /** Thrown by connect(). */
  connectError: BedsideError | undefined;
  /** Every call of a method, as text, in order. */
  readonly log: string[] = [];
  responsible: Participant | undefined;
  unattendedSince: number | undefined;
  handOverOffer: HandOver | undefined;
  interpreting: InterpretingMode = 'consecutive';
  turns: ParticipantId[] = [];
  reactionsAllowed = false;
  audience: number | undefined;
  wait: WaitInfo | undefined;
  invites: InviteInfo[] = [];
  calls: CallInfo[] = [];
  messages: readonly Message[] = [];
  evidence = [];
  readonly sounds = Object.fromEntries(
    (['hold', 'chime', 'ring', 'message'] as const).map((name) => [
      name,
      {
        on: false,
        muted: false,
        start: () => void this.log.push(`sound ${name}`),
        stop: () => void this.log.push(`silence ${name}`),
      },
    ]),
  ) as Record<'hold' | 'chime' | 'ring' | 'message', PageSound>;
  readonly sizes = new Map<string, string>();
  readonly localParticipant: Mutable<LocalParticipant> & {
    tracks: Map<MediaSource, TrackPublication>;
  };

  constructor(
    role: Role = 'patient',
    grants: readonly Grant[] = ['publish-audio', 'publish-video', 'publish-screen'],
  ) {
    super();
    const set = async (
      source: 'camera' | 'microphone' | 'screen' | 'exam',
      on: boolean,
    ): Promise<void> => {
      this.log.push(`${source} ${on ? 'on' : 'off'}`);
      if (on && this.deviceError) throw this.deviceError;
      const self = this.localParticipant;
      self.tracks.get(source)?.track?.stop();
      const picture = source === 'exam' ? examinedTrack : () => drawnTrack(role);
      const open = source === 'microphone' ? tone : picture;
      const track = on ? open() : undefined;
      self.tracks.set(source, publicationOf(source, track, !on));
      if (source === 'camera') self.isCameraEnabled = on;
      if (source === 'microphone') self.isMicrophoneEnabled = on;
      if (source === 'screen') self.isScreenShareEnabled = on;
      if (source === 'exam') self.isExamCameraEnabled = on;
      if (source === 'exam' && !on) self.tracks.delete('exam');
      this.emit('participantChanged', self);
    };
    this.localParticipant = {
      ...fakeParticipant({ id: 'self', role, camera: false, microphone: false }),
      isLocal: true,
      grants: new Set(grants),
      isCameraEnabled: false,
      isMicrophoneEnabled: false,
      isScreenShareEnabled: false,
      isExamCameraEnabled: false,
      examCamera: { hint: 'motion' },
      setCameraEnabled: (on) => set('camera', on),
      setMicrophoneEnabled: (on) => set('microphone', on),
      setScreenShareEnabled: (on) => set('screen', on),
      setExamCameraEnabled: async (on, options) => {
        const self = this.localParticipant;
        self.examCamera = { ...self.examCamera, ...options };
        if (options) this.log.push(`exam ${JSON.stringify(options)}`);
        if (on !== self.tracks.has('exam')) await set('exam', on);
      },
    };
  }

  /** Tests say what happens. */
  override emit<Name extends keyof VisitEvents>(
    name: Name,
    ...args: Parameters<VisitEvents[Name]>
  ): void {
    super.emit(name, ...args);
  }

  setState(state: ConnectionState, reason?: DisconnectReason, error?: BedsideError): void {
    this.state = state;
    this.disconnectReason = state === 'disconnected' ? reason : undefined;
    this.error = error;
    this.emit('connectionStateChanged', state, reason);
    if (state === 'disconnected' && reason) this.emit('disconnected', reason, error);
  }

  add(person: FakePerson): FakeParticipant {
    const participant = fakeParticipant(person);
    this.participants.set(participant.id, participant);
    this.emit('participantConnected', participant);
    return participant;
  }

  change(id: string, change: Partial<FakeParticipant>): void {
    const participant = this.participants.get(id as ParticipantId);
    if (participant) this.emit('participantChanged', Object.assign(participant, change));
  }

  /** Another participant turns a source off or on. */
  turn(id: string, source: MediaSource, muted: boolean): void {
    const { tracks } = this.participants.get(id as ParticipantId) as FakeParticipant;
    tracks.set(source, publicationOf(source, tracks.get(source)?.track, muted));
    this.change(id, {});
  }

  /** The track is gone with its transport; the source is still published. */
  drop(id: string, source: MediaSource): void {
    const { tracks } = this.participants.get(id as ParticipantId) as FakeParticipant;
    tracks.set(source, publicationOf(source, undefined));
    this.change(id, {});
  }

  /** Media fails: the track ends as soon as everybody was told. */
  interrupt(id: string, source: MediaSource): void {
    const { tracks } = this.participants.get(id as ParticipantId) as FakeParticipant;
    const { track } = tracks.get(source) ?? {};
    tracks.set(source, { ...publicationOf(source, undefined), interrupted: true });
    this.change(id, {});
    setTimeout(() => track?.stop());
  }

  /** Another track comes in the place of the one before, or after an interruption; undefined: none does. */
  receive(id: string, source: MediaSource, track: MediaStreamTrack | undefined): void {
    const { tracks } = this.participants.get(id as ParticipantId) as FakeParticipant;
    if (track) tracks.set(source, publicationOf(source, track));
    else tracks.delete(source);
    this.change(id, {});
  }

  /** Another participant leaves. */
  gone(id: string): void {
    const participant = this.participants.get(id as ParticipantId);
    if (!participant) return;
    this.participants.delete(participant.id);
    this.emit('participantDisconnected', participant);
  }

  changeSelf(change: Partial<LocalParticipant>): void {
    this.emit('participantChanged', Object.assign(this.localParticipant, change));
  }

  changeVisit(
    change: Partial<
      Pick<
        FakeVisit,
        | 'responsible'
        | 'unattendedSince'
        | 'handOverOffer'
        | 'interpreting'
        | 'turns'
        | 'reactionsAllowed'
        | 'wait'
        | 'invites'
        | 'calls'
      >
    >,
  ): void {
    Object.assign(this, change);
    this.emit('visitChanged');
  }

  /** Somebody comes to another place; oneself, where `id` is `self`. Who is with oneself is here. */
  move(id: string, place: string, hold?: Participant['hold']): void {
    const { localParticipant: self } = this;
    const one =
      id === 'self' ? self : (this.participants.get(id as ParticipantId) as FakeParticipant);
    const before = one.place;
    Object.assign(one, { place, hold });
    for (const each of this.participants.values())
      each.isHere = each.state === 'admitted' && each.place === self.place && each.place !== 'hold';
    this.emit('participantChanged', one);
    this.emit('placeChanged', one, before);
  }

  /** A message comes; from the clinic where `from` is absent. */
  say(
    text: string,
    from?: string,
    { to = { type: 'room' }, kind = 'chat' }: { to?: MessageTarget; kind?: MessageKind } = {},
  ): number {
    const number = this.messages.length + 1;
    const at = Date.UTC(2030, 0, 7, 9, 30 + number);
    const message = { number, from: from as ParticipantId | undefined, to, kind, text, at };
    this.messages = [...this.messages, message];
    this.emit('messageReceived', message);
    return number;
  }

  /** What a method was called with; it fails where `commandError` is set. */
  commandError: BedsideError | undefined;
  async #did(what: string, ...given: unknown[]): Promise<void> {
    this.log.push([what, ...given.map((one) => JSON.stringify(one))].join(' '));
    if (this.commandError) throw this.commandError;
  }

  admit = (ids?: readonly ParticipantId[]) => this.#did('admit', ...(ids ? [ids] : []));
  remove = (id: ParticipantId) => this.#did('remove', id);
  mute = (id: ParticipantId) => this.#did('mute', id);
  askToUnmute = (id: ParticipantId) => this.#did('askToUnmute', id);
  revokeInvite = (id: InviteId) => this.#did('revokeInvite', id);
  cancelCall = (id: CallId) => this.#did('cancelCall', id);
  handOver = (to: ParticipantId | null) => this.#did('handOver', to);
  answerHandOver = (accept: boolean) => this.#did('answerHandOver', accept);
  setLanguages = (languages: LanguageOptions) => this.#did('setLanguages', languages);
  setInterpreting = (mode: InterpretingMode) => this.#did('setInterpreting', mode);
  takeTurn = () => this.#did('takeTurn');
  cue = (id: ParticipantId, cue: 'pause' | 'repeat') => this.#did('cue', id, cue);
  whisper = (to: ParticipantId | null) => this.#did('whisper', to);
  raiseHand = (raised: boolean) => this.#did('raiseHand', raised);
  renewToken = () => this.#did('renewToken');
  react = (reaction: string) => this.#did('react', reaction);

  async moveTo(ids: readonly ParticipantId[], target: MoveTarget): Promise<Place> {
    await this.#did('moveTo', ids, target);
    return (target.type === 'room' ? (target.room ?? 'room-1') : target.type) as Place;
  }

  async invite(options: InviteOptions): Promise<Invitation> {
    await this.#did('invite', options);
    const inviteId = `invite-${this.invites.length + 1}` as InviteId;
    const expiresAt = Date.now() + 900_000;
    const { role, name, knock = false } = options;
    this.changeVisit({
      invites: [...this.invites, { inviteId, role, name, knock, expiresAt, state: 'open' }],
    });
    return { inviteId, token: `token-${inviteId}`, expiresAt };
  }

  async call(options: object): Promise<CallId> {
    await this.#did('call', options);
    return 'call-1' as CallId;
  }

  async sendMessage(
    text: string,
    options: { to?: MessageTarget; kind?: MessageKind } = {},
  ): Promise<number> {
    await this.#did('sendMessage', text, options);
    return this.say(text, 'self', options);
  }

  async connect(): Promise<void> {
    this.log.push('connect');
    this.setState('connecting');
    await Promise.resolve();
    if (this.connectError) {
      this.setState('disconnected', 'failed', this.connectError);
      throw this.connectError;
    }
    this.setState('connected');
  }

  async leave(): Promise<void> {
    this.log.push('leave');
    if (this.state !== 'disconnected') this.setState('disconnected', 'left');
  }

  async end(): Promise<void> {
    this.log.push('end');
    this.setState('disconnected', 'visit-ended');
  }

  async startAudio(): Promise<void> {
    this.log.push('startAudio');
    this.canPlaybackAudio = true;
    this.emit('audioPlaybackChanged', true);
  }

  async getDevices(kind: DeviceKind): Promise<MediaDeviceInfo[]> {
    const labels = {
      videoinput: ['Built-in camera', 'Exam camera'],
      audioinput: ['Built-in microphone'],
      audiooutput: ['Speakers', 'Headset'],
    };
    return labels[kind].map((label, index) => {
      const info = { deviceId: `${kind}-${index}`, groupId: '', kind, label };
      return { ...info, toJSON: () => info };
    });
  }

  activeDevice(kind: DeviceKind): string | undefined {
    return `${kind}-0`;
  }

  async switchActiveDevice(kind: DeviceKind, deviceId: string): Promise<void> {
    this.log.push(`switch ${kind} ${deviceId}`);
    if (this.deviceError) throw this.deviceError;
  }

  setVideoSize(
    participantId: ParticipantId,
    source: MediaSource,
    width: number,
    height: number,
  ): void {
    this.sizes.set(`${participantId} ${source}`, `${Math.round(width)}x${Math.round(height)}`);
  }

  async getStats(): Promise<Awaited<ReturnType<VisitApi['getStats']>>> {
    return { roundTripMs: undefined, sentBytes: 0, receivedBytes: 0, inbound: [] };
  }
}
