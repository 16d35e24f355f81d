import * as z from 'zod/mini';
import { CallId, InviteId, ParticipantId, ProducerId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { MediaKind, MediaSource } from './media.ts';

/** Who somebody is in a visit. The token says it, never the page. */
export const Role = z.enum([
  'patient',
  'provider',
  'interpreter',
  'specialist',
  'caregiver',
  'observer',
  'moderator',
  'device',
]);
export type Role = z.infer<typeof Role>;

/** What a participant may do. A role has a set of them; a token may override it. */
export const Grant = z.enum([
  'publish-audio',
  'publish-video',
  'publish-screen',
  /** Show an exam camera beside one's own. */
  'publish-exam',
  /** Admit who waits, and be responsible for the visit. */
  'admit',
  'remove',
  /** Mute others, and ask them to unmute. */
  'mute',
  'hold',
  'private-room',
  /** Invite by link, and call somebody who is on call. */
  'invite',
  'hand-over',
  'end',
  /** See who else is there while waiting. */
  'see-roster',
  'chat',
  /** Write captions for everybody in the same place. */
  'caption',
  /** Interpret: take turns, give cues, choose the mode. */
  'interpret',
  /** Speak to one participant only. */
  'whisper',
]);
export type Grant = z.infer<typeof Grant>;

/** A BCP 47 language tag, signed languages included (ase, bfi). */
export const LanguageTag = z
  .string()
  .check(z.maxLength(35), z.regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/));
export type LanguageTag = z.infer<typeof LanguageTag>;

/** A name that the other participants see. */
export const DisplayName = z.string().check(z.minLength(1), z.maxLength(LIMITS.nameLength));

/** What kind of encounter a visit is; portals use it, plans may depend on it. */
export const VisitKind = z.enum(['visit', 'consult', 'group', 'lecture']);
export type VisitKind = z.infer<typeof VisitKind>;

/** open: nobody was admitted yet. active: somebody was. ended: over for good. */
export const VisitState = z.enum(['open', 'active', 'ended']);
export type VisitState = z.infer<typeof VisitState>;

/** waiting: sees and hears nobody yet. admitted: takes part. left: gone. */
export const ParticipantState = z.enum(['waiting', 'admitted', 'left']);
export type ParticipantState = z.infer<typeof ParticipantState>;

/** reconnecting: the page's socket is gone, and its grace time runs. */
export const ConnectionState = z.enum(['connected', 'reconnecting']);
export type ConnectionState = z.infer<typeof ConnectionState>;

/** Where in the visit: `main`, `hold`, or the id of a private room. */
export const Place = z.string().check(z.minLength(1), z.maxLength(LIMITS.idLength));
export type Place = z.infer<typeof Place>;

/** Who enters a visit, and when. */
export const Admission = z.enum([
  /** Everybody, at once. */
  'auto',
  /** Who lacks the grant `admit` waits until they are admitted. */
  'on-admit',
  /** Who lacks the grant `admit` waits until somebody who has it is there. */
  'when-attended',
]);
export type Admission = z.infer<typeof Admission>;

const time = z.int().check(z.nonnegative());
const notice = z.string().check(z.minLength(1), z.maxLength(LIMITS.noticeLength));

/** What somebody on hold is told and hears meanwhile. */
export const Hold = z.object({
  /** Shown to them, and to who may put others on hold. */
  notice: z.optional(notice),
  /** Played by the page itself: no sound is sent. */
  audio: z.enum(['none', 'music']),
});
export type Hold = z.infer<typeof Hold>;

/** Languages that somebody speaks or understands, the preferred one first. */
export const LanguageTags = z.array(LanguageTag).check(z.maxLength(LIMITS.languages));

/**
 * consecutive: who speaks stops for the interpreter, so that the original is played as it is.
 * simultaneous: the original is turned down under the interpreter.
 */
export const InterpretingMode = z.enum(['consecutive', 'simultaneous']);
export type InterpretingMode = z.infer<typeof InterpretingMode>;

/** What a participant sends, as others see it. */
export const ProducerView = z.object({
  producerId: ProducerId,
  kind: MediaKind,
  source: MediaSource,
  /** Muted, or camera off: nothing is sent. */
  paused: z.boolean(),
});
export type ProducerView = z.infer<typeof ProducerView>;

/**
 * A participant, as others see them. Who has no grant in a lecture but `chat` and `see-roster` is of its
 * audience, which nobody sees: only they themselves, and while they wait or raise their hand who may admit.
 */
export const ParticipantView = z.object({
  participantId: ParticipantId,
  role: Role,
  name: z.optional(DisplayName),
  lang: z.optional(LanguageTag),
  state: ParticipantState,
  connection: ConnectionState,
  place: Place,
  /** May be responsible for the visit; absent where not, and for who waits. */
  mayAttend: z.optional(z.boolean()),
  /** While `place` is `hold`. */
  hold: z.optional(Hold),
  /** Languages that they speak, signed ones included; `lang` where absent. */
  speaks: z.optional(LanguageTags),
  /** Languages that they follow; those that they speak where absent. */
  hears: z.optional(LanguageTags),
  /** Communicates in a signed language: the picture is their voice. */
  signs: z.optional(z.boolean()),
  /** Decibels by which originals are turned down under an interpreter for them: -60 to 0, 0 for not at all. */
  duckDb: z.optional(z.number().check(z.minimum(-60), z.maximum(0))),
  /** When they raised their hand, in milliseconds since 1970. */
  handRaisedAt: z.optional(time),
  /** Since when they wait, in milliseconds since 1970. */
  waitingSince: z.optional(time),
  /** Their microphone goes to this participant alone. */
  whisperTo: z.optional(ParticipantId),
  producers: z.array(ProducerView).check(z.maxLength(LIMITS.producersPerParticipant)),
});
export type ParticipantView = z.infer<typeof ParticipantView>;

/** Responsibility that one participant offers to another. */
export const HandOver = z.object({ from: ParticipantId, to: ParticipantId });
export type HandOver = z.infer<typeof HandOver>;

/** What is to be known of the visit as a whole; optional fields that are absent are not so. */
export const VisitInfo = z.object({
  state: VisitState,
  /** Who answers for the visit. */
  responsible: z.optional(ParticipantId),
  /** Since when nobody answers for it, in milliseconds since 1970: it goes on, and waits for them. */
  unattendedSince: z.optional(time),
  handOver: z.optional(HandOver),
  interpreting: InterpretingMode,
  /** The interpreters whose turn it is, where several have the same pair of languages. */
  turns: z.optional(z.array(ParticipantId).check(z.maxLength(LIMITS.participantsPerVisit))),
  /** Whether `react` is allowed: to the audience of a lecture it is not. */
  reactions: z.boolean(),
  /** How many are in the audience of a lecture, told about once a second at the most. */
  audience: z.optional(z.int().check(z.nonnegative())),
  /** What the clinic shares with who waits. */
  wait: z.optional(
    z.object({
      /** How many are seen before, 0 for next. */
      ahead: z.optional(z.int().check(z.nonnegative(), z.maximum(10_000))),
      /** When it is expected to begin, in milliseconds since 1970. */
      expectedAt: z.optional(time),
    }),
  ),
});
export type VisitInfo = z.infer<typeof VisitInfo>;

/** An invitation, for those who may invite. */
export const InviteView = z.object({
  inviteId: InviteId,
  role: Role,
  name: z.optional(DisplayName),
  /** Until when it can be used, in milliseconds since 1970. */
  expiresAt: time,
  knock: z.boolean(),
  state: z.enum(['open', 'used', 'revoked']),
});
export type InviteView = z.infer<typeof InviteView>;

/** A call for somebody who is on call, for those who may call. */
export const CallView = z.object({
  callId: CallId,
  role: Role,
  state: z.enum(['ringing', 'accepted', 'unanswered', 'cancelled']),
  /** Which group rings, 0 for the first. */
  group: z.int().check(z.nonnegative()),
  /** How many there are. */
  groups: z.int().check(z.minimum(1)),
  /** Who comes, once somebody has accepted. */
  acceptedBy: z.optional(ParticipantId),
  /** Until when it rings, in milliseconds since 1970. */
  until: time,
});
export type CallView = z.infer<typeof CallView>;

const invites = z.array(InviteView).check(z.maxLength(LIMITS.invites));
const calls = z.array(CallView).check(z.maxLength(LIMITS.calls));

/** The visit as one participant may see it. */
export const VisitView = z.object({
  visitId: VisitId,
  kind: VisitKind,
  ...VisitInfo.shape,
  /** For those with the grant `invite`. */
  invites: z.optional(invites),
  /** For those with the grant `invite`. */
  calls: z.optional(calls),
  /** Grows by one with each `changed` of a socket; one that is not above it is old. */
  seq: z.int().check(z.nonnegative()),
  participants: z
    .array(ParticipantView)
    .check(z.maxLength(LIMITS.participantsPerVisit + LIMITS.audienceShown)),
});
export type VisitView = z.infer<typeof VisitView>;

/** Why a participant is gone. */
export const LeaveReason = z.enum(['left', 'removed', 'denied', 'connection-lost', 'visit-ended']);
export type LeaveReason = z.infer<typeof LeaveReason>;

/** One change of the visit. `participant` carries the participant whole, so that applying it twice is harmless. */
export const VisitChange = z.discriminatedUnion('type', [
  z.object({ type: z.literal('visit'), ...VisitInfo.shape }),
  z.object({ type: z.literal('participant'), participant: ParticipantView }),
  z.object({
    type: z.literal('participant-left'),
    participantId: ParticipantId,
    reason: LeaveReason,
  }),
  z.object({ type: z.literal('invites'), invites }),
  z.object({ type: z.literal('calls'), calls }),
]);
export type VisitChange = z.infer<typeof VisitChange>;
