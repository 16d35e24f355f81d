import { HOLD, MAIN_ROOM, type ParticipantId } from '@bedside/protocol';
import type { Banner } from './banner.ts';
import type { Calls } from './calls.ts';
import type { Notices } from './notices.ts';
import { isPrivate, isSending, waiting } from './people.ts';
import type { PanelName } from './side-panel.ts';
import type { View } from './view.ts';

export interface TroubleActions {
  /** A device or action that failed, as text. */
  problem: string | undefined;
  startAudio(): void;
  dismissProblem(): void;
  toggleScreen(): void;
}

export interface BannerActions extends TroubleActions {
  toggleMicrophone(): void;
  openPeople(): void;
  /** Which panel is open: it need not be told twice. */
  panel: PanelName | undefined;
  calls: Calls;
}

/** What needs attention now, the most urgent first. */
export function visitBanners(
  view: View,
  notices: Notices,
  actions: BannerActions,
): readonly (Banner | false)[] {
  return [
    ...trouble(view, notices, actions),
    ...asked(view, notices, actions),
    ...responsibility(view),
    ...atTheDoor(view, actions),
    ...held(view, actions),
    ...who(view),
    ...interpreting(view),
    ...actions.calls.banners(view),
  ];
}

/** Of connection, sound, devices and pictures. */
export function trouble(
  { visit, t, name }: View,
  { breached }: Pick<Notices, 'breached'>,
  actions: TroubleActions,
): (Banner | false)[] {
  return [
    visit.state === 'reconnecting' && {
      name: 'reconnecting',
      icon: 'spinner',
      text: t('reconnecting'),
      tone: 'warning',
    },
    !visit.canPlaybackAudio && {
      name: 'audio',
      icon: 'sound',
      text: t('audioBlocked'),
      alert: true,
      acts: [
        {
          action: 'start-audio',
          label: t('audioAllow'),
          primary: true,
          onClick: actions.startAudio,
        },
      ],
    },
    actions.problem !== undefined && {
      name: 'problem',
      icon: 'alert',
      text: actions.problem,
      alert: true,
      dismiss: actions.dismissProblem,
    },
    ...[...breached].map(
      (id): Banner => ({
        name: `quality-${id}`,
        icon: 'alert',
        text: t('signQuality', { name: name(id) }),
        tone: 'warning',
        alert: true,
      }),
    ),
    visit.localParticipant.isScreenShareEnabled && {
      name: 'screen',
      icon: 'share',
      text: t('yourScreen'),
      tone: 'accent',
      acts: [{ action: 'stop-screen', label: t('stopScreen'), onClick: actions.toggleScreen }],
    },
  ];
}

/** What others ask of oneself. */
function asked(
  { visit, t, name, host }: View,
  notices: Notices,
  { toggleMicrophone }: BannerActions,
): (Banner | false)[] {
  const { handOverOffer: offer, localParticipant: self } = visit;
  const { cue, unmuteBy, muted } = notices;
  const silent = !self.isMicrophoneEnabled;
  const unmuteButton = {
    action: 'unmute',
    label: t('unmute'),
    primary: true,
    onClick: toggleMicrophone,
  };
  const answer = (accept: boolean): void => host.run(visit.answerHandOver(accept));
  return [
    cue !== undefined && {
      name: 'cue',
      icon: cue.cue === 'pause' ? 'pause' : 'turn',
      text: t(cue.cue === 'pause' ? 'cuePause' : 'cueRepeat', { name: name(cue.by) }),
      tone: 'accent',
      alert: true,
      dismiss: () => notices.set({ cue: undefined }),
    },
    unmuteBy !== undefined &&
      silent && {
        name: 'unmute',
        icon: 'micOff',
        text: t('unmuteAsked', { name: name(unmuteBy.id) }),
        alert: true,
        acts: [unmuteButton],
        dismiss: () => notices.set({ unmuteBy: undefined }),
      },
    muted &&
      silent &&
      !unmuteBy && {
        name: 'muted',
        icon: 'micOff',
        text: t(muted === 'whisper' ? 'whisperEnded' : 'wasMuted'),
        alert: true,
        acts: [unmuteButton],
        dismiss: () => notices.set({ muted: false }),
      },
    offer?.to === self.id && {
      name: 'hand-over',
      icon: 'turn',
      text: t('handOverAsked', { name: name(offer.from) }),
      alert: true,
      acts: [
        {
          action: 'accept-hand-over',
          label: t('accept'),
          primary: true,
          onClick: () => answer(true),
        },
        { action: 'decline-hand-over', label: t('decline'), onClick: () => answer(false) },
      ],
    },
  ];
}

function responsibility({ visit, t, name, host }: View): (Banner | false)[] {
  const { handOverOffer: offer, unattendedSince, localParticipant: self } = visit;
  return [
    unattendedSince !== undefined && {
      name: 'unattended',
      icon: 'person',
      text: t('unattended'),
      tone: 'warning',
    },
    offer?.from === self.id && {
      name: 'offered',
      icon: 'turn',
      text: t('handOverOffered', { name: name(offer.to) }),
      acts: [
        {
          action: 'withdraw-hand-over',
          label: t('withdraw'),
          onClick: () => host.run(visit.handOver(null)),
        },
      ],
    },
  ];
}

/** Who waits, for those who may admit. */
function atTheDoor({ visit, t, name, host }: View, actions: BannerActions): (Banner | false)[] {
  const { grants } = visit.localParticipant;
  const [first, ...more] = waiting(visit);
  if (!first || !grants.has('admit') || actions.panel === 'people') return [];
  const admit = (ids?: ParticipantId[]): void => host.run(visit.admit(ids));
  const text =
    more.length > 0
      ? t('waitingMany', { count: String(more.length + 1) })
      : t('sayWaits', { name: name(first.id) });
  return [
    {
      name: 'waiting',
      icon: 'door',
      text,
      acts: [
        { action: 'show-waiting', label: t('show'), onClick: actions.openPeople },
        {
          action: 'admit-waiting',
          label: t(more.length > 0 ? 'admitAll' : 'admit'),
          primary: true,
          onClick: () => admit(more.length > 0 ? undefined : [first.id]),
        },
      ],
    },
  ];
}

/** Who is on hold, so that nobody is forgotten there: for those in the main room who may call them back. */
function held(view: View, actions: BannerActions): (Banner | false)[] {
  const { visit, t, host } = view;
  const { localParticipant: self, participants } = visit;
  const ids = [...participants.values()].filter(({ place }) => place === HOLD).map(({ id }) => id);
  if (ids.length === 0 || !self.grants.has('hold') || self.place !== MAIN_ROOM) return [];
  return [
    actions.panel !== 'people' && {
      name: 'held',
      icon: 'pause',
      text: `${t('onHold')}: ${list(view, ids)}`,
      acts: [
        {
          action: 'call-back-held',
          label: t('callBack'),
          onClick: () => host.run(visit.moveTo(ids, { type: 'main' })),
        },
      ],
    },
  ];
}

const list = ({ texts, name }: View, ids: ParticipantId[]): string =>
  new Intl.ListFormat(texts.lang, { type: 'conjunction' }).format(ids.map((id) => name(id)));

/** Who hears whom, where that is not everybody. */
function who(view: View): (Banner | false)[] {
  const { visit, t, name, host } = view;
  const { localParticipant: self, participants } = visit;
  const others = [...participants.values()].filter(({ isHere }) => isHere);
  const names = list(
    view,
    others.map(({ id }) => id),
  );
  const whisperer = others.find(({ whisperTo }) => whisperTo === self.id);
  return [
    isPrivate(self) && {
      name: 'private',
      icon: 'lock',
      text: others.length > 0 ? t('privateWith', { names }) : t('privateAlone'),
      tone: 'private',
      acts: [
        self.grants.has('private-room') && {
          action: 'end-private',
          label: t('backToVisit'),
          onClick: () =>
            host.run(visit.moveTo([self.id, ...others.map(({ id }) => id)], { type: 'main' })),
        },
      ],
    },
    self.whisperTo !== undefined && {
      name: 'whisper',
      icon: 'lock',
      text: t('whisperTo', { name: name(self.whisperTo) }),
      tone: 'private',
      acts: [
        {
          action: 'end-whisper',
          label: t('whisperEnd'),
          onClick: () => host.run(visit.whisper(null)),
        },
      ],
    },
    whisperer !== undefined && {
      name: 'whispered',
      icon: 'lock',
      text: t('whisperedBy', { name: name(whisperer.id) }),
      tone: 'private',
    },
  ];
}

/** The interpreter's own controls: cues for who speaks, and whose turn it is. */
function interpreting({ visit, t, name, host }: View): (Banner | false)[] {
  const { localParticipant: self, activeSpeaker, turns } = visit;
  if (!self.grants.has('interpret') || !self.isHere) return [];
  const others = [...visit.participants.values()].filter(({ isHere }) => isHere);
  const speaker =
    activeSpeaker && !activeSpeaker.isLocal
      ? activeSpeaker
      : others.find((one) => one.isSpeaking && isSending(one, 'microphone'));
  const colleague = others.some(({ role }) => role === 'interpreter');
  const mine = turns.includes(self.id);
  const cue = (what: 'pause' | 'repeat'): void => {
    if (speaker) host.run(visit.cue(speaker.id, what));
  };
  return [
    {
      name: 'interpreting',
      icon: 'languages',
      text: [
        colleague
          ? t(mine ? 'yourTurn' : 'notYourTurn')
          : `${t('interpretingMode')}: ${t(visit.interpreting)}`,
        speaker && t('speaks', { name: name(speaker.id) }),
      ]
        .filter(Boolean)
        .join(' · '),
      acts: [
        colleague && !mine
          ? {
              action: 'take-turn',
              label: t('takeTurn'),
              primary: true,
              onClick: () => host.run(visit.takeTurn()),
            }
          : false,
        speaker !== undefined && {
          action: 'cue-pause',
          label: t('askPause'),
          onClick: () => cue('pause'),
        },
        speaker !== undefined && {
          action: 'cue-repeat',
          label: t('askRepeat'),
          onClick: () => cue('repeat'),
        },
      ],
    },
  ];
}
