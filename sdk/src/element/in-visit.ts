import { HOLD, type ParticipantId } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { SoundName } from '../media/scores.ts';
import type { TextKey } from '../texts/index.ts';
import type { Participant, VisitApi, VisitEvents } from '../types.ts';
import type { Banner } from './banner.ts';
import { CallDialog, type Specialty } from './call-dialog.ts';
import { Calls } from './calls.ts';
import { Captions } from './captions.ts';
import { ChatPanel, REACTIONS } from './chat-panel.ts';
import { endDialog } from './devices-dialog.ts';
import { InviteDialog, type LinkOf } from './invite-dialog.ts';
import { languagesDialog } from './languages-dialog.ts';
import type { Size } from './layout.ts';
import { Notices } from './notices.ts';
import { isPrivate, waiting } from './people.ts';
import { PeoplePanel } from './people-panel.ts';
import { handOverDialog, holdDialog, removeDialog } from './place-dialogs.ts';
import type { PanelName } from './side-panel.ts';
import { Times } from './times.ts';
import type { ToolbarActions } from './toolbar.ts';
import type { View } from './view.ts';
import { type BannerActions, type TroubleActions, trouble, visitBanners } from './visit-banners.ts';
import { visitView } from './visit-view.ts';

/** Milliseconds for which a reaction, and a visual alert, are shown. */
const SHOWN_MS = 3_500;
/** Milliseconds between two looks at for how long somebody waits. */
const WAIT_LOOK_MS = 20_000;

/** What the state of the visit's own screen asks of the element. */
interface Owner {
  visit(): VisitApi | undefined;
  update(): void;
  say(key: TextKey, values?: Readonly<Record<string, string>>): void;
  name(id: ParticipantId | undefined): string;
  /** Somebody waits: tells the page. False where the page alerts by itself. */
  knocks(participant: Participant): boolean;
  view(): View | undefined;
  /** Shows the dialog of that class, or hides it. */
  dialog(name: string, open: boolean): void;
  /** Gives the focus to what the first selector finds, else to the next. */
  focus(...selectors: string[]): void;
}

export interface InVisitOptions {
  stage: Size | undefined;
  room: number;
  shortcuts: boolean;
  examCamera: boolean;
  linkOf: LinkOf;
  specialties: readonly Specialty[] | undefined;
  actions: Omit<BannerActions, 'openPeople' | 'panel' | 'calls'> &
    Pick<ToolbarActions, 'toggleCamera' | 'toggleExam' | 'leave'>;
}

/** What the person has open, was asked, and is shown for a while, during one visit. */
export class InVisit {
  readonly #owner: Owner;
  readonly times = new Times();
  readonly #people: PeoplePanel;
  readonly #chat: ChatPanel;
  readonly #captions: Captions;
  readonly #invite: InviteDialog;
  readonly #call: CallDialog;
  readonly #calls: Calls;
  readonly #notices: Notices;
  #panel: PanelName | undefined;
  readonly #reactions = new Map<ParticipantId, string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #waitLook: ReturnType<typeof setInterval> | undefined;
  #before: Pick<VisitApi, 'handOverOffer' | 'unattendedSince'> | undefined;
  /** A sound that who can not hear it sees. */
  flashing = false;

  constructor(owner: Owner) {
    this.#owner = owner;
    const changed = (): void => owner.update();
    this.#people = new PeoplePanel(changed);
    this.#chat = new ChatPanel(changed);
    this.#captions = new Captions(changed);
    this.#invite = new InviteDialog(changed);
    this.#call = new CallDialog(changed);
    this.#calls = new Calls(changed);
    this.#notices = new Notices(changed);
  }

  reactionOf(id: ParticipantId): string | undefined {
    return this.#reactions.get(id);
  }

  /** Of the waiting room, too. */
  trouble(view: View, actions: TroubleActions): readonly (Banner | false)[] {
    return trouble(view, this.#notices, actions);
  }

  render(view: View, options: InVisitOptions): TemplateResult {
    const { visit, host } = view;
    const { localParticipant: self } = visit;
    const { grants } = self;
    const actions = {
      ...options.actions,
      panel: this.#panel,
      calls: this.#calls,
      openPeople: () => this.open('people'),
      togglePanel: (name: PanelName) => this.open(this.#panel === name ? undefined : name),
    };
    const mayMove = grants.has('hold') || grants.has('private-room');
    return html`${visitView(view, {
      ...options,
      actions,
      panel: this.#panel,
      unread: this.#panel === 'chat' ? 0 : this.#chat.unread(visit),
      banners: visitBanners(view, this.#notices, actions),
      captions: this.#captions.render(view),
      side: this.#side(view),
    })}
    ${languagesDialog(view)}
    ${mayMove ? holdDialog(view, this.#people) : nothing}
    ${grants.has('remove') ? removeDialog(view, this.#people) : nothing}
    ${self.mayAttend ? handOverDialog(view) : nothing}
    ${grants.has('invite') ? html`${this.#invite.render(view, options.linkOf)}${this.#call.render(view, options.specialties)}` : nothing}
    ${
      grants.has('end')
        ? endDialog(view, { end: () => host.run(visit.end()), leave: options.actions.leave })
        : nothing
    }`;
  }

  /** Shows a panel, or none; the focus goes with it. */
  open(name: PanelName | undefined): void {
    const before = this.#panel;
    this.#panel = name;
    this.#owner.update();
    this.#owner.focus(
      ...(name
        ? [`.${name} textarea`, '#panel-title']
        : [`[data-action=${before}]`, '[data-action=more]']),
    );
  }

  /** What follows from what happens in the visit. */
  handlers(visit: VisitApi): Partial<VisitEvents> {
    const owner = this.#owner;
    const { localParticipant: self } = visit;
    const look = (): void => this.times.look(visit, Date.now());
    return {
      connectionStateChanged: (state) => {
        if (state === 'connecting') this.times.clear();
        look();
        clearInterval(this.#waitLook);
        if (state === 'connected')
          this.#waitLook = setInterval(() => {
            if (waiting(visit).length > 0) owner.update();
          }, WAIT_LOOK_MS);
        if (state !== 'disconnected') return;
        this.times.end(Date.now());
        this.#clear();
      },
      admitted: () => {
        look();
        // Read in the waiting room.
        this.#chat.seen(visit);
        owner.say('sayAdmitted');
        this.#alert('chime');
      },
      participantConnected: (participant) => {
        look();
        if (participant.state === 'waiting' && self.grants.has('admit'))
          if (owner.knocks(participant)) this.#alert('chime');
      },
      participantDisconnected: ({ id }) => this.times.left(id, Date.now()),
      participantChanged: (participant) => {
        look();
        if (!participant.isLocal || !self.isMicrophoneEnabled) return;
        const { unmuteBy, muted } = this.#notices;
        if (unmuteBy || muted) this.#notices.set({ unmuteBy: undefined, muted: false });
      },
      placeChanged: (participant) => this.#placed(participant),
      visitChanged: () => {
        const { handOverOffer, unattendedSince } = visit;
        const before = this.#before;
        this.#before = { handOverOffer, unattendedSince };
        const isAsked = handOverOffer?.to === self.id;
        if (isAsked !== (before?.handOverOffer?.to === self.id)) {
          owner.dialog('hand-over', isAsked);
          if (isAsked) this.#alert('chime');
        }
        if (unattendedSince !== undefined && before?.unattendedSince === undefined)
          owner.say('unattended');
        const view = owner.view();
        if (view) for (const line of this.#calls.news(view)) view.host.say(line);
        owner.update();
      },
      messageReceived: ({ kind, number, from, text }) => {
        if (kind === 'caption') this.#captions.add(number);
        else if (from !== self.id) {
          owner.say('sayMessage', { name: owner.name(from), text });
          this.#alert('message');
        }
        owner.update();
      },
      microphoneMuted: () => this.#notices.set({ muted: 'others' }),
      whisperEnded: () => this.#notices.set({ muted: 'whisper' }),
      unmuteAsked: (by) => {
        this.#notices.set({ unmuteBy: { id: by?.id } });
        this.#alert('chime');
      },
      cueReceived: (cue, by) => {
        this.#notices.set({ cue: { cue, by: by?.id } });
        this.#alert('message');
      },
      reactionReceived: (reaction, { id }) => {
        this.#reactions.set(id, REACTIONS[reaction]);
        this.#after(id, () => this.#reactions.delete(id));
      },
      qualityBreached: (change) => this.#notices.quality(change, true),
      qualityRestored: (change) => this.#notices.quality(change, false),
    };
  }

  #side(view: View): TemplateResult | typeof nothing {
    const close = (): void => this.open(undefined);
    if (this.#panel === 'chat') return this.#chat.render(view, close);
    if (this.#panel !== 'people') return nothing;
    return this.#people.render(view, {
      close,
      write: (id) => {
        this.#chat.address(id);
        this.open('chat');
      },
    });
  }

  #placed(participant: Participant): void {
    const [own, other] =
      participant.place === HOLD
        ? (['youAreOnHold', 'sayHeld'] as const)
        : isPrivate(participant)
          ? (['sayOwnPrivate', 'sayPrivate'] as const)
          : (['sayOwnReturned', 'sayReturned'] as const);
    this.#owner.say(participant.isLocal ? own : other, { name: this.#owner.name(participant.id) });
    this.#owner.update();
  }

  /** A sound, which who signs sees. */
  #alert(sound: SoundName): void {
    const visit = this.#owner.visit();
    visit?.sounds[sound].start();
    if (!visit?.localParticipant.signs) return;
    this.flashing = true;
    this.#after('flash', () => {
      this.flashing = false;
    });
  }

  #after(key: string, then: () => void): void {
    clearTimeout(this.#timers.get(key));
    this.#owner.update();
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      then();
      this.#owner.update();
    }, SHOWN_MS);
    this.#timers.set(key, timer);
  }

  #clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#reactions.clear();
    this.flashing = false;
    this.#panel = undefined;
    this.#before = undefined;
    this.#captions.clear();
    this.#chat.clear();
    this.#invite.clear();
    this.#calls.clear();
    this.#notices.clear();
  }
}
