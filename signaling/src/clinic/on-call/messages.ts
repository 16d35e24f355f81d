import { CallId, Need, ParticipantId, RingEndReason, Role, VisitKind } from '@bedside/protocol';
import * as z from 'zod/mini';
import { RUNG_LIMIT } from './matching.ts';

/**
 * What gateways tell each other about a clinic's calls. Each is a hint: what Redis keeps is looked at
 * again from time to time, so that one that is lost delays and spoils nothing.
 */
export const OnCallMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ring'),
    call: CallId,
    /** Of the group: the same again is no news. */
    index: z.int(),
    role: Role,
    kind: VisitKind,
    /** For how long the group rings on, milliseconds: clocks of gateways differ. */
    forMs: z.int(),
    people: z.array(z.object({ person: ParticipantId, need: Need })).check(z.maxLength(RUNG_LIMIT)),
  }),
  z.object({ type: z.literal('accepted'), call: CallId, by: ParticipantId }),
  z.object({ type: z.literal('declined'), call: CallId, by: ParticipantId }),
  z.object({ type: z.literal('over'), call: CallId, reason: RingEndReason }),
  /** Who is on call, or who of them is busy, has changed. */
  z.object({ type: z.literal('people') }),
]);
export type OnCallMessage = z.infer<typeof OnCallMessage>;

/** Undefined where it is none of ours: another version's. */
export function readMessage(text: string): OnCallMessage | undefined {
  try {
    return OnCallMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
