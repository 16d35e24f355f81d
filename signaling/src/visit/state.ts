import {
  Admission,
  type CallId,
  ClinicId,
  ConnectionState,
  type CreateVisit,
  DisplayName,
  Grant,
  HandOver,
  HOLD,
  Hold,
  InterpretingMode,
  InviteId,
  isSigned,
  LanguageTag,
  LanguageTags,
  LeaveReason,
  LIMITS,
  MediaKind,
  MediaSource,
  Message,
  NodeId,
  ParticipantId,
  ParticipantState,
  PeerId,
  Place,
  ProducerId,
  QualityEvidence,
  QualityMeasure,
  RequestId,
  Role,
  TenantId,
  VisitId,
  VisitKind,
  VisitState,
} from '@bedside/protocol';
import * as z from 'zod/mini';
import { Call } from './call.ts';

/**
 * A visit as the gateway knows it, and as Redis keeps it: one declaration for both, so that what is
 * read back is checked by the schema that the types come from. Times are milliseconds since 1970.
 * What only the node can say (transports, consumers) is not here: the node describes it.
 */

/** Where media runs. Another boot of the same node has none of it. */
export const Media = z.object({ node: NodeId, bootId: z.string() });
export type Media = z.infer<typeof Media>;

export const Producer = z.object({
  id: ProducerId,
  kind: MediaKind,
  source: MediaSource,
  paused: z.boolean(),
  /** The request that opened it: the same one again, even after a restart, is the same producer. */
  request: RequestId,
});
export type Producer = z.infer<typeof Producer>;

/** Both transports of one joined page, and what it sends. */
export const Endpoint = z.object({
  peer: PeerId,
  /** The `join` that opened it: the same one again is answered with the same peer. */
  request: RequestId,
  producers: z.array(Producer).check(z.maxLength(LIMITS.producersPerParticipant)),
  /** Where it is, if not at the visit's home. */
  at: z.optional(Media),
});
export type Endpoint = z.infer<typeof Endpoint>;

/** Tokens of a participant that are remembered. Older ones have expired: a token is renewed when it is about to. */
export const TOKENS_LIMIT = 16;

/** Those of a later version are passed over: who has them has them there. */
const Grants = z.pipe(
  z.array(z.string()),
  z.transform((grants) => grants.filter((grant): grant is Grant => Grant.safeParse(grant).success)),
);

export const Participant = z.object({
  id: ParticipantId,
  role: Role,
  name: z.optional(DisplayName),
  lang: z.optional(LanguageTag),
  grants: Grants,
  state: ParticipantState,
  connection: ConnectionState,
  place: Place,
  /** While `place` is `hold`. */
  hold: z.optional(Hold),
  speaks: z.optional(LanguageTags),
  hears: z.optional(LanguageTags),
  signs: z.optional(z.boolean()),
  duckDb: z.optional(z.number()),
  handRaisedAt: z.optional(z.int()),
  /** Their microphone goes to this participant alone. */
  whisperTo: z.optional(ParticipantId),
  /** Hashes of the tokens that they have shown, newest last: none of them is good after a removal. */
  tokens: z._default(z.array(z.string()).check(z.maxLength(TOKENS_LIMIT)), []),
  /** The invitation that they came with. */
  invite: z.optional(InviteId),
  /** SHA-256 of the session id, base64url: who holds the id may resume; Redis alone may not. */
  session: z.string(),
  endpoint: z.optional(Endpoint),
  /** What is spent of their allowances. */
  comings: z.optional(z.int()),
  whispers: z.optional(z.int()),
  joinedAt: z.int(),
  admittedAt: z.optional(z.int()),
  leftAt: z.optional(z.int()),
  leftReason: z.optional(LeaveReason),
});
export type Participant = z.infer<typeof Participant>;

/** What the portal decided when it made the visit. Times in milliseconds. */
export const Policy = z.object({
  admission: Admission,
  clinic: z.optional(ClinicId),
  startsAt: z.optional(z.int()),
  noShowAfterMs: z.optional(z.int()),
  unattendedMs: z.int(),
  preview: z.boolean(),
  reactions: z.boolean(),
});
export type Policy = z.infer<typeof Policy>;

export const Invite = z.object({
  id: InviteId,
  role: Role,
  name: z.optional(DisplayName),
  knock: z.boolean(),
  by: ParticipantId,
  /** Who accepted the call that it is of. */
  for: z.optional(ParticipantId),
  /** Until when it can be used. */
  expiresAt: z.int(),
  state: z.enum(['open', 'used', 'revoked']),
  /** Hash of the session that uses it: no other page may. */
  session: z.optional(z.string()),
});
export type Invite = z.infer<typeof Invite>;

/** Who was removed, with the hashes of the tokens that are good for nothing any more. */
export const Barred = z.object({ id: ParticipantId, tokens: z.array(z.string()) });
export type Barred = z.infer<typeof Barred>;

/** What a viewer's page measured of one participant's protected pictures. */
export const Evidence = z.object({ viewer: ParticipantId, ...QualityEvidence.shape });
export type Evidence = z.infer<typeof Evidence>;

/** What one viewer sees too badly now. */
export const Breaches = z.object({
  viewer: ParticipantId,
  /** Of the page that said so. */
  session: z.string(),
  bad: z.array(z.object({ participantId: ParticipantId, what: QualityMeasure })),
  /** How often this viewer said that it is otherwise now. */
  said: z.int(),
});
export type Breaches = z.infer<typeof Breaches>;

/** Removed participants that are remembered, newest last. */
export const BARRED_LIMIT = 64;

/** For how long a visit goes on with nobody responsible, where the portal says nothing. */
const UNATTENDED_MS = 15 * 60_000;
/** Of a visit that a token alone made. Where a snapshot of the version before lacks it, of that, too. */
const DEFAULT_POLICY: Policy = {
  admission: 'auto',
  unattendedMs: UNATTENDED_MS,
  preview: false,
  reactions: false,
};

/** Participants that are gone and still listed, newest last. */
export const DEPARTED_LIMIT = LIMITS.departedParticipants;
/** Of a lecture's audience. */
export const DEPARTED_AUDIENCE_LIMIT = 32;

export const Visit = z.object({
  tenant: TenantId,
  visit: VisitId,
  kind: VisitKind,
  state: VisitState,
  /** Grows by one with each change. */
  seq: z.int().check(z.nonnegative()),
  createdAt: z.int(),
  startedAt: z.optional(z.int()),
  endedAt: z.optional(z.int()),
  /** Its home. */
  media: z.optional(Media),
  /** Where it is about to go. */
  arriving: z.optional(Media),
  policy: z._default(Policy, DEFAULT_POLICY),
  /** Whom who waits waits for. */
  provider: z.optional(ParticipantId),
  /** The colleague to whom who waits is offered. */
  offeredTo: z.optional(ParticipantId),
  responsible: z.optional(ParticipantId),
  unattendedSince: z.optional(z.int()),
  handOver: z.optional(HandOver),
  interpreting: z._default(InterpretingMode, 'simultaneous'),
  /** Interpreters in the order in which they last took the turn, newest first. */
  turns: z.optional(z.array(ParticipantId)),
  wait: z.optional(z.object({ ahead: z.optional(z.int()), expectedAt: z.optional(z.int()) })),
  invites: z.optional(z.array(Invite)),
  calls: z.optional(z.array(Call)),
  barred: z.optional(z.array(Barred)),
  /** Messages so far; the last one's number. */
  messages: z.optional(z.int()),
  /** Requests of the last minute that changed something, by a name that no other has, oldest first. */
  done: z.optional(z.array(z.object({ request: z.string(), at: z.int() }))),
  /** What pages measured of signed conversations, by viewer. */
  evidence: z.optional(z.array(Evidence)),
  breaches: z.optional(z.array(Breaches)),
  /** Who was reported as a no-show. */
  noShows: z.optional(z.array(Role)),
  participants: z
    .array(Participant)
    .check(
      z.maxLength(
        LIMITS.participantsPerVisit +
          LIMITS.audiencePerVisit +
          DEPARTED_LIMIT +
          DEPARTED_AUDIENCE_LIMIT,
      ),
    ),
});
export type Visit = z.infer<typeof Visit>;

/** Who a command speaks for: the token's claims, with the grants worked out. */
export interface Person {
  id: ParticipantId;
  role: Role;
  name?: string | undefined;
  lang?: LanguageTag | undefined;
  grants: readonly Grant[];
  /** Hash of the token's id. */
  token: string;
  /** The invitation that the token is for. */
  invite?: InviteId | undefined;
}

/** A message with whom it is for: the sender, and those who were there. */
export const Said = z.object({
  message: Message,
  audience: z.array(ParticipantId),
  /** For the audience of the lecture, too, as it was then, but these. */
  listeners: z.optional(z.object({ except: z.array(ParticipantId) })),
  /** Of the request that said it: the same one again, even after a restart, says nothing more. */
  request: z.optional(z.string()),
});
export type Said = z.infer<typeof Said>;

/** What happened, for the ledger: opaque ids and roles, never names. */
export interface LedgerEvent {
  type:
    | 'visit-created'
    | 'visit-started'
    | 'visit-ended'
    | 'participant-admitted'
    | 'participant-waiting'
    | 'participant-replaced'
    | 'participant-reconnecting'
    | 'participant-reconnected'
    | 'participant-left'
    | 'no-show'
    | 'producer-opened'
    | 'producer-paused'
    | 'producer-resumed'
    | 'producer-closed'
    | 'media-placed'
    | 'media-lost'
    | 'responsible-changed'
    | 'unattended'
    | 'hold-started'
    | 'hold-ended'
    | 'privacy-started'
    | 'privacy-changed'
    | 'privacy-ended'
    | 'whisper-started'
    | 'whisper-ended'
    | 'invited'
    | 'invite-used'
    | 'invite-revoked'
    | 'called'
    | 'call-ended'
    | 'hand-over-offered'
    | 'hand-over-answered'
    | 'reassign-offered'
    | 'reassign-answered'
    | 'interpreting-changed'
    | 'quality-breached'
    | 'quality-restored';
  /** Milliseconds since 1970. */
  at: number;
  /** Of somebody in the audience of a lecture. */
  audience?: true;
  participant?: ParticipantId;
  role?: Role;
  source?: MediaSource;
  reason?:
    | QualityMeasure
    | LeaveReason
    | 'whisper-ended'
    | 'unattended'
    | 'accepted'
    | 'refused'
    | 'unanswered'
    | 'cancelled';
  /** Who did it to them. */
  by?: ParticipantId;
  /** The private room. */
  place?: Place;
  /** Everybody who is in the private room from now on, or was until now. */
  participants?: ParticipantId[];
  invite?: InviteId;
  call?: CallId;
}

/** A visit that nobody has come to yet. */
export function newVisit(tenant: TenantId, visit: VisitId, now: number, as: VisitPlan = {}): Visit {
  const kind = as.kind ?? 'visit';
  return {
    tenant,
    visit,
    kind,
    state: 'open',
    seq: 0,
    createdAt: now,
    policy: {
      admission: as.admission ?? 'auto',
      ...(as.clinic === undefined ? {} : { clinic: as.clinic }),
      ...(as.startsAt === undefined ? {} : { startsAt: Date.parse(as.startsAt) }),
      ...(as.noShowAfterMinutes === undefined
        ? {}
        : { noShowAfterMs: as.noShowAfterMinutes * 60_000 }),
      unattendedMs:
        as.unattendedMinutes === undefined ? UNATTENDED_MS : as.unattendedMinutes * 60_000,
      preview: as.preview ?? false,
      reactions: as.reactions ?? (kind === 'group' || kind === 'lecture'),
    },
    ...(as.provider === undefined ? {} : { provider: as.provider }),
    interpreting: 'simultaneous',
    participants: [],
  };
}

/** What the portal says of a visit when it makes it. */
export type VisitPlan = Partial<Omit<CreateVisit, 'visit'>>;

/** Each list of participants by id: made when first asked for, since a list never changes. */
const indexes = new WeakMap<readonly Participant[], ReadonlyMap<ParticipantId, Participant>>();

/** The participant of that id, also where they have left. */
export function find({ participants }: Visit, id: ParticipantId): Participant | undefined {
  let index = indexes.get(participants);
  if (!index) {
    index = new Map(participants.map((each) => [each.id, each]));
    indexes.set(participants, index);
  }
  return index.get(id);
}

/** The participant of that id who has not left. */
export function findPresent(visit: Visit, id: ParticipantId): Participant | undefined {
  const participant = find(visit, id);
  return participant?.state === 'left' ? undefined : participant;
}

/** The participant of that id, where they take part. */
export function findAdmitted(visit: Visit, id: ParticipantId): Participant | undefined {
  const participant = findPresent(visit, id);
  return participant?.state === 'admitted' ? participant : undefined;
}

export function present(visit: Visit): Participant[] {
  return visit.participants.filter((participant) => participant.state !== 'left');
}

/** Whether somebody who may removed them, or let them not in. */
export const wasSentAway = ({ leftReason }: Participant): boolean =>
  leftReason === 'removed' || leftReason === 'denied';

/** Those who take part. */
export function admitted(visit: Visit): Participant[] {
  return visit.participants.filter((participant) => participant.state === 'admitted');
}

/** Whether these two hear each other: in one place, which hold is not. */
export const areTogether = (one: Participant, other: Participant): boolean =>
  one.place === other.place && one.place !== HOLD;

/** Who may answer for the visit. */
export const mayAttend = (participant: Participant): boolean =>
  participant.state === 'admitted' && participant.grants.includes('admit');

/** Whether somebody who may answer for the visit is there now. */
export function isAttended(visit: Visit): boolean {
  return visit.participants.some((each) => mayAttend(each) && each.connection === 'connected');
}

/** What somebody speaks, as far as it is known; the preferred language first. */
export function speaksOf({ speaks, lang }: Participant): readonly LanguageTag[] {
  return speaks ?? (lang === undefined ? [] : [lang]);
}

/** What somebody follows, as far as it is known. */
export function hearsOf(participant: Participant): readonly LanguageTag[] {
  return participant.hears ?? speaksOf(participant);
}

/** Whether the picture is their voice; an interpreter's is not. */
export function signsOf(participant: Participant): boolean {
  if (participant.grants.includes('interpret')) return false;
  return participant.signs ?? speaksOf(participant).some(isSigned);
}
