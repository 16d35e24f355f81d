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
import { depart } from './presence.ts';
import {
  BARRED_LIMIT,
  findPresent,
  type LedgerEvent,
  type Participant,
  present,
  type Visit,
} from './state.ts';

/** Who may come in, and who may not come back. */

export function admit(visit: Visit, { now, by, participants: ids }: Of<'admit'>): Decision {
  const refused = refusal(visit, by, 'admit');
  if (refused) return refuse(refused);
  const meant = ids
    ? ids.map((id) => findPresent(visit, id))
    : present(visit).filter(({ state }) => state === 'waiting');
  if (meant.includes(undefined)) return refuse('not-found');
  const waiting = meant.filter((each) => each?.state === 'waiting') as Participant[];
  if (waiting.length === 0) return ids ? refuse('already-admitted') : unchanged(visit);
  const events = waiting.map(
    (each): LedgerEvent => ({
      type: 'participant-admitted',
      at: now,
      participant: each.id,
      role: each.role,
      by: idOf(by),
    }),
  );
  return change(
    visit,
    { participants: swap(visit, ...waiting.map((each) => enter(each, now))) },
    events,
  );
}

/** Who waited takes part. */
export const enter = (participant: Participant, now: number): Participant => ({
  ...participant,
  state: 'admitted',
  admittedAt: participant.admittedAt ?? now,
});

export function remove(visit: Visit, { now, by, participant: id }: Of<'remove'>): Decision {
  const refused = refusal(visit, by, 'remove');
  if (refused) return refuse(refused);
  const participant = findPresent(visit, id);
  if (!participant) return refuse('not-found');
  const reason = participant.state === 'waiting' ? 'denied' : 'removed';
  const decision = depart(visit, id, reason, now, idOf(by));
  if (!decision.ok) return decision;
  const others = visit.barred?.filter((each) => each.id !== id) ?? [];
  const known = visit.barred?.find((each) => each.id === id)?.tokens ?? [];
  const barred = [...others, { id, tokens: [...known, ...participant.tokens] }].slice(
    -BARRED_LIMIT,
  );
  return { ...decision, visit: { ...decision.visit, barred } };
}
