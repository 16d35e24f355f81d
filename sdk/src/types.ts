/** The public surface of the SDK. Names follow livekit-client where the concept is the same. */

import type {
  BedsideError,
  CloseReason,
  Grant,
  LanguageTag,
  MediaKind,
  MediaSource,
  ParticipantId,
  Role,
  VisitKind,
  VisitState,
} from '@bedside/protocol';

export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting';

/** Why a visit is `disconnected`. `idle`: not connected yet; `failed`: see `visit.error`. */
export type DisconnectReason =
  | 'idle'
  | 'left'
  | 'failed'
  | Exclude<CloseReason, 'shutting-down' | 'moved'>;

export interface VisitOptions {
  /** Address of the gateway or its balancer: "https://visits.example.org". */
  url: string;
  /** A token for one visit; or `tokenProvider`, which is asked for the first and for each renewal. */
  token?: string;
  tokenProvider?: () => string | Promise<string>;
  /** Ideal capture size and rate of the camera. Default 1280 x 720 at 30 frames a second. */
  video?: { width?: number; height?: number; frameRate?: number; deviceId?: string };
  audio?: {
    deviceId?: string;
    echoCancellation?: boolean;
    noiseSuppression?: boolean;
    autoGainControl?: boolean;
  };
}

/** One track of a participant, whether or not it has arrived. */
export interface TrackPublication {
  readonly source: MediaSource;
  readonly kind: MediaKind;
  /** The sender paused it. */
  readonly muted: boolean;
  /** The live track; undefined while not received (or not captured). */
  readonly track: MediaStreamTrack | undefined;
  /** Linear gain to play it at, 0 to 1. */
  readonly gain: number;
}

/** 0 lost, 1 poor, 2 fair, 3 good; undefined where not yet known. */
export type ConnectionQuality = 0 | 1 | 2 | 3 | undefined;

export interface Participant {
  readonly id: ParticipantId;
  readonly role: Role;
  readonly name: string | undefined;
  readonly lang: LanguageTag | undefined;
  readonly isLocal: boolean;
  /** waiting: not yet admitted. */
  readonly state: 'waiting' | 'admitted' | 'left';
  /** The other side's own connection to the visit. */
  readonly connection: 'connected' | 'reconnecting';
  readonly isSpeaking: boolean;
  readonly connectionQuality: ConnectionQuality;
  readonly tracks: ReadonlyMap<MediaSource, TrackPublication>;
}

export interface LocalParticipant extends Participant {
  readonly isLocal: true;
  readonly grants: ReadonlySet<Grant>;
  readonly isCameraEnabled: boolean;
  readonly isMicrophoneEnabled: boolean;
  readonly isScreenShareEnabled: boolean;
  /** @throws BedsideError permission-denied, device-not-found, device-in-use, insecure-context, permissions-policy, forbidden */
  setCameraEnabled(enabled: boolean): Promise<void>;
  setMicrophoneEnabled(enabled: boolean): Promise<void>;
  setScreenShareEnabled(enabled: boolean): Promise<void>;
}

export type DeviceKind = 'audioinput' | 'videoinput' | 'audiooutput';

export interface VisitEvents {
  connectionStateChanged: (state: ConnectionState, reason: DisconnectReason | undefined) => void;
  /** Once per visit, when it is over for this page. */
  disconnected: (reason: DisconnectReason, error: BedsideError | undefined) => void;
  /** State of the visit (open, active, ended). */
  visitStateChanged: (state: VisitState) => void;
  participantConnected: (participant: Participant) => void;
  participantDisconnected: (participant: Participant) => void;
  /** Anything of a participant changed: state, connection, mute, tracks, quality, speaking. */
  participantChanged: (participant: Participant) => void;
  trackSubscribed: (
    track: MediaStreamTrack,
    publication: TrackPublication,
    participant: Participant,
  ) => void;
  trackUnsubscribed: (
    track: MediaStreamTrack,
    publication: TrackPublication,
    participant: Participant,
  ) => void;
  localTrackPublished: (publication: TrackPublication) => void;
  localTrackUnpublished: (publication: TrackPublication) => void;
  activeSpeakerChanged: (participant: Participant | undefined) => void;
  connectionQualityChanged: (quality: ConnectionQuality, participant: Participant) => void;
  /** A device failed outside of a call of the page's: unplugged, taken by another program. */
  mediaDevicesError: (error: BedsideError, source: MediaSource) => void;
  devicesChanged: () => void;
  /** Whether sound may play; when false call `startAudio()` in a click handler. */
  audioPlaybackChanged: (allowed: boolean) => void;
}

export interface VisitStats {
  /** Round trip to the gateway or node, milliseconds. */
  roundTripMs: number | undefined;
  /** Sums since the transports were opened. */
  sentBytes: number;
  receivedBytes: number;
  inbound: ReadonlyArray<{
    participantId: ParticipantId;
    source: MediaSource;
    packetsReceived: number;
    packetsLost: number;
    jitterSeconds: number;
    framesDecoded: number | undefined;
    frameWidth: number | undefined;
    frameHeight: number | undefined;
    framesPerSecond: number | undefined;
    freezeCount: number | undefined;
    /** Integral of energy over time, as RTCInboundRtpStreamStats.totalAudioEnergy. */
    totalAudioEnergy: number | undefined;
  }>;
}

/** What `new Visit(options)` gives; `<bedside-visit>` uses nothing else. */
export interface VisitApi {
  readonly state: ConnectionState;
  readonly disconnectReason: DisconnectReason | undefined;
  /** What ended the connection, where it failed. */
  readonly error: BedsideError | undefined;
  readonly visitState: VisitState | undefined;
  readonly kind: VisitKind | undefined;
  readonly localParticipant: LocalParticipant;
  /** The others, waiting and admitted. */
  readonly participants: ReadonlyMap<ParticipantId, Participant>;
  readonly activeSpeaker: Participant | undefined;
  readonly canPlaybackAudio: boolean;
  /** Resolves when joined with media ready. May be called again after `disconnected`. @throws BedsideError */
  connect(): Promise<void>;
  leave(): Promise<void>;
  /** End the visit for everybody; needs the grant `end`. */
  end(): Promise<void>;
  /** Allow sound; call it in a click handler. */
  startAudio(): Promise<void>;
  getDevices(kind: DeviceKind): Promise<MediaDeviceInfo[]>;
  activeDevice(kind: DeviceKind): string | undefined;
  switchActiveDevice(kind: DeviceKind, deviceId: string): Promise<void>;
  /** The size, in CSS pixels, at which a video is shown; 0 x 0 while it is hidden. Chooses layers. */
  setVideoSize(
    participantId: ParticipantId,
    source: MediaSource,
    width: number,
    height: number,
  ): void;
  getStats(): Promise<VisitStats>;
  on<Name extends keyof VisitEvents>(name: Name, listener: VisitEvents[Name]): this;
  off<Name extends keyof VisitEvents>(name: Name, listener: VisitEvents[Name]): this;
}
