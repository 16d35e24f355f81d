import {
  type ConsumerId,
  type ConsumerParameters,
  HOLD,
  isSigned,
  KIND_OF_SOURCE,
  type LanguageTag,
  MAIN_ROOM,
  type MediaKind,
  type MediaSource,
  type ParticipantId,
  type ParticipantView,
  type Place,
  type ProducerId,
  type Role,
} from '@bedside/protocol';
import type { ConnectionQuality, Hold, Participant, TrackPublication } from './types.ts';

/** One source of one participant: announced by the visit, received by a consumer, or both. */
export class Publication implements TrackPublication {
  readonly source: MediaSource;
  readonly kind: MediaKind;
  producerId: ProducerId | undefined;
  consumerId: ConsumerId | undefined;
  muted = false;
  /** What the consumer yields, whether or not it is shown. */
  received: MediaStreamTrack | undefined;
  track: MediaStreamTrack | undefined;
  interrupted = false;
  gain = 1;
  isProtected = false;
  /** Whether the visit's state lists it; without that it lives as long as its consumer, or interruption. */
  announced = false;

  constructor(source: MediaSource) {
    this.source = source;
    this.kind = KIND_OF_SOURCE[source];
  }
}

/** A participant as this page knows it; the Visit writes, everybody reads. */
export class ParticipantState implements Participant {
  id: ParticipantId;
  role: Role;
  readonly isLocal: boolean;
  name: string | undefined;
  lang: LanguageTag | undefined;
  state: Participant['state'] = 'waiting';
  connection: Participant['connection'] = 'connected';
  place: Place = MAIN_ROOM;
  mayAttend = false;
  hold: Hold | undefined;
  isHere = false;
  speaks: readonly LanguageTag[] = [];
  hears: readonly LanguageTag[] = [];
  signs = false;
  duckDb: number | undefined;
  handRaisedAt: number | undefined;
  waitingSince: number | undefined;
  whisperTo: ParticipantId | undefined;
  isSpeaking = false;
  connectionQuality: ConnectionQuality;
  readonly tracks = new Map<MediaSource, Publication>();

  constructor(id: ParticipantId, role: Role, isLocal: boolean) {
    this.id = id;
    this.role = role;
    this.isLocal = isLocal;
  }

  /** Takes over what the visit says; of a remote participant its tracks too. */
  apply(view: ParticipantView): void {
    this.id = view.participantId;
    this.role = view.role;
    this.name = view.name;
    this.lang = view.lang;
    this.state = view.state;
    this.connection = view.connection;
    this.place = view.place;
    this.mayAttend = view.mayAttend ?? false;
    this.hold = view.hold;
    this.speaks = view.speaks ?? (view.lang === undefined ? [] : [view.lang]);
    this.hears = view.hears ?? this.speaks;
    // An interpreter's picture is the voice of others.
    this.signs = view.role !== 'interpreter' && (view.signs ?? this.speaks.some(isSigned));
    this.duckDb = view.duckDb;
    this.handRaisedAt = view.handRaisedAt;
    this.waitingSince = view.waitingSince;
    this.whisperTo = view.whisperTo;
    if (this.isLocal) return;
    const before = [...this.tracks.values()].filter(({ announced }) => announced);
    for (const publication of before) publication.announced = false;
    for (const { producerId, source, paused } of view.producers) {
      const publication = this.publication(source);
      publication.announced = true;
      publication.muted = paused;
      if (paused) publication.interrupted = false;
      if (publication.consumerId === undefined) publication.producerId = producerId;
    }
    // Turned off, these are paused: it is by a failure that they go.
    const gone = before.filter(({ announced }) => !announced);
    if (gone.some(({ source }) => source === 'camera' || source === 'microphone'))
      for (const publication of gone) publication.interrupted = !publication.muted;
    this.#prune();
  }

  /** What is received of them is about to end, though they go on sending. */
  interrupt(): void {
    for (const publication of this.tracks.values())
      if (publication.track && !publication.muted) publication.interrupted = true;
  }

  get isInterrupted(): boolean {
    return [...this.tracks.values()].some(({ interrupted }) => interrupted);
  }

  /** What was interrupted is not waited for any more. */
  endInterruption(): void {
    for (const publication of this.tracks.values()) publication.interrupted = false;
    this.#prune();
  }

  /** Whether both take part in the same place, where people see and hear each other. */
  isWith({ state, place }: ParticipantState): boolean {
    const admitted = state === 'admitted' && this.state === 'admitted';
    return admitted && place === this.place && place !== HOLD;
  }

  attach(parameters: ConsumerParameters, track: MediaStreamTrack): Publication {
    const publication = this.publication(parameters.source);
    // The visit's word on mute is newer where it already lists this producer.
    if (publication.producerId !== parameters.producerId || !publication.announced) {
      publication.muted = parameters.producerPaused;
    }
    publication.producerId = parameters.producerId;
    publication.consumerId = parameters.consumerId;
    publication.gain = parameters.gain;
    publication.isProtected = parameters.protected ?? false;
    publication.received = track;
    publication.interrupted = false;
    return publication;
  }

  /** The publication that lost its track, or undefined where another consumer has taken its place. */
  detach(consumerId: ConsumerId): Publication | undefined {
    for (const publication of this.tracks.values()) {
      if (publication.consumerId !== consumerId) continue;
      publication.consumerId = publication.received = undefined;
      this.#prune();
      return publication;
    }
    return undefined;
  }

  publication(source: MediaSource): Publication {
    const known = this.tracks.get(source);
    if (known) return known;
    const publication = new Publication(source);
    this.tracks.set(source, publication);
    return publication;
  }

  #prune(): void {
    for (const [source, publication] of this.tracks) {
      const { announced, consumerId, interrupted } = publication;
      if (!announced && consumerId === undefined && !interrupted) this.tracks.delete(source);
    }
  }
}
