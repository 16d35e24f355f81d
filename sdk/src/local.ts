import {
  BedsideError,
  type Grant,
  KIND_OF_SOURCE,
  type MediaSource,
  type ParticipantId,
  type ParticipantView,
  type ProducerId,
  toBedsideError,
} from '@bedside/protocol';
import { Capture, captureScreen } from './media/capture.ts';
import type { MediaPath, Sender } from './media/path.ts';
import { SenderPair } from './media/sender-pair.ts';
import { ParticipantState, type Publication } from './participant.ts';
import type {
  DeviceKind,
  ExamCameraOptions,
  LocalParticipant,
  TrackPublication,
  VisitOptions,
} from './types.ts';

export interface LocalHandlers {
  changed(): void;
  published(publication: TrackPublication): void;
  unpublished(publication: TrackPublication): void;
  /** A device failed while nobody was calling. */
  failed(error: BedsideError, source: MediaSource): void;
  /** Somebody else muted the microphone. */
  muted(): void;
  /** The gateway did not take a command; reconcile() with its view makes that good. */
  outOfStep(): void;
}

const GRANT: Record<MediaSource, Grant> = {
  camera: 'publish-video',
  microphone: 'publish-audio',
  screen: 'publish-screen',
  'screen-audio': 'publish-screen',
  exam: 'publish-exam',
};

/** What was last asked for. Every call makes a new one, so a call that failed takes back its own alone. */
interface Wish {
  enabled: boolean;
}

/** One thing this page can send. */
interface Slot {
  source: MediaSource;
  /** On without a track: being opened, or its device is gone and no other was there. */
  wish: Wish;
  track: MediaStreamTrack | undefined;
  sender: Sender | undefined;
  /** Whether the sender was to be paused, as the gateway was told last; `seen` once the visit said so. */
  told: { paused: boolean; seen: boolean } | undefined;
  /** The device chosen by the person; kept while it is unplugged. */
  deviceId: string | undefined;
  /** Calls for this source run one after the other, each towards the wish of that moment. */
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
  /** During a relocation, the other one: everything is sent over both. */
  #next: MediaPath | undefined;
  #joined = false;
  #motion = false;
  #examHint: NonNullable<ExamCameraOptions['hint']> = 'motion';

  constructor(options: VisitOptions, handlers: LocalHandlers) {
    super('' as ParticipantId, 'observer', true);
    this.#options = options;
    this.#handlers = handlers;
    this.#slots = {
      camera: newSlot('camera', options.video?.deviceId),
      microphone: newSlot('microphone', options.audio?.deviceId),
      screen: newSlot('screen'),
      'screen-audio': newSlot('screen-audio'),
      exam: newSlot('exam'),
    };
  }

  get isCameraEnabled(): boolean {
    return isEnabled(this.#slots.camera);
  }

  get isMicrophoneEnabled(): boolean {
    return isEnabled(this.#slots.microphone);
  }

  get isScreenShareEnabled(): boolean {
    return isEnabled(this.#slots.screen);
  }

  get isExamCameraEnabled(): boolean {
    return isEnabled(this.#slots.exam);
  }

  get examCamera(): ExamCameraOptions {
    const { exam } = this.#slots;
    return { deviceId: deviceOf(exam), hint: this.#examHint };
  }

  setCameraEnabled(enabled: boolean): Promise<void> {
    return this.#set('camera', enabled);
  }

  setMicrophoneEnabled(enabled: boolean): Promise<void> {
    return this.#set('microphone', enabled);
  }

  async setScreenShareEnabled(enabled: boolean): Promise<void> {
    if (!enabled) return this.#stopScreen();
    if (this.isScreenShareEnabled) return;
    this.#assertGranted('screen');
    const wish = this.#wishScreen(true);
    // Asked for in the caller's own turn: browsers want a click behind it.
    const { video, audio } = await captureScreen().catch((error: unknown) => {
      wish.enabled = false;
      throw error;
    });
    try {
      await this.#serial('screen', () => this.#startScreen('screen', video, wish));
    } catch (error) {
      audio?.stop();
      throw error;
    }
    if (audio)
      await this.#serial('screen-audio', () => this.#startScreen('screen-audio', audio, wish));
  }

  async setExamCameraEnabled(
    enabled: boolean,
    { deviceId, hint }: ExamCameraOptions = {},
  ): Promise<void> {
    const slot = this.#slots.exam;
    const { wish } = slot;
    if (hint && hint !== this.#examHint) {
      this.#examHint = hint;
      this.#applyHint(slot);
    }
    if (deviceId !== undefined) {
      // The picture stays until that of the other device is there.
      if (enabled && wish.enabled) await this.#serial('exam', () => this.#switch(slot, deviceId));
      else slot.deviceId = deviceId;
    }
    if (slot.wish === wish) await this.#set('exam', enabled);
  }

  /** Grants as the gateway told them. What they do not cover stops here, too: the camera's light goes off. */
  welcome(grants: readonly Grant[]): void {
    this.grants = new Set(grants);
    this.#joined = true;
    for (const slot of this.#all()) {
      if (this.grants.has(GRANT[slot.source])) continue;
      const wasOn = slot.wish.enabled || slot.track !== undefined;
      slot.wish = { enabled: false };
      if (wasOn) this.#closeSlot(slot);
    }
  }

  override apply(view: ParticipantView): void {
    super.apply(view);
    const producer = view.producers.find(({ source }) => source === 'microphone');
    if (producer) this.#followMute(this.#slots.microphone, producer.paused);
  }

  /** The gateway muted the microphone, whatever was asked for meanwhile. */
  silence(): void {
    const { microphone } = this.#slots;
    if (microphone.wish.enabled) this.#mute(microphone);
  }

  /** Whether the camera is sent for its motion: hands and fingers, at a steady rate. */
  favourMotion(motion: boolean): void {
    if (motion === this.#motion) return;
    this.#motion = motion;
    this.#applyHint(this.#slots.camera);
  }

  /** Sends whatever is captured over a new path. What fails is reported as `failed`. */
  attachPath(path: MediaPath): void {
    this.#path = path;
    for (const slot of this.#all()) {
      slot.sender = undefined;
      if (slot.track) this.#background(slot, () => this.#send(slot));
    }
  }

  /** Sends whatever is sent over another path, too. Resolves once all of it has reached that one. */
  async attachNext(next: MediaPath): Promise<void> {
    this.#next = next;
    const pairs = this.#all().flatMap((slot) => this.#pair(slot) ?? []);
    await Promise.all(pairs.map(({ second }) => second.published));
  }

  /** Of two paths, this one is left. */
  settlePath(path: MediaPath): void {
    const isNext = path === this.#next;
    this.#path = path;
    this.#next = undefined;
    for (const slot of this.#all()) {
      const { sender, track } = slot;
      if (sender instanceof SenderPair) {
        slot.sender = isNext ? sender.second : sender.first;
        if (isNext)
          sender.second.published.catch(() => {
            if (slot.sender === sender.second) slot.sender = undefined;
            this.#background(slot, () => this.#send(slot));
          });
      } else if (isNext) {
        // Nothing to send of it since the other path is there.
        slot.sender = undefined;
        if (track) this.#background(slot, () => this.#send(slot));
      }
    }
  }

  /** The path is closed; tracks stay. */
  detachPath(): void {
    this.#path = this.#next = undefined;
    for (const slot of this.#all()) slot.sender = undefined;
  }

  /** What the gateway has acknowledged; of these, reconcile() can tell what it has lost. */
  get producerIds(): ReadonlySet<ProducerId> {
    return new Set(this.#all().flatMap(({ sender }) => sender?.producerId ?? []));
  }

  /**
   * Makes good what was lost between this page and the gateway: a mute, a track never published, a
   * producer that is gone, or one whose answer came too late and that nobody here knows. `known` are the `producerIds` of before `view` was asked for; one that was
   * published since may be missing in it.
   */
  reconcile(view: ParticipantView, known: ReadonlySet<ProducerId>): void {
    for (const slot of this.#all()) {
      this.#background(slot, async () => {
        const producer = view.producers.find(({ source }) => source === slot.source);
        const id = slot.sender?.producerId;
        if (id !== undefined && known.has(id) && producer?.producerId !== id) {
          slot.sender?.close();
          slot.sender = undefined;
        }
        if (!slot.sender && producer)
          await this.#path?.closeProducer(producer.producerId).catch(() => {});
        if (!slot.sender || producer?.paused === isEnabled(slot)) await this.#send(slot);
      });
    }
  }

  activeDevice(kind: Exclude<DeviceKind, 'audiooutput'>): string | undefined {
    return deviceOf(this.#slotOf(kind));
  }

  /** @throws BedsideError as setCameraEnabled; the old device then stays in use. */
  switchDevice(kind: Exclude<DeviceKind, 'audiooutput'>, deviceId: string): Promise<void> {
    const slot = this.#slotOf(kind);
    return this.#serial(slot.source, () => this.#switch(slot, deviceId));
  }

  /** Devices came or went: a lost source tries again, a chosen device that is back is used again. */
  devicesChanged(present: readonly MediaDeviceInfo[]): void {
    const { camera, microphone, exam } = this.#slots;
    for (const slot of [camera, microphone, exam]) {
      this.#background(
        slot,
        async () => {
          const { deviceId, track } = slot;
          const isBack =
            deviceId !== undefined &&
            track?.getSettings().deviceId !== deviceId &&
            present.some((device) => device.deviceId === deviceId);
          if (slot.wish.enabled && (!track || isBack)) await this.#recapture(slot);
        },
        true,
      );
    }
  }

  /** Stops every device, and what is still being opened once it opens. The object can be used for another connect. */
  release(): void {
    this.detachPath();
    this.#joined = false;
    this.isSpeaking = false;
    this.connectionQuality = undefined;
    for (const slot of this.#all()) {
      slot.wish = { enabled: false };
      this.#stopTrack(slot);
    }
    this.tracks.clear();
  }

  /** A pause that the visit tells of after it told of what this page asked for last is somebody else's. */
  #followMute(slot: Slot, paused: boolean): void {
    const { told } = slot;
    if (!told || !slot.sender) return;
    if (paused === told.paused) {
      told.seen = true;
    } else if (paused && told.seen && isEnabled(slot)) {
      this.#mute(slot);
    }
  }

  #mute(slot: Slot): void {
    slot.wish = { enabled: false };
    if (slot.track) slot.track.enabled = false;
    this.#show(slot);
    this.#handlers.muted();
    this.#background(slot, () => this.#send(slot));
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

  async #set(source: 'camera' | 'microphone' | 'exam', enabled: boolean): Promise<void> {
    if (enabled) this.#assertGranted(source);
    const slot = this.#slots[source];
    const wish = { enabled };
    slot.wish = wish;
    // The last word counts at once, whatever is still under way: a muted microphone is silent, and the
    // light of a camera goes off.
    if (source !== 'microphone' && !enabled) this.#stopTrack(slot);
    if (slot.track) slot.track.enabled = enabled;
    if (!enabled || slot.track) this.#show(slot);
    await this.#serial(source, () => this.#settle(slot, wish));
  }

  /** Brings everything in line with the wish of now, which may be newer than the call's own. */
  async #settle(slot: Slot, own: Wish): Promise<void> {
    if (!slot.wish.enabled) {
      if (slot.source === 'exam') this.#closeSlot(slot);
      else if (slot.sender) await this.#send(slot);
      return;
    }
    if (slot.track?.readyState === 'live') return this.#send(slot);
    let track: MediaStreamTrack;
    try {
      this.#assertGranted(slot.source);
      track = await this.#openPreferred(slot);
    } catch (error) {
      own.enabled = false;
      if (slot.source === 'exam' && !slot.wish.enabled) this.#closeSlot(slot);
      throw error;
    }
    await this.#use(slot, track);
  }

  /** Takes a newly opened track into use, unless what it was opened for was called off meanwhile. */
  async #use(slot: Slot, track: MediaStreamTrack): Promise<void> {
    if (!slot.wish.enabled && !slot.track) return track.stop();
    this.#setTrack(slot, track);
    this.#show(slot);
    await this.#send(slot);
  }

  async #startScreen(
    source: 'screen' | 'screen-audio',
    track: MediaStreamTrack,
    wish: Wish,
  ): Promise<void> {
    const slot = this.#slots[source];
    // Stopped, or asked for anew, while the person was choosing.
    if (slot.wish !== wish) return track.stop();
    try {
      await this.#use(slot, track);
    } catch (error) {
      if (source === 'screen') wish.enabled = false;
      this.#closeSlot(slot);
      throw error;
    }
  }

  #wishScreen(enabled: boolean): Wish {
    const wish = { enabled };
    this.#slots.screen.wish = wish;
    this.#slots['screen-audio'].wish = wish;
    return wish;
  }

  async #stopScreen(): Promise<void> {
    this.#wishScreen(false);
    for (const source of ['screen', 'screen-audio'] as const) {
      await this.#serial(source, async () => this.#closeSlot(this.#slots[source]));
    }
  }

  #closeSlot(slot: Slot): void {
    this.#stopTrack(slot);
    slot.sender?.close();
    slot.sender = undefined;
    this.#show(slot);
  }

  /** Brings the path in line with the slot; without a path there is nothing to do yet. */
  async #send(slot: Slot): Promise<void> {
    const { sender: known, track } = slot;
    if (known) {
      // Without a track, no frame of before is left in the encoder.
      await known.replaceTrack(track ?? null).catch((error: unknown) => {
        // Stopped meanwhile: the call that stopped it comes next.
        if (track && slot.track === track) throw error;
      });
      this.#pair(slot);
      await this.#tolerant(known.setPaused(this.#tellPaused(slot)));
      return;
    }
    if (!this.#path || !track) return;
    slot.told = undefined;
    const sender = this.#path.publish(slot.source, track, this.#tellPaused(slot));
    slot.sender = sender;
    if (slot.source === 'camera' && this.#motion) void sender.favourMotion(true);
    this.#pair(slot);
    try {
      await sender.published;
    } catch (error) {
      const { sender: now } = slot;
      if (now === sender || (now instanceof SenderPair && now.first === sender)) {
        now.close();
        slot.sender = undefined;
      }
      const known = toBedsideError(error);
      if (known.kind !== 'unavailable') throw known;
      this.#missed();
    }
  }

  /** Over the other path, too, where there is one. */
  #pair(slot: Slot): SenderPair | undefined {
    const { sender, source, track } = slot;
    if (!this.#next || !sender || sender instanceof SenderPair || !track) return undefined;
    const second = this.#next.publish(source, track, !isEnabled(slot));
    if (source === 'camera' && this.#motion) void second.favourMotion(true);
    const pair = new SenderPair(sender, second);
    slot.sender = pair;
    return pair;
  }

  #tellPaused(slot: Slot): boolean {
    const paused = !isEnabled(slot);
    if (slot.told?.paused !== paused) slot.told = { paused, seen: false };
    return paused;
  }

  /** A command that the gateway could not take now is made good by reconcile(). */
  async #tolerant(command: Promise<void> | undefined): Promise<void> {
    try {
      await command;
    } catch (error) {
      const known = toBedsideError(error);
      if (known.kind !== 'unavailable' && known.code !== 'not-joined') throw known;
      this.#missed();
    }
  }

  #missed(): void {
    // Without a path, the next join sends everything anyway.
    if (this.#path) this.#handlers.outOfStep();
  }

  #setTrack(slot: Slot, track: MediaStreamTrack): void {
    this.#stopTrack(slot);
    slot.track = track;
    track.enabled = slot.wish.enabled;
    if (slot.source === 'camera' || slot.source === 'exam') track.contentHint = this.#hintOf(slot);
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
    if (slot.source === 'screen') {
      void this.#stopScreen();
      return;
    }
    if (slot.source === 'screen-audio') {
      this.#background(slot, async () => this.#closeSlot(slot));
      return;
    }
    const { track } = slot;
    this.#background(slot, async () => {
      if (slot.track !== track) return;
      if (!slot.wish.enabled) return this.#stopTrack(slot);
      try {
        await this.#recapture(slot);
      } catch (error) {
        if (slot.track !== track) return;
        this.#stopTrack(slot);
        this.#show(slot);
        if (slot.sender) await this.#send(slot);
        throw error;
      }
    });
  }

  /** What counts most in the picture of a camera. */
  #hintOf({ source }: Slot): 'motion' | 'detail' | '' {
    return source === 'exam' ? this.#examHint : this.#motion ? 'motion' : '';
  }

  #applyHint(slot: Slot): void {
    if (slot.track) slot.track.contentHint = this.#hintOf(slot);
    if (slot.source === 'camera') void slot.sender?.favourMotion(this.#motion);
  }

  async #switch(slot: Slot, deviceId: string): Promise<void> {
    if (slot.track && slot.track.readyState === 'live') await this.#replace(slot, deviceId);
    slot.deviceId = deviceId;
  }

  async #recapture(slot: Slot): Promise<void> {
    await this.#use(slot, await this.#openPreferred(slot));
  }

  async #replace(slot: Slot, deviceId: string): Promise<void> {
    let track: MediaStreamTrack;
    try {
      track = await this.#open(slot, deviceId);
    } catch (error) {
      // Phones open one camera at a time: let go of the old one first, and take it back on failure.
      if (toBedsideError(error).code !== 'device-in-use') throw error;
      slot.track?.stop();
      track = await this.#open(slot, deviceId).catch(async (second: unknown) => {
        await this.#recapture(slot);
        throw second;
      });
    }
    await this.#use(slot, track);
  }

  /** The chosen device, or the browser's default where that one is gone; that may show no face as an exam. */
  async #openPreferred(slot: Slot): Promise<MediaStreamTrack> {
    if (slot.source === 'exam') return this.#openExam(slot);
    try {
      return await this.#open(slot, slot.deviceId);
    } catch (error) {
      if (slot.deviceId === undefined || toBedsideError(error).code !== 'device-not-found')
        throw error;
      return this.#open(slot, undefined);
    }
  }

  /** Another camera than one's own. While it is on, and where it was chosen, only ever the same one. */
  async #openExam(slot: Slot): Promise<MediaStreamTrack> {
    const media = navigator.mediaDevices as MediaDevices | undefined;
    const cameras = ((await media?.enumerateDevices()) ?? []).filter(
      ({ kind }) => kind === 'videoinput',
    );
    // They have no ids before the person has allowed one: the browser asks which.
    const isGone =
      !this.tracks.has('exam') &&
      cameras.some(({ deviceId }) => deviceId) &&
      cameras.every(({ deviceId }) => deviceId !== slot.deviceId);
    if (media && (slot.deviceId === undefined || isGone)) {
      const own = this.activeDevice('videoinput') ?? (cameras[1] && cameras[0]?.deviceId);
      const other = cameras.find(({ deviceId }) => !deviceId || deviceId !== own);
      if (!other) throw new BedsideError('device-not-found');
      slot.deviceId = other.deviceId || undefined;
    }
    const track = await this.#open(slot, slot.deviceId);
    slot.deviceId ??= track.getSettings().deviceId;
    return track;
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
    const isGone = isScreen || (slot.source === 'exam' && !slot.wish.enabled);
    if (isGone && !slot.track) {
      const gone: Publication | undefined = this.tracks.get(slot.source);
      this.tracks.delete(slot.source);
      if (gone) this.#handlers.unpublished(gone);
    } else {
      const isNew = !this.tracks.has(slot.source);
      const publication = this.publication(slot.source);
      publication.muted = !isEnabled(slot);
      publication.track = slot.track;
      if (isNew) this.#handlers.published(publication);
    }
    this.#handlers.changed();
  }
}

const newSlot = (source: MediaSource, deviceId?: string): Slot => ({
  source,
  wish: { enabled: false },
  track: undefined,
  sender: undefined,
  told: undefined,
  deviceId,
  tail: Promise.resolve(),
});

const deviceOf = ({ track, deviceId }: Slot): string | undefined =>
  track?.getSettings().deviceId ?? deviceId;

const isEnabled = ({ wish, track }: Slot): boolean => wish.enabled && track !== undefined;
