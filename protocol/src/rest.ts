import * as z from 'zod/mini';
import type { ErrorCode } from './errors.ts';
import { ParticipantId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { ConnectionState, ParticipantState, Role, VisitKind, VisitState } from './visit.ts';

/** Body of `POST /v1/visits`. */
export const CreateVisit = z.object({
  /** The portal's own id for the visit; opaque, no person or record in it. */
  visit: VisitId,
  kind: z._default(VisitKind, 'visit'),
});
export type CreateVisit = z.infer<typeof CreateVisit>;

const time = z.iso.datetime().check(z.maxLength(32));
const text = z.string().check(z.maxLength(512));
const code = z.string().check(z.maxLength(64));

/** A visit as `/v1` shows it: no names. Times are ISO 8601 in UTC. */
export const VisitResource = z.object({
  visit: VisitId,
  kind: VisitKind,
  state: VisitState,
  createdAt: time,
  startedAt: z.optional(time),
  endedAt: z.optional(time),
  /** Who takes part, and who has left last. */
  participants: z
    .array(
      z.object({
        participant: ParticipantId,
        role: Role,
        state: ParticipantState,
        connection: ConnectionState,
      }),
    )
    .check(z.maxLength(LIMITS.participantsPerVisit + LIMITS.departedParticipants)),
});
export type VisitResource = z.infer<typeof VisitResource>;

/** What requests to `/v1` are refused with. */
export const REST_ERRORS = [
  'unauthorized',
  'invalid-request',
  'not-found',
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
