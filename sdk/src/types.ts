/** The public surface of the SDK. Names follow livekit-client where the concept is the same. */

import type {
  BedsideError,
  CallId,
  CloseReason,
  Cue,
  Grant,
  InterpretingMode,
  InviteId,
  LanguageTag,
  MediaKind,
  MediaSource,
  ParticipantId,
  Place,
  Reaction,
  Role,
  VisitKind,
  VisitState,
} from '@bedside/protocol';
import type { SoundName } from './media/scores.ts';

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
  /** The live track; undefined while not received (or not captured), or while its sender is elsewhere. */
  readonly track: MediaStreamTrack | undefined;
  /**
   * Its media failed and is being set up again: there is no track, and the last picture may stand. A
   * `<video>` keeps it that is paused in `trackUnsubscribed`; take it away once this is false without a track.
   */
  readonly interrupted: boolean;
  /** Linear gain to play it at, 0 to 1. */
  readonly gain: number;
  /** A picture of a signed conversation: show it large. The SDK neither pauses it nor asks for less. */
  readonly isProtected: boolean;
}

/** What somebody on hold is told, and hears meanwhile. */
export interface Hold {
  notice?: string | undefined;
  /** Music is played by their own page. */
  audio: 'none' | 'music';
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
  /** `main`, `hold`, or the id of a private room. */
  readonly place: Place;
  /** May be responsible for the visit, and so be asked to take it over. */
  readonly mayAttend: boolean;
  /** While `place` is `hold`. */
  readonly hold: Hold | undefined;
  /** Whether they are where the local participant is, and so are seen and heard. */
  readonly isHere: boolean;
  /** The preferred language first, signed ones included. */
  readonly speaks: readonly LanguageTag[];
  readonly hears: readonly LanguageTag[];
  /** Communicates in a signed language: the picture is their voice. */
  readonly signs: boolean;
  /** Decibels by which originals are turned down under an interpreter for them, 0 for not at all. */
  readonly duckDb: number | undefined;
  /** Milliseconds since 1970. */
  readonly handRaisedAt: number | undefined;
  /** Milliseconds since 1970; while `state` is `waiting`. */
  readonly waitingSince: number | undefined;
  /** Their microphone goes to this participant alone. */
  readonly whisperTo: ParticipantId | undefined;
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
  readonly isExamCameraEnabled: boolean;
  /** As chosen last, on or off; `deviceId` is that of the picture where there is one. */
  readonly examCamera: ExamCameraOptions;
  /** @throws BedsideError permission-denied, device-not-found, device-in-use, insecure-context, permissions-policy, forbidden */
  setCameraEnabled(enabled: boolean): Promise<void>;
  setMicrophoneEnabled(enabled: boolean): Promise<void>;
  setScreenShareEnabled(enabled: boolean): Promise<void>;
  /** Show a second camera beside one's own. Device and hint are changed or kept while it is off, too. */
  setExamCameraEnabled(enabled: boolean, options?: ExamCameraOptions): Promise<void>;
}

export interface ExamCameraOptions {
  /** Default: the first camera that is not one's own. While it is on, no other stands in for it. */
  deviceId?: string | undefined;
  /**
   * What counts when bandwidth falls: `motion` keeps the frame rate (the default, for a moving picture),
   * `detail` the resolution (a still one: skin, a wound, a document). Kept until it is changed.
   */
  hint?: 'motion' | 'detail' | undefined;
}

export type DeviceKind = 'audioinput' | 'videoinput' | 'audiooutput';

/** Where to go: the main room, hold, an open private room, or a new one where `room` is absent. */
export type MoveTarget =
  | { type: 'main' }
  | ({ type: 'hold' } & Hold)
  | { type: 'room'; room?: Place | undefined };

/** Everybody, everybody in the sender's own place, or one participant. */
export type MessageTarget =
  | { type: 'all' }
  | { type: 'room' }
  | { type: 'participant'; participantId: ParticipantId };

export type MessageKind = 'chat' | 'caption';

export interface Message {
  /** Grows over the visit. */
  readonly number: number;
  /** Absent where the clinic wrote it from outside the visit. */
  readonly from?: ParticipantId | undefined;
  readonly to: MessageTarget;
  readonly kind: MessageKind;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface InviteOptions {
  role: Role;
  name?: string | undefined;
  /** For how long it can be used, in milliseconds: 10 s to a day. Default 15 minutes. */
  ttlMs?: number | undefined;
  /** Who comes with it waits until they are admitted. Default false. */
  knock?: boolean | undefined;
}

/** A token for one person more. */
export interface Invitation {
  readonly inviteId: InviteId;
  /** Good for one page, for one use. */
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** An invitation as those who may invite see it. */
export interface InviteInfo {
  readonly inviteId: InviteId;
  readonly role: Role;
  readonly name?: string | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly knock: boolean;
  readonly state: 'open' | 'used' | 'revoked';
}

/** Whom a call is for: everything that is named must fit. Tags have the meaning that the portal gives them. */
export interface Need {
  specialty?: string | undefined;
  language?: LanguageTag | undefined;
  region?: string | undefined;
  role?: Role | undefined;
}

export interface CallOptions {
  /** In which they come. */
  role: Role;
  /** Whom to ring: the first group, and where nobody answers the next. */
  groups: readonly Need[];
  /** For how long each group rings, in milliseconds: 5 s to 5 minutes. Default 30 s. */
  ringMs?: number | undefined;
}

/** A call for somebody on call, as those who may call see it. */
export interface CallInfo {
  readonly callId: CallId;
  readonly role: Role;
  readonly state: 'ringing' | 'accepted' | 'unanswered' | 'cancelled';
  /** Which group rings, 0 for the first. */
  readonly group: number;
  /** How many there are. */
  readonly groups: number;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** Who comes, once somebody has accepted; in `participants` as soon as they are there. */
  readonly acceptedBy?: ParticipantId | undefined;
}

/** What is absent stays as it is. */
export interface LanguageOptions {
  speaks?: readonly LanguageTag[] | undefined;
  hears?: readonly LanguageTag[] | undefined;
  signs?: boolean | undefined;
  /** -60 to 0 dB: by how much originals are turned down under an interpreter, 0 for not at all. */
  duckDb?: number | undefined;
}

/** What the clinic shares with who waits. */
export interface WaitInfo {
  /** How many are seen before, 0 for next. */
  readonly ahead?: number | undefined;
  /** Milliseconds since 1970. */
  readonly expectedAt?: number | undefined;
}

/** Responsibility that one participant offers to another. */
export interface HandOver {
  readonly from: ParticipantId;
  readonly to: ParticipantId;
}

/** One of the page's own sounds. */
export interface PageSound {
  readonly on: boolean;
  /** The person's own mute. */
  muted: boolean;
  start(): void;
  stop(): void;
}

/** Of a protected picture: frames a second; freezes in two seconds; pixels of its shorter side; ms from its sound. */
export type QualityMeasure = 'frame-rate' | 'freezes' | 'resolution' | 'sync';

export interface QualityChange {
  readonly participantId: ParticipantId;
  readonly what: QualityMeasure;
  readonly value: number;
  readonly threshold: number;
}

/** Numbers of one participant's protected pictures in this page, for the whole session. */
export interface QualityEvidence {
  readonly participantId: ParticipantId;
  /** For how long they were measured. */
  readonly seconds: number;
  /** Of the samples, each of about two seconds. `p5`: 5 % were lower. */
  readonly framesPerSecond: Distribution;
  /** Of the picture's shorter side, in pixels. */
  readonly shortSide: Distribution;
  /** Between sound and picture, milliseconds; of the samples where it could be told. `p95`: 5 % were larger. */
  readonly offsetMs: Distribution;
  readonly freezes: number;
  readonly frozenSeconds: number;
  /** Seconds beyond the threshold. */
  readonly secondsBreached: Readonly<Record<QualityMeasure, number>>;
}

export interface Distribution {
  readonly samples: number;
  readonly min: number;
  readonly p5: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

export interface VisitEvents {
  connectionStateChanged: (state: ConnectionState, reason: DisconnectReason | undefined) => void;
  /** Once per visit, when it is over for this page. */
  disconnected: (reason: DisconnectReason, error: BedsideError | undefined) => void;
  /** State of the visit (open, active, ended). */
  visitStateChanged: (state: VisitState) => void;
  /** Who is responsible, hand-over, interpreting, turns, wait, reactions, invites or calls changed. */
  visitChanged: () => void;
  /** The local participant takes part from now on. */
  admitted: () => void;
  participantConnected: (participant: Participant) => void;
  participantDisconnected: (participant: Participant) => void;
  /** Anything of a participant changed: state, place, connection, mute, tracks, quality, speaking. */
  participantChanged: (participant: Participant) => void;
  /** A participant, the local one included, went from one place to another. */
  placeChanged: (participant: Participant, before: Place) => void;
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
  /** In order, each once, over reconnects too; one's own included. */
  messageReceived: (message: Message) => void;
  /** Somebody muted the local microphone; only its own page unmutes it. */
  microphoneMuted: () => void;
  /**
   * The one to whom the local participant whispered does not hear them any more. Their microphone is
   * muted: what was meant for one goes to nobody else.
   */
  whisperEnded: (to: Participant | undefined) => void;
  /** Somebody asks the local participant to unmute. */
  unmuteAsked: (by: Participant | undefined) => void;
  /** The interpreter asks the local participant to pause or to repeat. */
  cueReceived: (cue: Cue, by: Participant | undefined) => void;
  reactionReceived: (reaction: Reaction, participant: Participant) => void;
  /** A protected picture falls below what a signed conversation needs. */
  qualityBreached: (change: QualityChange) => void;
  qualityRestored: (change: QualityChange) => void;
  /** Somebody else sees a signed conversation too badly, or well again; told to who may admit. */
  remoteQualityChanged: (
    change: QualityChange & { readonly breached: boolean },
    viewer: Participant,
  ) => void;
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
    /** All freezes together. */
    frozenSeconds: number | undefined;
    /** When the sender captured what is played now, by the sender's clock: milliseconds. */
    playoutAt: number | undefined;
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
  /** Who answers for the visit. */
  readonly responsible: Participant | undefined;
  /** Since when nobody does, in milliseconds since 1970: the visit goes on, and waits for them. */
  readonly unattendedSince: number | undefined;
  /** Responsibility on offer. */
  readonly handOverOffer: HandOver | undefined;
  readonly interpreting: InterpretingMode;
  /** Interpreters whose turn it is, where several have the same pair of languages. */
  readonly turns: readonly ParticipantId[];
  readonly reactionsAllowed: boolean;
  /** How many listen to a lecture beside those in `participants`, who do not see them. */
  readonly audience: number | undefined;
  readonly wait: WaitInfo | undefined;
  /** For those with the grant `invite`; so are `calls`. */
  readonly invites: readonly InviteInfo[];
  readonly calls: readonly CallInfo[];
  /** In order; the newest 500. A new array with each message. */
  readonly messages: readonly Message[];
  /** Hold music, which the visit starts and stops by itself; and cues for the page to start. */
  readonly sounds: Readonly<Record<SoundName, PageSound>>;
  /** How the protected pictures of this session were; it outlives `disconnected`. */
  readonly evidence: readonly QualityEvidence[];
  /** Resolves when joined with media ready. May be called again after `disconnected`. @throws BedsideError */
  connect(): Promise<void>;
  leave(): Promise<void>;
  /** End the visit for everybody; needs the grant `end`. */
  end(): Promise<void>;
  /** Let those who wait take part; all of them where none is named. @throws BedsideError already-admitted */
  admit(participantIds?: readonly ParticipantId[]): Promise<void>;
  /** Send somebody away, or deny one who waits. */
  remove(participantId: ParticipantId): Promise<void>;
  /** Bring participants together elsewhere. Resolves with their place, once nobody else hears them. */
  moveTo(participantIds: readonly ParticipantId[], target: MoveTarget): Promise<Place>;
  /** Mute somebody's microphone; they alone can unmute it. */
  mute(participantId: ParticipantId): Promise<void>;
  askToUnmute(participantId: ParticipantId): Promise<void>;
  invite(options: InviteOptions): Promise<Invitation>;
  revokeInvite(inviteId: InviteId): Promise<void>;
  /** Ring who is on call; how it goes shows in `calls`. */
  call(options: CallOptions): Promise<CallId>;
  cancelCall(callId: CallId): Promise<void>;
  /** Offer the responsibility for the visit; null takes the offer back. */
  handOver(to: ParticipantId | null): Promise<void>;
  answerHandOver(accept: boolean): Promise<void>;
  /** Of the local participant. */
  setLanguages(languages: LanguageOptions): Promise<void>;
  setInterpreting(mode: InterpretingMode): Promise<void>;
  /** Be the one who interprets now. */
  takeTurn(): Promise<void>;
  /** Ask a speaker, without words, to pause or to repeat. */
  cue(participantId: ParticipantId, cue: Cue): Promise<void>;
  /** Speak to one participant alone; null for everybody again. */
  whisper(to: ParticipantId | null): Promise<void>;
  /** To everybody in one's own place, and of the kind `chat`, unless told otherwise. Resolves with its number. */
  sendMessage(text: string, options?: { to?: MessageTarget; kind?: MessageKind }): Promise<number>;
  raiseHand(raised: boolean): Promise<void>;
  /** Asks `tokenProvider` now: the portal grants something else than before. */
  renewToken(): Promise<void>;
  react(reaction: Reaction): Promise<void>;
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
