import {
  change,
  type Decision,
  idOf,
  type Of,
  refusal,
  refuse,
  swap,
  unchanged,
} from './decision.ts';
import { enter } from './entry.ts';
import { depart } from './presence.ts';
import { BARRED_LIMIT, findPresent, present, type Visit, wasSentAway } from './state.ts';

/** Who may come in, and who may not come back. */

export function admit(visit: Visit, { now, by, participants: ids }: Of<'admit'>): Decision {
  const refused = refusal(visit, by, 'admit');
  if (refused) return refuse(refused);
  const meant = present(visit).filter(({ id }) => ids?.includes(id) ?? true);
  if (ids?.some((id) => !findPresent(visit, id))) return refuse('not-found');
  const waiting = meant.filter(({ state }) => state === 'waiting');
  if (waiting.length === 0) return ids ? refuse('already-admitted') : unchanged(visit);
  const participants = swap(visit, ...waiting.map((each) => enter(each, now)));
  return change(visit, { participants }, []);
}

export function remove(visit: Visit, { now, by, participant: id }: Of<'remove'>): Decision {
  const participant = findPresent(visit, id);
  // The clinic's queue may deny who it may admit.
  const denies = 'staff' in by && participant?.state === 'waiting';
  const refused = refusal(visit, by, 'remove', ...(denies ? (['admit'] as const) : []));
  if (refused) return refuse(refused);
  // Asked again after a failure they may be gone already.
  if (!participant) {
    const earlier = visit.participants.find((each) => each.id === id);
    return earlier && wasSentAway(earlier) ? unchanged(visit) : refuse('not-found');
  }
  const reason = participant.state === 'waiting' ? 'denied' : 'removed';
  const decision = depart(visit, id, reason, now, idOf(by));
  if (!decision.ok) return decision;
  const others = visit.barred?.filter((each) => each.id !== id) ?? [];
  const known = visit.barred?.find((each) => each.id === id)?.tokens ?? [];
  const tokens = [...new Set([...known, ...participant.tokens])].slice(-BARRED_LIMIT);
  const barred = [...others, { id, tokens }].slice(-BARRED_LIMIT);
  const after = { ...decision, visit: { ...decision.visit, barred } };
  const spent = visit.invites?.find((each) => each.id === participant.invite);
  if (!spent) return after;
  // Who was called in may get a fresh token for the same invitation.
  const invites = visit.invites?.map((each) =>
    each === spent ? { ...each, state: 'revoked' as const } : each,
  );
  return {
    ...after,
    visit: { ...after.visit, ...(invites ? { invites } : {}) },
    events: [...after.events, { type: 'invite-revoked', at: now, invite: spent.id, by: idOf(by) }],
  };
}
