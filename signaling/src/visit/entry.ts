import { isAttended, type Participant, type Person, type Visit } from './state.ts';

/** Who has to wait, and how who waited comes in. */

/**
 * Whether this person, who is not in, waits: where they are invited, by their invitation, which somebody in
 * the visit gave; else by the visit's policy.
 */
export function mustWait(
  visit: Visit,
  { grants, invite }: Pick<Person, 'grants' | 'invite'>,
): boolean {
  const invited = visit.invites?.find(({ id }) => id === invite);
  if (invited) return invited.knock;
  const { admission } = visit.policy;
  if (admission === 'auto' || grants.includes('admit')) return false;
  return admission === 'on-admit' || !isAttended(visit);
}

/** Takes part from now on. */
export const enter = (participant: Participant, now: number): Participant => ({
  ...participant,
  state: 'admitted',
  admittedAt: participant.admittedAt ?? now,
});
