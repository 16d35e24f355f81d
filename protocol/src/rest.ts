import * as z from 'zod/mini';
import type { ErrorCode } from './errors.ts';
import { QualityEvidence } from './evidence.ts';
import { ClinicId, ParticipantId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  Admission,
  ConnectionState,
  LeaveReason,
  ParticipantState,
  Role,
  VisitKind,
  VisitState,
} from './visit.ts';

const time = z.iso.datetime().check(z.maxLength(32));
const minutes = (most: number) => z.int().check(z.minimum(1), z.maximum(most));

/** Body of `POST /v1/visits`. A field that there is not is refused: a misspelt one would do nothing. */
export const CreateVisit = z.strictObject({
  /** The portal's own id for the visit; opaque, no person or record in it. */
  visit: VisitId,
  kind: z._default(VisitKind, 'visit'),
  /** Default `auto`. */
  admission: z.optional(Admission),
  /** Whose queue who waits stands in. */
  clinic: z.optional(ClinicId),
  /** Whom who waits waits for: an opaque id of the portal's. */
  provider: z.optional(ParticipantId),
  startsAt: z.optional(time),
  /** Minutes after `startsAt` when who is still missing is reported as a no-show. */
  noShowAfterMinutes: z.optional(minutes(24 * 60)),
  /** Minutes for which a visit goes on with nobody responsible in it, before it ends. Default 15. */
  unattendedMinutes: z.optional(minutes(24 * 60)),
  /** Whether who may admit sees the picture of who waits. */
  preview: z.optional(z.boolean()),
  /** Whether participants may send reactions. Default: in groups and lectures. */
  reactions: z.optional(z.boolean()),
});
export type CreateVisit = z.infer<typeof CreateVisit>;

const text = z.string().check(z.maxLength(512));
const code = z.string().check(z.maxLength(64));

/** A visit as `/v1` shows it: no names. Times are ISO 8601 in UTC. */
export const VisitResource = z.object({
  visit: VisitId,
  kind: VisitKind,
  state: VisitState,
  admission: Admission,
  clinic: z.optional(ClinicId),
  provider: z.optional(ParticipantId),
  createdAt: time,
  startsAt: z.optional(time),
  startedAt: z.optional(time),
  endedAt: z.optional(time),
  /** Who answers for the visit. */
  responsible: z.optional(ParticipantId),
  /** How many are in the audience of a lecture; they are not among the participants. */
  audience: z.optional(z.int().check(z.nonnegative())),
  /** Who takes part, and who has left last. */
  participants: z
    .array(
      z.object({
        participant: ParticipantId,
        role: Role,
        state: ParticipantState,
        connection: ConnectionState,
        joinedAt: time,
        /** Absent for who was never admitted. */
        admittedAt: z.optional(time),
        leftAt: z.optional(time),
        leftReason: z.optional(LeaveReason),
      }),
    )
    .check(z.maxLength(LIMITS.participantsPerVisit + LIMITS.departedParticipants)),
});
export type VisitResource = z.infer<typeof VisitResource>;

/** Body of `PUT /v1/visits/{visit}/wait`: what the clinic shares with who waits. */
export const Wait = z.strictObject({
  /** How many are seen before, 0 for next. */
  ahead: z.optional(z.int().check(z.nonnegative(), z.maximum(10_000))),
  expectedAt: z.optional(time),
});
export type Wait = z.infer<typeof Wait>;

/** One thing that happened in a visit: ids and roles, no names. Fields are there where they apply. */
export const LedgerEntry = z.object({
  type: code,
  at: time,
  /** Of somebody in the audience of a lecture. */
  audience: z.optional(z.literal(true)),
  participant: z.optional(ParticipantId),
  role: z.optional(Role),
  source: z.optional(code),
  reason: z.optional(code),
  /** Who did it to them. */
  by: z.optional(ParticipantId),
  /** The private room. */
  place: z.optional(code),
  /** Everybody in the private room from then on; where it ended, until then. */
  participants: z.optional(z.array(ParticipantId)),
  invite: z.optional(code),
  call: z.optional(code),
});
export type LedgerEntry = z.infer<typeof LedgerEntry>;

/**
 * Answer of `GET /v1/visits/{visit}/events`, the oldest first: the last 10,000 of who was there, where, and
 * could hear whom, and the last 5,000 of anything else.
 */
export const LedgerResource = z.object({ events: z.array(LedgerEntry) });
export type LedgerResource = z.infer<typeof LedgerResource>;

/** Answer of `GET /v1/visits/{visit}/evidence`: how well signed conversations could be seen. */
export const EvidenceResource = z.object({
  evidence: z
    .array(
      z.object({
        /** Whose page measured it. */
        viewer: ParticipantId,
        ...QualityEvidence.shape,
      }),
    )
    .check(z.maxLength(LIMITS.evidencePerVisit)),
});
export type EvidenceResource = z.infer<typeof EvidenceResource>;

/** What requests to `/v1` are refused with. */
export const REST_ERRORS = [
  'unauthorized',
  'invalid-request',
  'not-found',
  'visit-ended',
  'conflict',
  'rate-limited',
  'moved',
  'state-unavailable',
  'shutting-down',
  'deadline',
  'internal',
] as const satisfies readonly ErrorCode[];

/** RFC 9457 problem details; `code` is the registry's, `type` its address in the documentation. */
export const Problem = z.object({
  type: text,
  /** Text for the person, in English. */
  title: text,
  status: z.int(),
  code,
  retryable: z.boolean(),
  /** The first field that is wrong, for `invalid-request`. */
  field: z.optional(text),
});
export type Problem = z.infer<typeof Problem>;
