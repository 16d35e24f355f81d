import {
  BedsideError,
  type CallId,
  type ClientCommandName,
  type ClientEventPayload,
  type ClientResponse,
  type ConsumerId,
  type ConsumerParameters,
  type Cue,
  HOLD,
  type InterpretingMode,
  type InviteId,
  isSigned,
  type MediaSource,
  type ParticipantId,
  type Place,
  type Reaction,
  type VisitKind,
  type VisitState,
} from '@bedside/protocol';
import type { Device } from 'mediasoup-client';
import { Emitter } from './emitter.ts';
import { QualityMonitor } from './evidence.ts';
import { LocalMedia } from './local.ts';
import { devices } from './media/device.ts';
import { type JoinAnswer, MediaPath } from './media/path.ts';
import { AudioRenderer } from './media/playback.ts';
import { Relocation } from './media/relocation.ts';
import { Messages } from './messages.ts';
import { watchNetwork } from './network.ts';
import { CALL_OPTIONS, INVITE_OPTIONS, LANGUAGE_OPTIONS, NEEDS, refuseUnknown } from './options.ts';
import type { ParticipantState, Publication } from './participant.ts';
import { Preferences } from './preferences.ts';
import { Roster } from './roster.ts';
import { Lifecycle } from './session/lifecycle.ts';
import type { SessionState } from './session/machine.ts';
import { Session } from './session/session.ts';
import { SessionKeeper } from './session/session-keeper.ts';
import { type RequestBody, Signal, type Welcome } from './signal.ts';
import { collectStats } from './stats.ts';
import { readClaims } from './token.ts';
import { TokenKeeper } from './token-keeper.ts';
import type {
  CallOptions,
  ConnectionState,
  DeviceKind,
  DisconnectReason,
  Invitation,
  InviteOptions,
  LanguageOptions,
  LocalParticipant,
  MessageKind,
  MessageTarget,
  MoveTarget,
  Participant,
  QualityChange,
  VisitApi,
  VisitEvents,
  VisitOptions,
  VisitStats,
} from './types.ts';

/** A join or resume that is not answered in this time is tried again on a new socket. */
const SYNC_DEADLINE_MS = 8_000;
/** Least time between two requests for the whole visit after missed changes. */
const OUT_OF_STEP_MS = 5_000;
/** Of somebody whose media failed, so long after this page is connected the last picture stands. */
const INTERRUPTION_MS = 10_000;
/** Of two paths, the one that is left by then is faded over to. */
const LEAVE_PATH_MS = 1_000;

/** One visit on one page: connects, keeps connected, and says what happens. */
export class Visit extends Emitter<VisitEvents> implements VisitApi {
  readonly #session: Session;
  readonly #signal: Signal;
  readonly #roster: Roster;
  readonly #local: LocalMedia;
  readonly #audio: AudioRenderer;
  readonly #preferences: Preferences;
  readonly #messages = new Messages((message) => this.emit('messageReceived', message));
  readonly #monitor = new QualityMonitor({
    watched: () => this.#watched(),
    stats: () => this.getStats(),
    changed: (change, breached) => {
      this.emit(breached ? 'qualityBreached' : 'qualityRestored', change);
      this.#reportQuality([{ ...change, breached }]);
    },
    due: () => this.#reportQuality(),
  });
  readonly #tokens: TokenKeeper;
  readonly #sessionKeeper = new SessionKeeper();
  readonly #life = new Lifecycle();
  #welcome: Welcome | undefined;
  #path: MediaPath | undefined;
  /** The node of the last path: nothing came from there, though the gateway answered. */
  #isUnreachable = false;
  #relocation: Relocation<MediaPath> | undefined;
  /** The last one that was asked for. */
  #relocating: object | undefined;
  /** Received before the visit told whose they are. */
  readonly #unclaimed = new Map<
    ConsumerId,
    { parameters: ConsumerParameters; track: MediaStreamTrack }
  >();
  #activeSpeaker: ParticipantState | undefined;
  #wasWaiting = false;
  #unwatch: (() => void) | undefined;
  #outOfStepTimer: ReturnType<typeof setTimeout> | undefined;
  #interruptionTimer: ReturnType<typeof setTimeout> | undefined;

  /** Reads ahead what the browser can do, so that a later connect is faster. Call it while the page is idle. */
  static prepare(): Promise<void> {
    return devices.prepare();
  }

  constructor(options: VisitOptions) {
    super();
    this.#tokens = new TokenKeeper(options, async (token) => {
      const renewed = await this.#signal.request('renew-token', { token });
      if (renewed.grants) this.#local.welcome(renewed.grants);
      return renewed;
    });
    this.#signal = new Signal(options.url, {
      changed: ({ seq, changes }) => {
        if (!this.#roster.applyChanges(seq, changes)) this.#outOfStep();
      },
      consumers: (payload) => this.#consumersChanged(payload),
      speaker: ({ participantId }) => this.#speakerChanged(participantId),
      quality: (payload) => this.#qualityChanged(payload),
      message: (message) => {
        // What comes before the answer to a join or resume is in it, with what was missed before that.
        if (this.#signal.isReady) this.#messages.add([message]);
      },
      'unmute-asked': ({ by }) => this.emit('unmuteAsked', this.#roster.find(by)),
      cue: ({ by, cue }) => this.emit('cueReceived', cue, this.#roster.find(by)),
      reaction: ({ from, reaction }) => {
        const participant = this.#roster.find(from);
        if (participant) this.emit('reactionReceived', reaction, participant);
      },
      'whisper-ended': ({ to }) => {
        this.#local.silence();
        this.emit('whisperEnded', this.#roster.find(to));
      },
      'quality-changed': ({ by, ...change }) => {
        const viewer = this.#roster.find(by);
        if (viewer) this.emit('remoteQualityChanged', change, viewer);
      },
      'transport-failed': ({ transportId }) => {
        for (const path of this.#paths) path.peerFailed(transportId);
      },
      relocating: () => this.#relocate(),
      'relocation-ended': ({ moved }) => this.#relocated(moved),
      // Before a join is answered, it speaks of media that this page has given up already.
      'media-lost': () => this.#path && this.#mediaFailed(),
      closing: ({ reason, retryAfterMs }) =>
        this.#session.dispatch({
          type: 'closing',
          reason,
          retryAfterMs,
          ...this.#session.moment(),
        }),
      lost: () => {
        this.#relocated(false);
        this.#session.dispatch({ type: 'socket-lost', ...this.#session.moment() });
      },
    });
    this.#local = new LocalMedia(options, {
      changed: () => this.emit('participantChanged', this.#local),
      published: (publication) => this.emit('localTrackPublished', publication),
      unpublished: (publication) => this.emit('localTrackUnpublished', publication),
      failed: (error, source) => this.emit('mediaDevicesError', error, source),
      muted: () => this.emit('microphoneMuted'),
      outOfStep: () => this.#outOfStep(),
    });
    this.#roster = new Roster(this.#local, {
      visitStateChanged: (state) => this.emit('visitStateChanged', state),
      visitChanged: () => this.emit('visitChanged'),
      connected: (participant) => {
        this.emit('participantConnected', participant);
        for (const { parameters, track } of [...this.#unclaimed.values()]) {
          if (parameters.participantId === participant.id) this.#received(parameters, track);
        }
        this.#followSigning();
      },
      disconnected: (participant) => {
        this.#participantGone(participant);
        this.#followSigning();
      },
      changed: (participant) => {
        if (participant === this.#local) this.#selfChanged();
        else this.#present(participant);
        if (participant.isInterrupted) this.#awaitInterrupted();
        this.emit('participantChanged', participant);
        this.#followSigning();
      },
      moved: (participant, before) => this.emit('placeChanged', participant, before),
    });
    this.#audio = new AudioRenderer((allowed) => this.emit('audioPlaybackChanged', allowed));
    this.#preferences = new Preferences(
      (participantId, source) => {
        const publication = this.#roster.find(participantId)?.tracks.get(source);
        return (
          publication && {
            isProtected: publication.isProtected,
            consumerIds: this.#paths.flatMap((path) => path.consumersOf(participantId, source)),
          }
        );
      },
      (preferences) => this.#signal.request('prefer-consumers', { preferences }),
    );
    this.#session = new Session({
      getToken: () => this.#getToken(),
      openSocket: () => this.#openSocket(),
      join: (current) => this.#join(current),
      resume: (current) => this.#resume(current),
      closeSocket: () => {
        this.#tokens.stop();
        this.#signal.close();
      },
      closeMedia: () => this.#closeMedia(),
      forgetSession: () => this.#sessionKeeper.forget(),
      sendLeave: () => {
        this.#signal.request('leave', {}, { immediate: true }).catch(() => {});
      },
      release: () => this.#release(),
      changed: (state, previous, error) => this.#sessionChanged(state, previous, error),
    });
  }

  get state(): ConnectionState {
    return this.#life.state;
  }

  get disconnectReason(): DisconnectReason | undefined {
    return this.#life.reason;
  }

  get error(): BedsideError | undefined {
    return this.#life.error;
  }

  get visitState(): VisitState | undefined {
    return this.#roster.info?.state;
  }

  get kind(): VisitKind | undefined {
    return this.#roster.kind;
  }

  get localParticipant(): LocalParticipant {
    return this.#local;
  }

  get participants(): ReadonlyMap<ParticipantId, Participant> {
    return this.#roster.participants;
  }

  get activeSpeaker(): Participant | undefined {
    return this.#activeSpeaker;
  }

  get canPlaybackAudio(): boolean {
    return this.#audio.allowed;
  }

  get responsible(): Participant | undefined {
    return this.#roster.find(this.#roster.info?.responsible);
  }

  get unattendedSince() {
    return this.#roster.info?.unattendedSince;
  }

  get handOverOffer() {
    return this.#roster.info?.handOver;
  }

  get interpreting(): InterpretingMode {
    return this.#roster.info?.interpreting ?? 'simultaneous';
  }

  get turns(): readonly ParticipantId[] {
    return this.#roster.info?.turns ?? [];
  }

  get reactionsAllowed(): boolean {
    return this.#roster.info?.reactions ?? false;
  }

  get audience(): number | undefined {
    return this.#roster.info?.audience;
  }

  get wait() {
    return this.#roster.info?.wait;
  }

  get invites() {
    return this.#roster.invites;
  }

  get calls() {
    return this.#roster.calls;
  }

  get messages() {
    return this.#messages.all;
  }

  get evidence() {
    return this.#monitor.evidence;
  }

  get sounds() {
    return this.#audio.sounds;
  }

  connect(): Promise<void> {
    if (this.state === 'connected') return Promise.resolve();
    if (this.state === 'disconnected') {
      this.#messages.clear();
      this.#monitor.clear();
    }
    const connected = this.#life.connected();
    this.#session.dispatch({
      type: 'connect',
      renewable: this.#tokens.isRenewable,
      ...this.#session.moment(),
    });
    return connected;
  }

  async leave(): Promise<void> {
    this.#reportQuality();
    if (this.state !== 'disconnected') this.#session.dispatch({ type: 'leave' });
    // Before connect() the preview may be on.
    else this.#release();
  }

  async end(): Promise<void> {
    try {
      await this.#request('end', {});
    } catch (error) {
      // The answer was lost with its socket, and the next one told what it would have said.
      if (this.#life.reason !== 'visit-ended') throw error;
    }
  }

  async admit(participantIds?: readonly ParticipantId[]): Promise<void> {
    await this.#request('admit', participantIds ? { participantIds: [...participantIds] } : {});
  }

  async remove(participantId: ParticipantId): Promise<void> {
    await this.#request('remove', { participantId });
  }

  async moveTo(participantIds: readonly ParticipantId[], to: MoveTarget): Promise<Place> {
    const { place } = await this.#request('move', { participantIds: [...participantIds], to });
    return place;
  }

  async mute(participantId: ParticipantId): Promise<void> {
    await this.#request('mute', { participantId });
  }

  async askToUnmute(participantId: ParticipantId): Promise<void> {
    await this.#request('ask-unmute', { participantId });
  }

  async invite(options: InviteOptions): Promise<Invitation> {
    refuseUnknown(options, INVITE_OPTIONS);
    const { knock = false } = options;
    return this.#request('invite', { ...options, knock });
  }

  async revokeInvite(inviteId: InviteId): Promise<void> {
    await this.#request('revoke-invite', { inviteId });
  }

  async call(all: CallOptions): Promise<CallId> {
    const { groups, ...options } = all;
    refuseUnknown(all, CALL_OPTIONS);
    for (const [n, need] of groups.entries()) refuseUnknown(need, NEEDS, `groups.${n}.`);
    const { callId } = await this.#request('call', { ...options, groups: [...groups] });
    return callId;
  }

  async cancelCall(callId: CallId): Promise<void> {
    await this.#request('cancel-call', { callId });
  }

  async handOver(to: ParticipantId | null): Promise<void> {
    await this.#request('hand-over', { to });
  }

  async answerHandOver(accept: boolean): Promise<void> {
    await this.#request('answer-hand-over', { accept });
  }

  async setLanguages(all: LanguageOptions): Promise<void> {
    const { speaks, hears, ...options } = all;
    refuseUnknown(all, LANGUAGE_OPTIONS);
    await this.#request('set-languages', {
      ...options,
      ...(speaks && { speaks: [...speaks] }),
      ...(hears && { hears: [...hears] }),
    });
  }

  async setInterpreting(mode: InterpretingMode): Promise<void> {
    await this.#request('set-interpreting', { mode });
  }

  async takeTurn(): Promise<void> {
    await this.#request('take-turn', {});
  }

  async cue(participantId: ParticipantId, cue: Cue): Promise<void> {
    await this.#request('cue', { participantId, cue });
  }

  async whisper(to: ParticipantId | null): Promise<void> {
    await this.#request('whisper', { to });
  }

  async sendMessage(
    text: string,
    { to = { type: 'room' }, kind = 'chat' }: { to?: MessageTarget; kind?: MessageKind } = {},
  ): Promise<number> {
    const { number } = await this.#request('send-message', { to, kind, text });
    return number;
  }

  async renewToken(): Promise<void> {
    await this.#tokens.renew();
  }

  async raiseHand(raised: boolean): Promise<void> {
    await this.#request('raise-hand', { raised });
  }

  async react(reaction: Reaction): Promise<void> {
    await this.#request('react', { reaction });
  }

  startAudio(): Promise<void> {
    return this.#audio.start();
  }

  async getDevices(kind: DeviceKind): Promise<MediaDeviceInfo[]> {
    const media = globalThis.navigator?.mediaDevices as MediaDevices | undefined;
    const all = (await media?.enumerateDevices()) ?? [];
    return all.filter((device) => device.kind === kind);
  }

  activeDevice(kind: DeviceKind): string | undefined {
    return kind === 'audiooutput' ? this.#audio.sinkId : this.#local.activeDevice(kind);
  }

  switchActiveDevice(kind: DeviceKind, deviceId: string): Promise<void> {
    return kind === 'audiooutput'
      ? this.#audio.setSink(deviceId)
      : this.#local.switchDevice(kind, deviceId);
  }

  setVideoSize(
    participantId: ParticipantId,
    source: MediaSource,
    width: number,
    height: number,
  ): void {
    this.#preferences.setSize(
      participantId,
      source,
      width,
      height,
      globalThis.devicePixelRatio ?? 1,
    );
  }

  getStats(): Promise<VisitStats> {
    return collectStats(this.#relocation?.playing ?? this.#path);
  }

  /** @throws BedsideError what the gateway answers; `deadline`; `not-joined` where there is no visit to be in */
  async #request<Name extends ClientCommandName>(
    name: Name,
    body: RequestBody<Name>,
  ): Promise<ClientResponse<Name>> {
    if (this.state === 'disconnected') throw new BedsideError('not-joined');
    return this.#signal.request(name, body);
  }

  async #getToken(): Promise<void> {
    // A page without WebRTC is told so before it asks anybody for anything.
    void devices.prepare();
    this.#watch();
    const claims = readClaims(await this.#tokens.fetch());
    this.#sessionKeeper.identify(claims);
    this.#local.id = claims.sub;
    this.#local.role = claims.role;
    this.#local.name = claims.name;
    this.#local.lang = claims.lang;
  }

  async #openSocket(): Promise<{ resumed: boolean }> {
    const welcome = await this.#signal.open(this.#tokens.current, this.#sessionKeeper.id);
    this.#welcome = welcome;
    this.#sessionKeeper.keep(welcome.sessionId);
    this.#tokens.expiresIn(welcome.tokenExpiresInMs);
    this.#local.welcome(welcome.grants);
    this.#roster.reset(welcome.participantId, welcome.visit);
    return { resumed: welcome.resumed };
  }

  async #join(current: () => boolean): Promise<void> {
    const welcome = this.#welcome as Welcome;
    const device = await devices.load(welcome.rtpCapabilities);
    if (!current()) return;
    const answer = await this.#signal.request(
      'join',
      {
        rtpCapabilities: device.recvRtpCapabilities as never,
        messagesAfter: this.#messages.last,
        ...(this.#isUnreachable ? { unreachable: true } : {}),
      },
      { immediate: true, deadlineMs: SYNC_DEADLINE_MS },
    );
    if (!current()) return;
    this.#isUnreachable = false;
    this.#signal.ready();
    this.#roster.applyView(answer.visit);
    this.#messages.add(answer.messages);
    // Of a join that was given up after its answer.
    this.#closeMedia();
    const path = this.#openPath(device, answer);
    this.#path = path;
    this.#local.attachPath(path);
    await path.add(answer.consumers);
    // Who waits has nothing to receive yet.
    if (answer.consumers.length === 0) void path.warmUp();
  }

  async #resume(current: () => boolean): Promise<void> {
    const path = this.#path;
    if (!path) throw new BedsideError('media-lost');
    const { producerIds } = this.#local;
    const answer = await this.#signal.request(
      'resume',
      {
        consumerIds: path.consumerIds,
        recvTransportId: path.recvTransportId,
        messagesAfter: this.#messages.last,
      },
      { immediate: true, deadlineMs: SYNC_DEADLINE_MS },
    );
    if (!current()) return;
    this.#signal.ready();
    this.#roster.applyView(answer.visit);
    this.#messages.add(answer.messages);
    path.remove(answer.removed);
    await path.add(answer.added);
    path.check();
    const self = answer.visit.participants.find(
      ({ participantId }) => participantId === this.#welcome?.participantId,
    );
    if (self) this.#local.reconcile(self, producerIds);
    this.#preferences.repeat();
  }

  #openPath(device: Device, answer: JoinAnswer): MediaPath {
    const { iceServers } = this.#welcome as Welcome;
    const path: MediaPath = new MediaPath(device, this.#signal, answer, iceServers, {
      received: (parameters, track) => {
        if (this.#relocation?.plays(path, parameters) === false) this.#hold(parameters, track);
        else this.#received(parameters, track);
      },
      removed: (consumerId) => this.#removed(consumerId),
      isExpected: () => path === this.#path && this.#isSomebodyHeard(),
      failed: () => this.#pathFailed(path),
    });
    return path;
  }

  get #paths(): MediaPath[] {
    const { old, next } = this.#relocation ?? { old: this.#path, next: undefined };
    return [old, next].filter((path) => path !== undefined);
  }

  #isSomebodyHeard(): boolean {
    return [...this.#roster.participants.values()].some((participant) => {
      const { consumerId, muted, gain } = participant.tracks.get('microphone') ?? { gain: 0 };
      return consumerId !== undefined && !muted && gain > 0 && isShown(participant);
    });
  }

  #closeMedia(): void {
    this.#relocating = undefined;
    this.#relocation?.close();
    const paths = this.#paths;
    this.#path = this.#relocation = undefined;
    this.#local.detachPath();
    this.#preferences.forgetTold();
    if (this.#session.state.phase !== 'disconnected') {
      for (const participant of this.#roster.participants.values()) participant.interrupt();
      this.#awaitInterrupted();
    }
    for (const path of paths) path.close();
  }

  /** Opens a second path, to where the visit goes, and goes over to it once it is as good as the first. */
  async #relocate(): Promise<void> {
    this.#relocated(false);
    const relocating = {};
    this.#relocating = relocating;
    const { rtpCapabilities } = this.#welcome as Welcome;
    const device = await devices.load(rtpCapabilities);
    const answer = await this.#signal
      .request('relocate', { rtpCapabilities: device.recvRtpCapabilities as never })
      // It is over already, or the gateway begins again.
      .catch(() => undefined);
    const old = this.#path;
    if (!answer || !old || this.#relocating !== relocating) return;
    const next = this.#openPath(device, answer);
    next.isSpare = true;
    this.#relocation = new Relocation(old, next, this.#local.attachNext(next), {
      take: (parameters, track) => this.#take(parameters, track),
      switched: () => {
        this.#signal.request('relocated', {}, { immediate: true }).catch(() => {});
      },
    });
    await next.add(answer.consumers);
    if (answer.consumers.length === 0) void next.warmUp();
  }

  /** Only one of two paths is left. */
  #relocated(moved: boolean): void {
    this.#relocating = undefined;
    const { old, next } = this.#relocation ?? {};
    if (!old || !next) return;
    this.#relocation?.close();
    this.#relocation = undefined;
    const [path, left] = moved ? [next, old] : [old, next];
    path.isSpare = false;
    this.#path = path;
    this.#local.settlePath(path);
    for (const [parameters, track] of path.received) this.#take(parameters, track);
    setTimeout(() => left.close(), LEAVE_PATH_MS);
  }

  /** Played by another path: at hand, and silent. */
  #hold({ consumerId, participantId, source }: ConsumerParameters, track: MediaStreamTrack): void {
    if (track.kind === 'audio') this.#audio.add(consumerId, track, 0);
    this.#preferences.touch(participantId, source);
  }

  /** The same source, over another path. */
  #take(parameters: ConsumerParameters, track: MediaStreamTrack): void {
    const { participantId, source, consumerId } = parameters;
    const known = this.#roster.find(participantId)?.tracks.get(source);
    if (known?.consumerId === consumerId) return;
    // Who is muted stays it: the visit knows the producer by the id of its present path.
    const producerId = known?.producerId ?? parameters.producerId;
    this.#received({ ...parameters, producerId }, track);
  }

  #pathFailed(path: MediaPath): void {
    const relocation = this.#relocation;
    if (path === relocation?.next) this.#relocated(false);
    else if (path === this.#path && (!relocation || relocation.playing === path)) {
      this.#isUnreachable = true;
      this.#mediaFailed();
    }
  }

  #mediaFailed(): void {
    this.#session.dispatch({ type: 'media-failed', ...this.#session.moment() });
  }

  #release(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearTimeout(this.#outOfStepTimer);
    this.#outOfStepTimer = undefined;
    clearTimeout(this.#interruptionTimer);
    this.#tokens.stop();
    this.#signal.abandon();
    this.#preferences.clear();
    this.#audio.clear();
    this.#local.release();
    this.#roster.clear();
    this.#unclaimed.clear();
    this.#activeSpeaker = undefined;
    this.#wasWaiting = false;
  }

  #sessionChanged(
    state: SessionState,
    previous: SessionState,
    error: BedsideError | undefined,
  ): void {
    this.#life.follow(state, previous, error, () => {
      const { reason, error: failure } = this.#life;
      this.emit('connectionStateChanged', this.state, reason);
      if (state.phase === 'disconnected')
        this.emit('disconnected', reason as DisconnectReason, failure);
    });
  }

  async #consumersChanged({
    added,
    removed,
    updated,
    recvTransportId = this.#path?.recvTransportId,
  }: ClientEventPayload<'consumers'>): Promise<void> {
    const path = this.#paths.find((each) => each.recvTransportId === recvTransportId);
    if (!path) return;
    path.remove(removed);
    for (const update of updated) {
      path.update(update);
      this.#played(update);
    }
    await path.add(added);
  }

  #received(parameters: ConsumerParameters, track: MediaStreamTrack): void {
    const { consumerId, participantId, source } = parameters;
    const participant = this.#roster.find(participantId);
    if (!participant) {
      this.#unclaimed.set(consumerId, { parameters, track });
      return;
    }
    this.#unclaimed.delete(consumerId);
    const replaced = participant.tracks.get(source);
    if (replaced?.received && replaced.consumerId) this.#lose(participant, replaced.consumerId);
    const publication = participant.attach(parameters, track);
    const level = levelOf(participant, publication);
    if (publication.kind === 'audio' && !this.#audio.setGain(consumerId, level))
      this.#audio.add(consumerId, track, level);
    this.#preferences.touch(participantId, source);
    this.#present(participant);
    this.emit('participantChanged', participant);
  }

  /** Shows and plays of a participant what is to be seen and heard now: nothing while they are elsewhere. */
  #present(participant: ParticipantState): void {
    if (!isShown(participant)) participant.endInterruption();
    for (const publication of participant.tracks.values()) {
      const { received, track, consumerId, kind } = publication;
      if (kind === 'audio' && consumerId)
        this.#audio.setGain(consumerId, levelOf(participant, publication));
      const shown = isShown(participant) ? received : undefined;
      if (shown === track) continue;
      publication.track = shown;
      if (track) this.emit('trackUnsubscribed', track, publication, participant);
      if (shown) this.emit('trackSubscribed', shown, publication, participant);
    }
    this.#monitor.follow();
  }

  #watched(): Map<ParticipantId, { heard: boolean }> {
    const watched = new Map<ParticipantId, { heard: boolean }>();
    for (const { id, tracks } of this.#roster.participants.values()) {
      const isLive = (source: MediaSource) =>
        tracks.get(source)?.track !== undefined && !tracks.get(source)?.muted;
      if (tracks.get('camera')?.isProtected && isLive('camera'))
        watched.set(id, { heard: isLive('microphone') });
    }
    return watched;
  }

  #removed(consumerId: ConsumerId): void {
    this.#unclaimed.delete(consumerId);
    this.#audio.remove(consumerId);
    for (const participant of this.#roster.participants.values()) {
      if (this.#lose(participant, consumerId)) this.emit('participantChanged', participant);
    }
  }

  /** True where the participant had it. */
  #lose(participant: ParticipantState, consumerId: ConsumerId): boolean {
    const publication = participant.detach(consumerId);
    if (!publication) return false;
    const { track } = publication;
    publication.track = undefined;
    publication.isProtected = false;
    // Faded: of two paths, the other one goes on with it.
    this.#audio.setGain(consumerId, 0);
    this.#monitor.follow();
    if (track) this.emit('trackUnsubscribed', track, publication, participant);
    return true;
  }

  #played({
    consumerId,
    gain,
    protected: isProtected = false,
  }: ClientEventPayload<'consumers'>['updated'][number]): void {
    for (const participant of this.#roster.participants.values()) {
      for (const publication of participant.tracks.values()) {
        if (publication.consumerId !== consumerId) continue;
        Object.assign(publication, { gain, isProtected });
        this.#preferences.touch(participant.id, publication.source);
        this.#present(participant);
        this.emit('participantChanged', participant);
      }
    }
  }

  #selfChanged(): void {
    const { state, place, hold } = this.#local;
    const music = this.#audio.sounds.hold;
    if (place === HOLD && hold?.audio === 'music') music.start();
    else if (music.on) music.stop();
    if (state === 'admitted' && this.#wasWaiting) this.emit('admitted');
    this.#wasWaiting = state === 'waiting';
  }

  /** One's own camera carries a signed conversation: its motion counts more than its detail. */
  #followSigning(): void {
    const { signs, grants, speaks } = this.#local;
    const interprets = grants.has('interpret') && speaks.some(isSigned);
    this.#local.favourMotion(
      signs || (interprets && [...this.#roster.participants.values()].some((each) => each.signs)),
    );
  }

  #participantGone(participant: ParticipantState): void {
    for (const { consumerId } of [...participant.tracks.values()])
      if (consumerId) this.#lose(participant, consumerId);
    if (this.#activeSpeaker === participant) this.#speakerChanged(null);
    this.emit('participantDisconnected', participant);
  }

  #speakerChanged(participantId: ParticipantId | null): void {
    const speaker = this.#roster.find(participantId ?? undefined);
    const before = this.#activeSpeaker;
    if (speaker === before) return;
    this.#activeSpeaker = speaker;
    for (const participant of [before, speaker]) {
      if (!participant) continue;
      participant.isSpeaking = participant === speaker;
      this.emit('participantChanged', participant);
    }
    this.emit('activeSpeakerChanged', speaker);
  }

  #qualityChanged({ participants }: ClientEventPayload<'quality'>): void {
    for (const { participantId, level } of participants) {
      const participant = this.#roster.find(participantId);
      const quality = level as 0 | 1 | 2 | 3;
      if (!participant || participant.connectionQuality === quality) continue;
      participant.connectionQuality = quality;
      this.emit('connectionQualityChanged', quality, participant);
      this.emit('participantChanged', participant);
    }
  }

  /** Nobody waits for it: what was not told is in the next report. */
  #reportQuality(changes: (QualityChange & { breached: boolean })[] = []): void {
    const { evidence } = this.#monitor;
    if (!this.#signal.isReady || evidence.length === 0) return;
    this.#signal.request('report-quality', { changes, evidence }).catch(() => {});
  }

  /** Changes or commands were missed: ask for the visit whole, but never in a storm. */
  #outOfStep(): void {
    this.#outOfStepTimer ??= setTimeout(() => {
      this.#outOfStepTimer = undefined;
      this.#session.dispatch({ type: 'out-of-step' });
    }, OUT_OF_STEP_MS);
  }

  /** What does not come back in time is over. */
  #awaitInterrupted(): void {
    clearTimeout(this.#interruptionTimer);
    this.#interruptionTimer = setTimeout(() => {
      if (this.state !== 'connected') return this.#awaitInterrupted();
      for (const participant of this.#roster.participants.values()) {
        if (!participant.isInterrupted) continue;
        participant.endInterruption();
        this.emit('participantChanged', participant);
      }
    }, INTERRUPTION_MS);
  }

  #watch(): void {
    this.#unwatch ??= watchNetwork({
      networkChanged: () => {
        this.#session.dispatch({ type: 'network-changed' });
        for (const path of this.#paths) path.check();
      },
      devicesChanged: async () => {
        this.emit('devicesChanged');
        const media = navigator.mediaDevices as MediaDevices | undefined;
        this.#local.devicesChanged((await media?.enumerateDevices().catch(() => [])) ?? []);
      },
    });
  }
}

/** Who waits is seen where the clinic allows a preview: nobody else receives anything of them. */
const isShown = ({ isHere, state }: Participant): boolean => isHere || state === 'waiting';

/** Linear. */
const levelOf = (participant: Participant, { gain }: Publication): number =>
  isShown(participant) ? gain : 0;
