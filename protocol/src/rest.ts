import * as z from 'zod/mini';
import { VisitId } from './ids.ts';
import { ConnectionState, ParticipantState, Role, VisitKind, VisitState } from './visit.ts';

/** Body of `POST /v1/visits`. */
export const CreateVisit = z.object({
  /** The portal's own id for the visit; opaque, no person or record in it. */
  visit: VisitId,
  kind: z._default(VisitKind, 'visit'),
});
export type CreateVisit = z.infer<typeof CreateVisit>;

/** A visit as `/v1` shows it: no names. Times are ISO 8601 in UTC. */
export const VisitResource = z.object({
  visit: VisitId,
  kind: VisitKind,
  state: VisitState,
  createdAt: z.string(),
  startedAt: z.optional(z.string()),
  endedAt: z.optional(z.string()),
  participants: z.array(
    z.object({
      participant: z.string(),
      role: Role,
      state: ParticipantState,
      connection: ConnectionState,
    }),
  ),
});
export type VisitResource = z.infer<typeof VisitResource>;

/** RFC 9457 problem details; `code` is the registry's, `type` its address in the documentation. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  retryable: z.boolean(),
  field: z.optional(z.string()),
});
export type Problem = z.infer<typeof Problem>;
