import * as z from 'zod/mini';
import { ParticipantId, ProducerId, VisitId } from './ids.ts';
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
  'admit',
  'remove',
  'end',
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
export const MAIN_ROOM: Place = 'main';
/** Nobody hears or is heard from here. */
export const HOLD: Place = 'hold';

/** What a participant sends, as others see it. */
export const ProducerView = z.object({
  producerId: ProducerId,
  kind: MediaKind,
  source: MediaSource,
  /** Muted, or camera off: nothing is sent. */
  paused: z.boolean(),
});
export type ProducerView = z.infer<typeof ProducerView>;

/** A participant, as others see them. */
export const ParticipantView = z.object({
  participantId: ParticipantId,
  role: Role,
  name: z.optional(DisplayName),
  lang: z.optional(LanguageTag),
  state: ParticipantState,
  connection: ConnectionState,
  place: Place,
  producers: z.array(ProducerView).check(z.maxLength(LIMITS.producersPerParticipant)),
});
export type ParticipantView = z.infer<typeof ParticipantView>;

/** The visit as one participant may see it. */
export const VisitView = z.object({
  visitId: VisitId,
  kind: VisitKind,
  state: VisitState,
  /** Grows by one with each change of the visit; a `changed` that is not above it is old. */
  seq: z.int().check(z.nonnegative()),
  participants: z.array(ParticipantView).check(z.maxLength(LIMITS.participantsPerVisit)),
});
export type VisitView = z.infer<typeof VisitView>;

/** Why a participant is gone. */
export const LeaveReason = z.enum(['left', 'removed', 'connection-lost', 'visit-ended']);
export type LeaveReason = z.infer<typeof LeaveReason>;

/** One change of the visit. `participant` carries the participant whole, so that applying it twice is harmless. */
export const VisitChange = z.discriminatedUnion('type', [
  z.object({ type: z.literal('visit'), state: VisitState }),
  z.object({ type: z.literal('participant'), participant: ParticipantView }),
  z.object({
    type: z.literal('participant-left'),
    participantId: ParticipantId,
    reason: LeaveReason,
  }),
]);
export type VisitChange = z.infer<typeof VisitChange>;
