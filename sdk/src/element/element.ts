import {
  type BedsideError,
  type MediaSource,
  type ParticipantId,
  type TokenClaims,
  toBedsideError,
} from '@bedside/protocol';
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { fill, type TextKey, type Texts, textsFor } from '../texts/index.ts';
import type { DeviceKind, VisitApi, VisitEvents, VisitOptions } from '../types.ts';
import { Visit } from '../visit.ts';
import { type Announcement, announced, changesToSay, type Heard, heard } from './announcer.ts';
import type { BedsideVisitElement, BedsideVisitEventMap, Phase } from './bedside-visit.ts';
import { devicesDialog, endDialog, listDevices, NO_DEVICES } from './devices-dialog.ts';
import { ended } from './ended.ts';
import { GRANT_FOR, maySend } from './may-send.ts';
import { nameOf } from './people.ts';
import { prejoin } from './prejoin.ts';
import { styles } from './styles.ts';
import { TokenAhead } from './token-ahead.ts';
import { VideoWatcher } from './video.ts';
import { makeView, type View } from './view.ts';
import { visitView } from './visit-view.ts';
import { WakeLock } from './wake-lock.ts';

/** Milliseconds after which an element without url or token is taken for a mistake of its page. */
const MISSING_MS = 5000;

const SOURCES: ReadonlyMap<DeviceKind, MediaSource> = new Map([
  ['videoinput', 'camera'],
  ['audioinput', 'microphone'],
]);

const SHORTCUTS = new Map([
  ['m', 'microphone'],
  ['v', 'camera'],
] as const satisfies [string, MediaSource][]) as ReadonlyMap<string, 'microphone' | 'camera'>;

/** What `<bedside-visit>` is made of; bedside-visit.ts says what a page sees of it. */
export class VisitElement extends LitElement implements BedsideVisitElement {
  static override readonly styles = styles;
  static override readonly properties = {
    url: { type: String },
    token: { type: String },
    language: { type: String, attribute: 'lang' },
    auto: { type: Boolean },
    camera: { type: String },
    microphone: { type: String },
    tokenProvider: { attribute: false },
    texts: { attribute: false },
    shortcuts: { type: Boolean, attribute: false },
  };

  declare url: string | undefined;
  declare token: string | undefined;
  declare language: string | undefined;
  declare auto: boolean;
  declare camera: 'on' | 'off';
  declare microphone: 'on' | 'off';
  declare tokenProvider: (() => string | Promise<string>) | undefined;
  declare texts: readonly Texts[] | undefined;
  declare shortcuts: boolean;

  #visit: VisitApi | undefined;
  #detach: (() => void) | undefined;
  #phase: Phase = 'preparing';
  #devices = NO_DEVICES;
  /** What failed last, and of which source; until that works or it is dismissed. */
  #problem: { error: BedsideError; source?: MediaSource | undefined } | undefined;
  #opening = 0;
  /** Which of one's own devices were on when last looked at. */
  #on = { camera: false, microphone: false };
  /** Before the visit: who joins, and whether the microphone was heard. */
  #who: TokenClaims | undefined;
  #microphoneHeard = false;
  #tokens: TokenAhead | undefined;
  #lines: Announcement[] = [];
  #heard = new Map<ParticipantId, Heard>();
  /** Tells a developer what is missing, where nothing begins. */
  #missing: ReturnType<typeof setTimeout> | undefined;
  #stage: { width: number; height: number } | undefined;
  #stageElement: Element | undefined;
  readonly #wakeLock = new WakeLock();
  readonly #watcher = new VideoWatcher(() => this.#visit);
  readonly #stageObserver = new ResizeObserver(([entry]) => {
    if (!entry) return;
    const { width, height } = entry.contentRect;
    this.#stage = { width, height };
    this.requestUpdate();
  });

  constructor() {
    super();
    this.auto = false;
    this.camera = 'on';
    this.microphone = 'on';
    this.shortcuts = true;
    this.addEventListener('keydown', (event) => this.#shortcut(event));
  }

  get visit(): VisitApi | undefined {
    return this.#visit;
  }

  get phase(): Phase {
    return this.#phase;
  }

  async join(): Promise<void> {
    const visit = this.#visit;
    if (visit?.state !== 'disconnected') return;
    this.#problem = undefined;
    void this.#openWanted();
    await visit.connect().catch(() => {
      // `disconnected` has brought the reason; the end screen shows it.
    });
  }

  async leave(): Promise<void> {
    await this.#visit?.leave();
  }

  /** For tests: the visit that the element makes of its attributes. */
  protected createVisit(options: VisitOptions): VisitApi {
    return new Visit(options);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // The attributes of an element that was taken out and put in again: begin anew.
    this.requestUpdate('url');
    clearTimeout(this.#missing);
    this.#missing = setTimeout(() => {
      const names = [
        this.url ? '' : '`url`',
        this.token || this.tokenProvider ? '' : '`token` or `tokenProvider`',
      ];
      if (!this.#visit)
        console.warn(
          `<bedside-visit> has not begun: it still needs ${names.filter(Boolean).join(' and ')}.`,
        );
    }, MISSING_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#missing);
    // An element that is only moved comes back within this task.
    queueMicrotask(() => {
      if (!this.isConnected) this.#dropVisit();
    });
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('url') && this.#visit && changed.get('url') !== undefined) this.#dropVisit();
    if (!this.#visit && this.isConnected && this.url && (this.token || this.tokenProvider))
      this.#startVisit(this.url);
    else if (changed.has('token') || changed.has('tokenProvider')) void this.#readWho();
    const phase = phaseOf(this.#visit);
    if (phase !== this.#phase) {
      const focused =
        this.shadowRoot?.activeElement !== null && this.shadowRoot?.activeElement !== undefined;
      this.#phase = phase;
      this.#wakeLock.set(phase === 'visit');
      if (focused) void this.updateComplete.then(() => this.#focusPhase());
    }
  }

  protected override render(): TemplateResult {
    const texts = textsFor(this.language ?? inheritedLanguage(this), this.texts);
    const view = this.#visit && makeView(this.#visit, texts, this.#watcher);
    return html`<div class="root" part="root" lang=${texts.lang} dir=${texts.dir} data-phase=${this.#phase}>
      ${view ? this.#content(view) : html`<section class="message"><span class="spinner large" aria-hidden="true"></span><h1 tabindex="-1">${texts.ui.preparing}</h1></section>`}
      <div class="hidden" role="log" aria-live="polite" aria-relevant="additions">
        ${repeat(
          this.#lines,
          ({ id }) => id,
          ({ text }) => html`<p>${text}</p>`,
        )}
      </div>
    </div>`;
  }

  protected override updated(): void {
    const stage = this.renderRoot.querySelector('.stage') ?? undefined;
    if (stage === this.#stageElement) return;
    this.#stageObserver.disconnect();
    this.#stageElement = stage;
    this.#stage = undefined;
    if (stage) this.#stageObserver.observe(stage);
  }

  #content(view: View): TemplateResult {
    const { visit, t, texts } = view;
    const choose = (kind: DeviceKind, deviceId: string): void => void this.#choose(kind, deviceId);
    switch (this.#phase) {
      case 'prejoin':
        return prejoin(view, {
          devices: this.#devices,
          choose,
          who: this.#who,
          problem: this.#problem?.error,
          heard: this.#microphoneHeard,
          onHeard: () => {
            this.#microphoneHeard = true;
            this.requestUpdate();
          },
          may: {
            camera: maySend(this.#who, 'camera'),
            microphone: maySend(this.#who, 'microphone'),
          },
          opening: this.#opening > 0,
          join: () => void this.join(),
          toggleMicrophone: () => void this.#toggle('microphone'),
          toggleCamera: () => void this.#toggle('camera'),
          retry: () => void this.#openWanted(),
        });
      case 'connecting':
        return html`<section class="message" part="connecting" aria-busy="true">
          <span class="spinner large" aria-hidden="true"></span>
          <h1 tabindex="-1">${t('connecting')}</h1>
          <p>${t('connectingHint')}</p>
          <button type="button" class="secondary" data-action="cancel" @click=${() => void this.leave()}>${t('cancel')}</button>
        </section>`;
      case 'ended':
        return ended(view, visit.disconnectReason ?? 'left', visit.error, {
          rejoin: () => void this.join(),
          canRenew: this.tokenProvider !== undefined,
        });
      default:
        return html`${visitView(view, {
          stage: this.#stage,
          shortcuts: this.shortcuts,
          problem: this.#problem && texts.errors[this.#problem.error.code],
          actions: {
            toggleMicrophone: () => void this.#toggle('microphone'),
            toggleCamera: () => void this.#toggle('camera'),
            toggleScreen: () => void this.#toggle('screen'),
            openDevices: () => this.#openDialog('devices'),
            askEnd: () => this.#openDialog('end'),
            leave: () => void this.leave(),
            startAudio: () => void visit.startAudio().catch((error: unknown) => this.#fail(error)),
            dismissProblem: () => {
              this.#problem = undefined;
              this.requestUpdate();
            },
          },
        })}
        ${devicesDialog(view, {
          devices: this.#devices,
          choose,
          shortcuts: this.shortcuts,
          setShortcuts: (on) => {
            this.shortcuts = on;
          },
        })}
        ${
          visit.localParticipant.grants.has('end')
            ? endDialog(view, {
                end: () => void visit.end().catch((error: unknown) => this.#fail(error)),
                leave: () => void this.leave(),
              })
            : nothing
        }`;
    }
  }

  #startVisit(url: string): void {
    const tokens = new TokenAhead(async () => (await this.tokenProvider?.()) ?? this.token ?? '');
    const visit = this.createVisit({ url, tokenProvider: () => tokens.next() });
    this.#visit = visit;
    this.#tokens = tokens;
    this.#detach = this.#listen(visit);
    void this.#refreshDevices();
    // Not within an update: opening devices and connecting change what is shown.
    queueMicrotask(() => {
      if (this.#visit !== visit) return;
      void (this.auto ? this.join() : this.#openWanted());
    });
  }

  async #readWho(): Promise<void> {
    const visit = this.#visit;
    if (visit?.state !== 'disconnected') return;
    const who = await this.#tokens?.claims();
    if (this.#visit !== visit) return;
    this.#who = who;
    this.requestUpdate();
  }

  #dropVisit(): void {
    const visit = this.#visit;
    this.#detach?.();
    this.#detach = undefined;
    this.#wakeLock.set(false);
    this.#visit = undefined;
    this.#tokens = undefined;
    this.#who = undefined;
    this.#microphoneHeard = false;
    this.#heard.clear();
    this.#problem = undefined;
    void visit?.leave().catch(() => {
      // The page is done with it; the gateway ends the session by itself.
    });
  }

  #listen(visit: VisitApi): () => void {
    const update = (): void => this.requestUpdate();
    let wasConnected = false;
    const handlers: Partial<VisitEvents> = {
      connectionStateChanged: (state) => {
        this.#emit('bedside-connection-state-changed', { state });
        if (state === 'connected') {
          this.#say(wasConnected ? 'sayReconnected' : 'sayConnected');
          if (!wasConnected) {
            for (const participant of visit.participants.values())
              this.#heard.set(participant.id, heard(participant));
            this.#emit('bedside-connected', { visit });
          }
          wasConnected = true;
        }
        if (state === 'reconnecting') this.#say('reconnecting');
        if (state === 'disconnected') wasConnected = false;
        update();
      },
      disconnected: (reason, error) => {
        this.#heard.clear();
        this.#emit('bedside-disconnected', { reason, error });
        update();
      },
      visitStateChanged: update,
      participantConnected: (participant) => {
        this.#heard.set(participant.id, heard(participant));
        if (wasConnected) this.#say('sayJoined', nameOf(participant, this.#texts));
        this.#emit('bedside-participant-connected', { participantId: participant.id });
        update();
      },
      participantDisconnected: (participant) => {
        this.#heard.delete(participant.id);
        // Nobody has left where oneself has, or the visit has ended.
        if (wasConnected && visit.state !== 'disconnected' && visit.visitState !== 'ended')
          this.#say('sayLeft', nameOf(participant, this.#texts));
        this.#emit('bedside-participant-disconnected', { participantId: participant.id });
        update();
      },
      participantChanged: (participant) => {
        if (participant.isLocal) this.#forgetMended(visit);
        if (!participant.isLocal && wasConnected) {
          const view = makeView(visit, this.#texts, this.#watcher);
          for (const line of changesToSay(view, participant, this.#heard.get(participant.id)))
            this.#announce(line);
          this.#heard.set(participant.id, heard(participant));
        }
        update();
      },
      trackSubscribed: update,
      trackUnsubscribed: update,
      localTrackPublished: update,
      localTrackUnpublished: update,
      activeSpeakerChanged: update,
      connectionQualityChanged: update,
      audioPlaybackChanged: update,
      devicesChanged: () => void this.#refreshDevices(),
      mediaDevicesError: (error, source) => {
        this.#emit('bedside-media-error', { error, source });
        this.#fail(error, source);
      },
    };
    const names = Object.keys(handlers) as (keyof VisitEvents)[];
    for (const name of names) visit.on(name, handlers[name] as never);
    return () => {
      for (const name of names) visit.off(name, handlers[name] as never);
    };
  }

  get #texts(): Texts {
    return textsFor(this.language ?? inheritedLanguage(this), this.texts);
  }

  /** Open what is wanted and not yet open. Both at once: browsers ask for both in one question. */
  async #openWanted(): Promise<void> {
    const visit = this.#visit;
    if (!visit) return;
    if (!this.#who) {
      // Whether this person may send at all stands in the token.
      this.#opening++;
      this.requestUpdate();
      await this.#readWho();
      this.#opening--;
      if (this.#visit !== visit || phaseOf(visit) === 'ended') return;
    }
    const { localParticipant: self } = visit;
    for (const [source, isOn] of [
      ['microphone', self.isMicrophoneEnabled],
      ['camera', self.isCameraEnabled],
    ] as const)
      if (this[source] !== 'off' && !isOn && maySend(this.#who, source))
        void this.#enable(source, true);
  }

  async #toggle(source: 'camera' | 'microphone' | 'screen'): Promise<void> {
    const self = this.#visit?.localParticipant;
    if (!self) return;
    const enabled = {
      camera: self.isCameraEnabled,
      microphone: self.isMicrophoneEnabled,
      screen: self.isScreenShareEnabled,
    }[source];
    if (source !== 'screen') {
      this[source] = enabled ? 'off' : 'on';
      this.#emit('bedside-device-toggled', { source, enabled: !enabled });
    }
    await this.#enable(source, !enabled);
  }

  async #enable(source: 'camera' | 'microphone' | 'screen', on: boolean): Promise<void> {
    const visit = this.#visit;
    if (!visit) return;
    const self = visit.localParticipant;
    this.#opening++;
    this.requestUpdate();
    try {
      if (source === 'camera') await self.setCameraEnabled(on);
      else if (source === 'microphone') await self.setMicrophoneEnabled(on);
      else await self.setScreenShareEnabled(on);
      if (this.#problem?.source === source) this.#problem = undefined;
      if (source === 'camera') this.#say(on ? 'sayCameraOn' : 'sayCameraOff');
      if (source === 'microphone') this.#say(on ? 'sayMicOn' : 'sayMicOff');
    } catch (thrown) {
      const error = toBedsideError(thrown);
      // To close the browser's choice of screens is no failure.
      if (source === 'screen' && error.code === 'permission-denied') return;
      this.#emit('bedside-media-error', { error, source });
      this.#fail(error, source);
    } finally {
      this.#opening--;
      this.requestUpdate();
      void this.#refreshDevices();
    }
  }

  /** A camera or microphone that comes back by itself takes its complaint with it. */
  #forgetMended({ localParticipant: self }: VisitApi): void {
    const on = { camera: self.isCameraEnabled, microphone: self.isMicrophoneEnabled };
    for (const source of ['camera', 'microphone'] as const)
      if (on[source] && !this.#on[source] && this.#problem?.source === source)
        this.#problem = undefined;
    this.#on = on;
  }

  async #choose(kind: DeviceKind, deviceId: string): Promise<void> {
    const source = SOURCES.get(kind);
    try {
      await this.#visit?.switchActiveDevice(kind, deviceId);
      if (this.#problem?.source === source) this.#problem = undefined;
    } catch (error) {
      this.#fail(error, source);
    }
    this.requestUpdate();
  }

  async #refreshDevices(): Promise<void> {
    const visit = this.#visit;
    if (!visit) return;
    const devices = await listDevices(visit);
    if (this.#visit !== visit) return;
    this.#devices = devices;
    this.requestUpdate();
  }

  #fail(thrown: unknown, source?: MediaSource): void {
    this.#problem = { error: toBedsideError(thrown), source };
    this.requestUpdate();
  }

  #openDialog(name: 'devices' | 'end'): void {
    if (name === 'devices') void this.#refreshDevices();
    this.renderRoot.querySelector<HTMLDialogElement>(`dialog.${name}`)?.showModal();
  }

  /** M and V, alone and only in the visit: a key with Ctrl, Alt or Meta belongs to browser and reader. */
  #shortcut(event: KeyboardEvent): void {
    if (!this.shortcuts || this.#phase !== 'visit' || event.defaultPrevented || event.repeat)
      return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.composedPath()[0];
    if (
      target instanceof Element &&
      target.closest('input, select, textarea, dialog, [contenteditable]')
    )
      return;
    const source = SHORTCUTS.get(event.key.toLowerCase());
    if (!source || !this.#visit?.localParticipant.grants.has(GRANT_FOR[source])) return;
    event.preventDefault();
    void this.#toggle(source);
  }

  /** The focused control is gone with its screen: go on at the next one's beginning. */
  #focusPhase(): void {
    const target = this.renderRoot.querySelector<HTMLElement>(
      '.visit, h1[tabindex], [data-action=join]',
    );
    target?.focus({ preventScroll: true });
  }

  #say(key: TextKey, name?: string): void {
    this.#announce(fill(this.#texts.ui[key], name === undefined ? {} : { name }));
  }

  #announce(line: string): void {
    this.#lines = announced(this.#lines, line);
    this.requestUpdate();
  }

  #emit<Name extends keyof BedsideVisitEventMap>(
    name: Name,
    detail: BedsideVisitEventMap[Name]['detail'],
  ): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

function phaseOf(visit: VisitApi | undefined): Phase {
  if (!visit) return 'preparing';
  if (visit.state === 'connecting') return 'connecting';
  if (visit.state !== 'disconnected') return 'visit';
  return visit.disconnectReason === undefined || visit.disconnectReason === 'idle'
    ? 'prejoin'
    : 'ended';
}

/** `lang` of the nearest ancestor that has one, across shadow roots; else the browser's language. */
function inheritedLanguage(element: Element): string {
  for (let node: Element | undefined = element; node; ) {
    const found: Element | null = node.closest('[lang]');
    if (found) return found.getAttribute('lang') || navigator.language;
    const root: Node = node.getRootNode();
    node = root instanceof ShadowRoot ? root.host : undefined;
  }
  return navigator.language;
}
