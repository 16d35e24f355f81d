import {
  BedsideError,
  type Grant,
  KIND_OF_SOURCE,
  type MediaSource,
  type ParticipantId,
  type ParticipantView,
  toBedsideError,
} from '@bedside/protocol';
import { Capture, captureScreen } from './media/capture.ts';
import type { MediaPath, Sender } from './media/path.ts';
import { ParticipantState, type Publication } from './participant.ts';
import type { DeviceKind, LocalParticipant, TrackPublication, VisitOptions } from './types.ts';

export interface LocalHandlers {
  changed(): void;
  published(publication: TrackPublication): void;
  unpublished(publication: TrackPublication): void;
  /** A device failed while nobody was calling. */
  failed(error: BedsideError, source: MediaSource): void;
}

const GRANT: Record<MediaSource, Grant> = {
  camera: 'publish-video',
  microphone: 'publish-audio',
  screen: 'publish-screen',
  'screen-audio': 'publish-screen',
};

/** One thing this page can send. */
interface Slot {
  source: MediaSource;
  enabled: boolean;
  track: MediaStreamTrack | undefined;
  sender: Sender | undefined;
  /** The device chosen by the person; kept while it is unplugged. */
  deviceId: string | undefined;
  /** Wanted, but its device is gone and no other was there. */
  lost: boolean;
  /** Calls for this source run one after the other. */
  tail: Promise<unknown>;
}

/**
 * The participant of this page: what it captures and sends. Tracks belong to this object and outlive
 * transports; with a new path they are sent again.
 */
export class LocalMedia extends ParticipantState implements LocalParticipant {
  override readonly isLocal = true as const;
  grants: ReadonlySet<Grant> = new Set();
  readonly #options: VisitOptions;
  readonly #handlers: LocalHandlers;
  readonly #capture = new Capture();
  readonly #slots: Record<MediaSource, Slot>;
  #path: MediaPath | undefined;
  #joined = false;

  constructor(options: VisitOptions, handlers: LocalHandlers) {
    super('' as ParticipantId, 'observer', true);
    this.#options = options;
    this.#handlers = handlers;
    this.#slots = {
      camera: newSlot('camera', options.video?.deviceId),
      microphone: newSlot('microphone', options.audio?.deviceId),
      screen: newSlot('screen'),
      'screen-audio': newSlot('screen-audio'),
    };
  }

  get isCameraEnabled(): boolean {
    return this.#slots.camera.enabled;
  }

  get isMicrophoneEnabled(): boolean {
    return this.#slots.microphone.enabled;
  }

  get isScreenShareEnabled(): boolean {
    return this.#slots.screen.enabled;
  }

  setCameraEnabled(enabled: boolean): Promise<void> {
    return this.#set('camera', enabled);
  }

  setMicrophoneEnabled(enabled: boolean): Promise<void> {
    return this.#set('microphone', enabled);
  }

  async setScreenShareEnabled(enabled: boolean): Promise<void> {
    if (enabled === this.isScreenShareEnabled) return;
    if (!enabled) return this.#stopScreen();
    this.#assertGranted('screen');
    // Asked for in the caller's own turn: browsers want a click behind it.
    const { video, audio } = await captureScreen();
    await this.#serial('screen', () => this.#startScreen('screen', video));
    if (audio) await this.#serial('screen-audio', () => this.#startScreen('screen-audio', audio));
  }

  /** Grants as the gateway told them. */
  welcome(grants: readonly Grant[]): void {
    this.grants = new Set(grants);
    this.#joined = true;
  }

  /** Sends whatever is captured over a new path. What fails is reported as `failed`. */
  attachPath(path: MediaPath): void {
    this.#path = path;
    for (const slot of this.#all()) {
      slot.sender = undefined;
      if (slot.track) this.#background(slot, () => this.#send(slot));
    }
  }

  /** The path is closed; tracks stay. */
  detachPath(): void {
    this.#path = undefined;
    for (const slot of this.#all()) slot.sender = undefined;
  }

  /** Tells the gateway again what it has wrong: a mute whose command was lost with a socket. */
  reconcile(view: ParticipantView): void {
    for (const slot of this.#all()) {
      const producer = view.producers.find(
        ({ producerId }) => producerId === slot.sender?.producerId,
      );
      if (producer && producer.paused === slot.enabled) {
        this.#background(slot, async () => slot.sender?.setPaused(!slot.enabled));
      }
    }
  }

  activeDevice(kind: Exclude<DeviceKind, 'audiooutput'>): string | undefined {
    const slot = this.#slotOf(kind);
    return slot.track?.getSettings().deviceId ?? slot.deviceId;
  }

  /** @throws BedsideError as setCameraEnabled; the old device then stays in use. */
  switchDevice(kind: Exclude<DeviceKind, 'audiooutput'>, deviceId: string): Promise<void> {
    const slot = this.#slotOf(kind);
    return this.#serial(slot.source, async () => {
      if (slot.track && slot.track.readyState === 'live') await this.#replace(slot, deviceId);
      slot.deviceId = deviceId;
    });
  }

  /** Devices came or went: a lost source tries again, a chosen device that is back is used again. */
  devicesChanged(present: readonly MediaDeviceInfo[]): void {
    for (const slot of [this.#slots.camera, this.#slots.microphone]) {
      const { deviceId, track } = slot;
      const isBack =
        deviceId !== undefined &&
        track?.getSettings().deviceId !== deviceId &&
        present.some((device) => device.deviceId === deviceId);
      if (slot.lost || (slot.enabled && isBack))
        this.#background(slot, () => this.#recapture(slot), true);
    }
  }

  /** Stops every device. The object can be used for another connect. */
  release(): void {
    this.detachPath();
    this.#joined = false;
    this.isSpeaking = false;
    this.connectionQuality = undefined;
    for (const slot of this.#all()) {
      slot.enabled = false;
      slot.lost = false;
      this.#stopTrack(slot);
    }
    this.tracks.clear();
  }

  #all(): Slot[] {
    return Object.values(this.#slots);
  }

  #slotOf(kind: Exclude<DeviceKind, 'audiooutput'>): Slot {
    return kind === 'videoinput' ? this.#slots.camera : this.#slots.microphone;
  }

  #serial<Value>(source: MediaSource, task: () => Promise<Value>): Promise<Value> {
    const slot = this.#slots[source];
    const result = slot.tail.then(task);
    slot.tail = result.catch(() => {});
    return result;
  }

  #background(slot: Slot, task: () => Promise<unknown>, quiet = false): void {
    this.#serial(slot.source, task).catch((error: unknown) => {
      // Unavailability is the session's matter: it resumes or joins again, and sends again.
      const known = toBedsideError(error);
      if (!quiet && known.kind !== 'unavailable') this.#handlers.failed(known, slot.source);
    });
  }

  #assertGranted(source: MediaSource): void {
    if (this.#joined && !this.grants.has(GRANT[source])) throw new BedsideError('forbidden');
  }

  #set(source: 'camera' | 'microphone', enabled: boolean): Promise<void> {
    const slot = this.#slots[source];
    // Mute is heard at once, whatever else is still under way.
    if (!enabled && slot.track) slot.track.enabled = false;
    return this.#serial(source, () => (enabled ? this.#enable(slot) : this.#disable(slot)));
  }

  async #enable(slot: Slot): Promise<void> {
    this.#assertGranted(slot.source);
    if (slot.track?.readyState !== 'live') this.#setTrack(slot, await this.#openPreferred(slot));
    if (slot.track) slot.track.enabled = true;
    slot.enabled = true;
    slot.lost = false;
    this.#show(slot);
    await this.#send(slot);
  }

  async #disable(slot: Slot): Promise<void> {
    slot.enabled = false;
    slot.lost = false;
    const { sender } = slot;
    if (slot.source === 'camera') {
      this.#stopTrack(slot);
      // No frame of before is left in the encoder, and the camera's light goes off.
      await sender?.replaceTrack(null).catch(() => {});
    }
    this.#show(slot);
    await this.#tolerant(sender?.setPaused(true));
  }

  async #startScreen(source: 'screen' | 'screen-audio', track: MediaStreamTrack): Promise<void> {
    const slot = this.#slots[source];
    this.#setTrack(slot, track);
    slot.enabled = true;
    this.#show(slot);
    try {
      await this.#send(slot);
    } catch (error) {
      this.#closeSlot(slot);
      throw error;
    }
  }

  async #stopScreen(): Promise<void> {
    for (const source of ['screen', 'screen-audio'] as const) {
      await this.#serial(source, async () => this.#closeSlot(this.#slots[source]));
    }
  }

  #closeSlot(slot: Slot): void {
    slot.enabled = false;
    this.#stopTrack(slot);
    slot.sender?.close();
    slot.sender = undefined;
    this.#show(slot);
  }

  /** Brings the path in line with the slot; without a path there is nothing to do yet. */
  async #send(slot: Slot): Promise<void> {
    const { track } = slot;
    if (!this.#path || !track) return;
    if (slot.sender) {
      await slot.sender.replaceTrack(track);
      await this.#tolerant(slot.sender.setPaused(!slot.enabled));
      return;
    }
    const sender = this.#path.publish(slot.source, track, !slot.enabled);
    slot.sender = sender;
    try {
      await sender.published;
    } catch (error) {
      if (slot.sender === sender) slot.sender = undefined;
      const known = toBedsideError(error);
      if (known.kind !== 'unavailable') throw known;
    }
  }

  /** A command that the gateway could not take now is made good by reconcile() after the resume. */
  async #tolerant(command: Promise<void> | undefined): Promise<void> {
    try {
      await command;
    } catch (error) {
      const known = toBedsideError(error);
      if (known.kind !== 'unavailable' && known.code !== 'not-joined') throw known;
    }
  }

  #setTrack(slot: Slot, track: MediaStreamTrack): void {
    this.#stopTrack(slot);
    slot.track = track;
    track.onended = () => {
      if (slot.track === track) this.#trackEnded(slot);
    };
  }

  #stopTrack(slot: Slot): void {
    if (!slot.track) return;
    slot.track.onended = null;
    slot.track.stop();
    slot.track = undefined;
  }

  /** Not by us: unplugged, taken away, or the browser's own "stop sharing". */
  #trackEnded(slot: Slot): void {
    if (slot.source === 'screen' || slot.source === 'screen-audio') {
      this.#background(slot, async () => this.#closeSlot(slot));
      if (slot.source === 'screen') void this.#stopScreen();
      return;
    }
    if (!slot.enabled) {
      this.#stopTrack(slot);
      return;
    }
    this.#background(slot, async () => {
      try {
        await this.#recapture(slot);
      } catch (error) {
        await this.#disable(slot);
        this.#stopTrack(slot);
        slot.lost = true;
        this.#show(slot);
        throw error;
      }
    });
  }

  async #recapture(slot: Slot): Promise<void> {
    const track = await this.#openPreferred(slot);
    // Switched off by the person while the device was being opened.
    if (!slot.enabled && !slot.lost) return track.stop();
    this.#setTrack(slot, track);
    slot.enabled = true;
    slot.lost = false;
    this.#show(slot);
    await this.#send(slot);
  }

  async #replace(slot: Slot, deviceId: string): Promise<void> {
    const wasEnabled = slot.track?.enabled ?? true;
    let track: MediaStreamTrack;
    try {
      track = await this.#open(slot, deviceId);
    } catch (error) {
      // Phones open one camera at a time: let go of the old one first, and take it back on failure.
      if (toBedsideError(error).code !== 'device-in-use') throw error;
      slot.track?.stop();
      track = await this.#open(slot, deviceId).catch(async (second: unknown) => {
        this.#setTrack(slot, await this.#openPreferred(slot));
        await this.#send(slot);
        throw second;
      });
    }
    track.enabled = wasEnabled;
    this.#setTrack(slot, track);
    this.#show(slot);
    await this.#send(slot);
  }

  /** The chosen device, or the browser's default where that one is gone. */
  async #openPreferred(slot: Slot): Promise<MediaStreamTrack> {
    try {
      return await this.#open(slot, slot.deviceId);
    } catch (error) {
      if (slot.deviceId === undefined || toBedsideError(error).code !== 'device-not-found')
        throw error;
      return this.#open(slot, undefined);
    }
  }

  #open(slot: Slot, deviceId: string | undefined): Promise<MediaStreamTrack> {
    const device = deviceId === undefined ? {} : { deviceId: { exact: deviceId } };
    if (KIND_OF_SOURCE[slot.source] === 'audio') {
      const {
        echoCancellation = true,
        noiseSuppression = true,
        autoGainControl = true,
      } = this.#options.audio ?? {};
      return this.#capture.open('audio', {
        ...device,
        echoCancellation,
        noiseSuppression,
        autoGainControl,
      });
    }
    const { width = 1280, height = 720, frameRate = 30 } = this.#options.video ?? {};
    return this.#capture.open('video', {
      ...device,
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: frameRate },
    });
  }

  /** Makes the public view of the slot true, and says so. */
  #show(slot: Slot): void {
    const isScreen = slot.source === 'screen' || slot.source === 'screen-audio';
    if (isScreen && !slot.track) {
      const gone: Publication | undefined = this.tracks.get(slot.source);
      this.tracks.delete(slot.source);
      if (gone) this.#handlers.unpublished(gone);
    } else {
      const isNew = !this.tracks.has(slot.source);
      const publication = this.publication(slot.source);
      publication.muted = !slot.enabled;
      publication.track = slot.track;
      if (isNew) this.#handlers.published(publication);
    }
    this.#handlers.changed();
  }
}

const newSlot = (source: MediaSource, deviceId?: string): Slot => ({
  source,
  enabled: false,
  track: undefined,
  sender: undefined,
  deviceId,
  lost: false,
  tail: Promise.resolve(),
});
