import { CallId, LIMITS, Need, ParticipantId, Role } from '@bedside/protocol';
import * as z from 'zod/mini';

/**
 * A call for somebody who is on call, as a part of the visit: without clock and I/O.
 *
 * `decide` begins one by `startCall`, and replaces it by what `cancelCall`, `acceptCall` and
 * `exhaustCall` return; the same object means that nothing changed. Nothing more is to be carried
 * out: the CallDesk (ports.ts) follows the visit's calls, rings and stops ringing as they say, and
 * tells by its signals who accepted, and when nobody of a group is left to ask. That the time of a
 * group is over is a deadline of the visit.
 */
export const Call = z.object({
  id: CallId,
  /** Who called. */
  by: ParticipantId,
  /** In which who accepts comes. */
  role: Role,
  groups: z.array(Need).check(z.minLength(1), z.maxLength(LIMITS.callGroups)),
  /** The group that was reached; who fits one before it is rung on. */
  index: z.int().check(z.nonnegative(), z.maximum(LIMITS.callGroups - 1)),
  /** For how long each group rings, milliseconds. */
  ringMs: z.int(),
  /** Until when the present group rings, milliseconds since 1970. */
  until: z.int(),
  state: z.enum(['ringing', 'accepted', 'unanswered', 'cancelled']),
  /** Who comes; they show a token whose `invite` is the call's id. */
  acceptedBy: z.optional(ParticipantId),
});
export type Call = z.infer<typeof Call>;

/** Rings its first group. `now` in milliseconds since 1970. */
export function startCall(
  order: Pick<Call, 'id' | 'by' | 'role' | 'groups' | 'ringMs'>,
  now: number,
): Call {
  return { ...order, index: 0, until: now + order.ringMs, state: 'ringing' };
}

/** Who called thought better of it, or the visit ended. */
export function cancelCall(call: Call): Call {
  return call.state === 'ringing' ? { ...call, state: 'cancelled' } : call;
}

/** The first one counts; so does who accepted in the moment in which the call was given up, since they hold a token for the visit. */
export function acceptCall(call: Call, person: ParticipantId): Call {
  return call.state === 'ringing' || call.state === 'unanswered'
    ? { ...call, state: 'accepted', acceptedBy: person }
    : call;
}

/** Nobody of the group `index` is left to ask: the next group rings, or there is none. */
export function exhaustCall(call: Call, index: number, now: number): Call {
  if (call.state !== 'ringing' || call.index !== index) return call;
  const next = index + 1;
  return next < call.groups.length
    ? { ...call, index: next, until: now + call.ringMs }
    : { ...call, state: 'unanswered' };
}
