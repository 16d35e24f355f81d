import type { Role, TokenClaims } from '@bedside/protocol';
import { html, LitElement, type PropertyValues, type TemplateResult } from 'lit';
import { fill, type TextKey, type Texts, textsFor } from '../texts/index.ts';
import type {
  DeviceKind,
  Invitation,
  Participant,
  VisitApi,
  VisitEvents,
  VisitOptions,
} from '../types.ts';
import { Visit } from '../visit.ts';
import type { BedsideVisitElement, BedsideVisitEventMap, Phase } from './bedside-visit.ts';
import type { Specialty } from './call-dialog.ts';
import { clinicalStyles } from './clinical-styles.ts';
import { devicesDialog, hasExamCamera } from './devices-dialog.ts';
import { ended } from './ended.ts';
import { InVisit } from './in-visit.ts';
import { inheritedLanguage } from './language.ts';
import type { Size } from './layout.ts';
import { GRANT_FOR, maySend } from './may-send.ts';
import { Narrator } from './narrator.ts';
import { OwnDevices, type OwnSource } from './own-devices.ts';
import { nameOf } from './people.ts';
import { prejoin } from './prejoin.ts';
import { styles } from './styles.ts';
import { TokenAhead } from './token-ahead.ts';
import { roomFor } from './toolbar.ts';
import { VideoWatcher } from './video.ts';
import { type Host, makeView, type View } from './view.ts';
import { waitingRoom } from './waiting-room.ts';
import { WakeLock } from './wake-lock.ts';

/** Milliseconds after which an element without url or token is taken for a mistake of its page. */
const MISSING_MS = 5000;

const SHORTCUTS = new Map([
  ['m', 'microphone'],
  ['v', 'camera'],
] as const) as ReadonlyMap<string, 'microphone' | 'camera'>;

/** An interpreter takes the turn from a colleague. */
const TURN_KEY = 't';

/** What `<bedside-visit>` is made of; bedside-visit.ts says what a page sees of it. */
export class VisitElement extends LitElement implements BedsideVisitElement {
  static override readonly styles = [styles, clinicalStyles];
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
    specialties: { attribute: false },
    inviteUrlTemplate: { type: String, attribute: 'invite-url-template' },
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
  declare inviteUrlTemplate: string | undefined;
  declare specialties: readonly Specialty[] | undefined;

  #visit: VisitApi | undefined;
  #detach: (() => void) | undefined;
  #phase: Phase = 'preparing';
  /** Before the visit: who joins, and whether the microphone was heard. */
  #who: TokenClaims | undefined;
  #microphoneHeard = false;
  #tokens: TokenAhead | undefined;
  /** Tells a developer what is missing, where nothing begins. */
  #missing: ReturnType<typeof setTimeout> | undefined;
  #size: Size | undefined;
  /** Size of the person's text, CSS pixels. */
  #em = 16;
  #stage: Size | undefined;
  #stageElement: Element | undefined;
  readonly #wakeLock = new WakeLock();
  readonly #narrator = new Narrator(() => this.requestUpdate());
  readonly #devices = new OwnDevices({
    visit: () => this.#visit,
    changed: () => this.requestUpdate(),
    switched: (source, on) => {
      if (source === 'camera') this.#say(on ? 'sayCameraOn' : 'sayCameraOff');
      if (source === 'microphone') this.#say(on ? 'sayMicOn' : 'sayMicOff');
      if (source === 'exam') this.#say(on ? 'sayExamOn' : 'sayExamOff');
    },
    failed: (error, source) => this.#emit('bedside-media-error', { error, source }),
  });
  readonly #inVisit = new InVisit({
    visit: () => this.#visit,
    update: () => this.requestUpdate(),
    say: (key, values) => this.#say(key, values),
    name: (id) => this.#view?.name(id) ?? '',
    view: () => this.#view,
    dialog: (name, open) => (open ? this.#host.open(name) : this.#dialog(name)?.close()),
    knocks: ({ id }) => this.#emit('bedside-participant-waiting', { participantId: id }),
    focus: (...selectors) =>
      void this.updateComplete.then(() =>
        selectors
          .map((selector) => this.renderRoot.querySelector<HTMLElement>(selector))
          .find(Boolean)
          ?.focus(),
      ),
  });
  readonly #host: Host = {
    watcher: new VideoWatcher(() => this.#visit),
    update: () => this.requestUpdate(),
    run: (action) => void action.catch((error: unknown) => this.#devices.fail(error)),
    open: (name) => {
      if (name === 'devices') void this.#devices.refresh();
      this.#dialog(name)?.showModal();
    },
    say: (line) => this.#narrator.say(line),
    known: (id) => this.#inVisit.times.stays.get(id)?.participant,
    reactionOf: (id) => this.#inVisit.reactionOf(id),
  };
  readonly #observer = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const { width, height } = contentRect;
      if (target === this) {
        this.#size = { width, height };
        this.#em = Number.parseFloat(getComputedStyle(this).fontSize);
      } else this.#stage = { width, height };
    }
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
    this.#devices.dismiss();
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
    this.#observer.observe(this);
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
    this.#observer.unobserve(this);
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
      this.#wakeLock.set(phase === 'visit' || phase === 'waiting');
      if (focused) void this.updateComplete.then(() => this.#focusPhase());
    }
  }

  protected override render(): TemplateResult {
    const texts = this.#texts;
    const view = this.#view;
    return html`<div class="root" part="root" lang=${texts.lang} dir=${texts.dir} data-phase=${this.#phase} ?data-flash=${this.#inVisit.flashing}>
      ${view ? this.#content(view) : html`<section class="message"><span class="spinner large" aria-hidden="true"></span><h1 tabindex="-1">${texts.ui.preparing}</h1></section>`}
      ${this.#narrator.render()}
    </div>`;
  }

  protected override updated(): void {
    const stage = this.renderRoot.querySelector('.stage') ?? undefined;
    if (stage === this.#stageElement) return;
    if (this.#stageElement) this.#observer.unobserve(this.#stageElement);
    this.#stageElement = stage;
    this.#stage = undefined;
    if (stage) this.#observer.observe(stage);
  }

  #content(view: View): TemplateResult {
    const { visit, t, texts, host } = view;
    const { problem } = this.#devices;
    const choose = (kind: DeviceKind, deviceId: string): void =>
      void this.#devices.choose(kind, deviceId);
    const actions = {
      problem: problem && texts.errors[problem.error.code],
      toggleMicrophone: () => void this.#toggle('microphone'),
      toggleCamera: () => void this.#toggle('camera'),
      toggleScreen: () => void this.#toggle('screen'),
      toggleExam: () => void this.#toggle('exam'),
      leave: () => void this.leave(),
      startAudio: () => host.run(visit.startAudio()),
      dismissProblem: () => this.#devices.dismiss(),
    };
    const own = {
      devices: this.#devices.lists,
      choose,
      who: this.#who,
      heard: this.#microphoneHeard,
      onHeard: () => {
        this.#microphoneHeard = true;
        this.requestUpdate();
      },
      may: {
        camera: maySend(this.#who, 'camera'),
        microphone: maySend(this.#who, 'microphone'),
      },
      opening: this.#devices.opening,
      toggleMicrophone: actions.toggleMicrophone,
      toggleCamera: actions.toggleCamera,
    };
    switch (this.#phase) {
      case 'prejoin':
        return prejoin(view, {
          ...own,
          problem: problem?.error,
          join: () => void this.join(),
          retry: () => void this.#openWanted(),
        });
      case 'connecting':
        return html`<section class="message" part="connecting" aria-busy="true">
          <span class="spinner large" aria-hidden="true"></span>
          <h1 tabindex="-1">${t('connecting')}</h1>
          <p>${t('connectingHint')}</p>
          <button type="button" class="secondary" data-action="cancel" @click=${() => void this.leave()}>${t('cancel')}</button>
        </section>`;
      case 'waiting':
        return waitingRoom(view, {
          ...own,
          banners: this.#inVisit.trouble(view, actions),
          leave: actions.leave,
        });
      case 'ended':
        return ended(view, visit.disconnectReason ?? 'left', visit.error, {
          rejoin: () => void this.join(),
          canRenew: this.tokenProvider !== undefined,
          times: this.#inVisit.times,
        });
      default:
        return html`${this.#inVisit.render(view, {
          stage: this.#stage,
          room: this.#size ? roomFor(this.#size, this.#em) : Number.POSITIVE_INFINITY,
          shortcuts: this.shortcuts,
          examCamera: hasExamCamera(visit, this.#devices.lists),
          linkOf: (invitation, role) => this.#linkOf(invitation, role),
          specialties: this.specialties,
          actions,
        })}
        ${devicesDialog(view, {
          devices: this.#devices.lists,
          choose,
          examine: (options) => void this.#devices.examine(options),
          shortcuts: this.shortcuts,
          setShortcuts: (on) => {
            this.shortcuts = on;
          },
        })}`;
    }
  }

  #startVisit(url: string): void {
    const tokens = new TokenAhead(async () => (await this.tokenProvider?.()) ?? this.token ?? '');
    const visit = this.createVisit({ url, tokenProvider: () => tokens.next() });
    this.#visit = visit;
    this.#tokens = tokens;
    this.#detach = this.#listen(visit);
    void this.#devices.refresh();
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
    this.#narrator.forget();
    this.#devices.problem = undefined;
    void visit?.leave().catch(() => {
      // The page is done with it; the gateway ends the session by itself.
    });
  }

  #listen(visit: VisitApi): () => void {
    const update = (): void => this.requestUpdate();
    const named = (participant: Participant) => ({ name: nameOf(participant, this.#texts) });
    let wasConnected = false;
    const handlers: Partial<VisitEvents> = {
      connectionStateChanged: (state) => {
        this.#emit('bedside-connection-state-changed', { state });
        if (state === 'connected') {
          this.#say(
            wasConnected
              ? 'sayReconnected'
              : visit.localParticipant.state === 'waiting'
                ? 'waiting'
                : 'sayConnected',
          );
          if (!wasConnected) {
            this.#narrator.knows(visit);
            this.#emit('bedside-connected', { visit });
          }
          wasConnected = true;
        }
        if (state === 'reconnecting') this.#say('reconnecting');
        if (state === 'disconnected') wasConnected = false;
        update();
      },
      disconnected: (reason, error) => {
        this.#narrator.forget();
        this.#emit('bedside-disconnected', { reason, error });
        update();
      },
      visitStateChanged: update,
      participantConnected: (participant) => {
        this.#narrator.meets(participant);
        if (wasConnected)
          this.#say(participant.state === 'waiting' ? 'sayWaits' : 'sayJoined', named(participant));
        this.#emit('bedside-participant-connected', { participantId: participant.id });
        update();
      },
      participantDisconnected: (participant) => {
        this.#narrator.forget(participant.id);
        // Nobody has left where oneself has, or the visit has ended.
        if (wasConnected && visit.state !== 'disconnected' && visit.visitState !== 'ended')
          this.#say('sayLeft', named(participant));
        this.#emit('bedside-participant-disconnected', { participantId: participant.id });
        update();
      },
      participantChanged: (participant) => {
        if (participant.isLocal) this.#devices.forgetMended(visit);
        else if (wasConnected)
          this.#narrator.changed(makeView(visit, this.#texts, this.#host), participant);
        update();
      },
      trackSubscribed: update,
      trackUnsubscribed: update,
      localTrackPublished: update,
      localTrackUnpublished: update,
      activeSpeakerChanged: update,
      connectionQualityChanged: update,
      audioPlaybackChanged: update,
      devicesChanged: () => void this.#devices.refresh(),
      mediaDevicesError: (error, source) => {
        this.#emit('bedside-media-error', { error, source });
        this.#devices.fail(error, source);
      },
    };
    const off = [handlers, this.#inVisit.handlers(visit)].map((each) => subscribe(visit, each));
    return () => {
      for (const stop of off) stop();
    };
  }

  /** The page makes a link of an invitation: by `bedside-invite`, or by the template. */
  async #linkOf(invitation: Invitation, role: Role): Promise<string | undefined> {
    let answer: string | Promise<string> | undefined;
    const respondWith = (link: string | Promise<string>): void => {
      answer = link;
    };
    this.#emit('bedside-invite', { ...invitation, role, respondWith });
    const token = encodeURIComponent(invitation.token);
    return (await answer) ?? this.inviteUrlTemplate?.replace('{token}', () => token);
  }

  get #view(): View | undefined {
    return this.#visit && makeView(this.#visit, this.#texts, this.#host);
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
      await this.#devices.busy(this.#readWho());
      if (this.#visit !== visit || phaseOf(visit) === 'ended') return;
    }
    const { localParticipant: self } = visit;
    for (const [source, isOn] of [
      ['microphone', self.isMicrophoneEnabled],
      ['camera', self.isCameraEnabled],
    ] as const)
      if (this[source] !== 'off' && !isOn && maySend(this.#who, source))
        void this.#devices.enable(source, true);
  }

  async #toggle(source: OwnSource): Promise<void> {
    const self = this.#visit?.localParticipant;
    if (!self) return;
    const enabled = {
      camera: self.isCameraEnabled,
      microphone: self.isMicrophoneEnabled,
      screen: self.isScreenShareEnabled,
      // Unplugged or not: once more turns it off.
      exam: self.tracks.has('exam'),
    }[source];
    if (source === 'camera' || source === 'microphone') {
      this[source] = enabled ? 'off' : 'on';
      this.#emit('bedside-device-toggled', { source, enabled: !enabled });
    }
    await this.#devices.enable(source, !enabled);
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
    const key = event.key.toLowerCase();
    const visit = this.#visit;
    if (key === TURN_KEY && visit?.localParticipant.grants.has('interpret'))
      this.#host.run(visit.takeTurn());
    const source = SHORTCUTS.get(key);
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

  #dialog(name: string): HTMLDialogElement | null {
    return this.renderRoot.querySelector<HTMLDialogElement>(`dialog.${name}`);
  }

  #say(key: TextKey, values: Readonly<Record<string, string>> = {}): void {
    this.#narrator.say(fill(this.#texts.ui[key], values));
  }

  #emit<Name extends keyof BedsideVisitEventMap>(
    name: Name,
    detail: BedsideVisitEventMap[Name]['detail'],
  ): boolean {
    return this.dispatchEvent(
      new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }),
    );
  }
}

function phaseOf(visit: VisitApi | undefined): Phase {
  if (!visit) return 'preparing';
  if (visit.state === 'connecting') return 'connecting';
  if (visit.state !== 'disconnected')
    return visit.localParticipant.state === 'waiting' ? 'waiting' : 'visit';
  return visit.disconnectReason === undefined || visit.disconnectReason === 'idle'
    ? 'prejoin'
    : 'ended';
}

/** Gives what ends it. */
function subscribe(visit: VisitApi, handlers: Partial<VisitEvents>): () => void {
  const names = Object.keys(handlers) as (keyof VisitEvents)[];
  for (const name of names) visit.on(name, handlers[name] as never);
  return () => {
    for (const name of names) visit.off(name, handlers[name] as never);
  };
}
