import type { BedsideError, Grant, MediaSource, ParticipantId, Role } from '@bedside/protocol';
import { Emitter } from '../../emitter.ts';
import type {
  ConnectionQuality,
  ConnectionState,
  DeviceKind,
  DisconnectReason,
  LocalParticipant,
  Participant,
  TrackPublication,
  VisitApi,
  VisitEvents,
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
  kind: source === 'camera' || source === 'screen' ? 'video' : 'audio',
  muted,
  track,
  gain: 1,
});

export interface FakePerson {
  id: string;
  role: Role;
  name?: string;
  camera?: boolean;
  microphone?: boolean;
  screen?: boolean;
  /** The camera of a phone held upright. */
  upright?: boolean;
  speaking?: boolean;
  quality?: ConnectionQuality;
}

export function fakeParticipant(person: FakePerson): FakeParticipant {
  const { id, role, camera = true, microphone = true, screen = false, upright = false } = person;
  const size = upright ? ([360, 640] as const) : ([640, 360] as const);
  const tracks = new Map<MediaSource, TrackPublication>();
  tracks.set(
    'camera',
    publicationOf('camera', camera ? drawnTrack(role, ...size) : undefined, !camera),
  );
  tracks.set('microphone', publicationOf('microphone', undefined, !microphone));
  if (screen) tracks.set('screen', publicationOf('screen', drawnTrack(role, 1280, 800)));
  return {
    id: id as ParticipantId,
    role,
    name: person.name,
    lang: undefined,
    isLocal: false,
    state: 'admitted',
    connection: 'connected',
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
  /** Every call, as text, in order. */
  readonly calls: string[] = [];
  readonly sizes = new Map<string, string>();
  readonly localParticipant: Mutable<LocalParticipant> & {
    tracks: Map<MediaSource, TrackPublication>;
  };

  constructor(
    role: Role = 'patient',
    grants: readonly Grant[] = ['publish-audio', 'publish-video', 'publish-screen'],
  ) {
    super();
    const set = async (source: 'camera' | 'microphone' | 'screen', on: boolean): Promise<void> => {
      this.calls.push(`${source} ${on ? 'on' : 'off'}`);
      if (on && this.deviceError) throw this.deviceError;
      const self = this.localParticipant;
      self.tracks.get(source)?.track?.stop();
      const open = source === 'microphone' ? tone : () => drawnTrack(role);
      const track = on ? open() : undefined;
      self.tracks.set(source, publicationOf(source, track, !on));
      if (source === 'camera') self.isCameraEnabled = on;
      if (source === 'microphone') self.isMicrophoneEnabled = on;
      if (source === 'screen') self.isScreenShareEnabled = on;
      this.emit('participantChanged', self);
    };
    this.localParticipant = {
      ...fakeParticipant({ id: 'self', role, camera: false, microphone: false }),
      isLocal: true,
      grants: new Set(grants),
      isCameraEnabled: false,
      isMicrophoneEnabled: false,
      isScreenShareEnabled: false,
      setCameraEnabled: (on) => set('camera', on),
      setMicrophoneEnabled: (on) => set('microphone', on),
      setScreenShareEnabled: (on) => set('screen', on),
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
  mute(id: string, source: MediaSource, muted: boolean): void {
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

  remove(id: string): void {
    const participant = this.participants.get(id as ParticipantId);
    if (!participant) return;
    this.participants.delete(participant.id);
    this.emit('participantDisconnected', participant);
  }

  async connect(): Promise<void> {
    this.calls.push('connect');
    this.setState('connecting');
    await Promise.resolve();
    if (this.connectError) {
      this.setState('disconnected', 'failed', this.connectError);
      throw this.connectError;
    }
    this.setState('connected');
  }

  async leave(): Promise<void> {
    this.calls.push('leave');
    if (this.state !== 'disconnected') this.setState('disconnected', 'left');
  }

  async end(): Promise<void> {
    this.calls.push('end');
    this.setState('disconnected', 'visit-ended');
  }

  async startAudio(): Promise<void> {
    this.calls.push('startAudio');
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
    this.calls.push(`switch ${kind} ${deviceId}`);
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
