import {
  change,
  type Decision,
  giverOf,
  idOf,
  type Of,
  permit,
  refusal,
  refuse,
  unchanged,
  without,
} from './decision.ts';
import { findPresent, mayAttend, type Visit } from './state.ts';

/** Who answers for the visit, and how that passes on. */

export function handOver(visit: Visit, { now, by, to }: Of<'hand-over'>): Decision {
  const { giver, refused } = permit(visit, by);
  if (!giver) return refuse(refused);
  if (giver.id !== visit.responsible && !giver.grants.includes('hand-over'))
    return refuse('forbidden');
  if (to === null)
    return visit.handOver ? change(without(visit, 'handOver'), {}, []) : unchanged(visit);
  const receiver = findPresent(visit, to);
  if (!receiver) return refuse('not-found');
  if (!mayAttend(receiver)) return refuse('forbidden');
  // Nobody takes it by their own offer.
  if (receiver === giver || receiver.id === visit.responsible) return refuse('conflict');
  const offer = { from: visit.responsible ?? giver.id, to };
  if (visit.handOver?.from === offer.from && visit.handOver.to === to) return unchanged(visit);
  return change(visit, { handOver: offer }, [
    { type: 'hand-over-offered', at: now, participant: to, by: giver.id },
  ]);
}

export function answerHandOver(
  visit: Visit,
  { now, by, accept }: Of<'answer-hand-over'>,
): Decision {
  const giver = giverOf(visit, by);
  if (!giver) return refuse('not-joined');
  if (visit.handOver?.to !== giver.id) return refuse('not-found');
  return change(without(visit, 'handOver'), accept ? { responsible: visit.handOver.to } : {}, [
    {
      type: 'hand-over-answered',
      at: now,
      participant: visit.handOver.to,
      reason: accept ? 'accepted' : 'refused',
    },
  ]);
}

export function reassign(visit: Visit, { now, by, to }: Of<'reassign'>): Decision {
  const refused = refusal(visit, by, 'hand-over');
  if (refused) return refuse(refused);
  if (to === null)
    return visit.offeredTo ? change(without(visit, 'offeredTo'), {}, []) : unchanged(visit);
  if (visit.offeredTo === to || visit.provider === to) return unchanged(visit);
  return change(visit, { offeredTo: to }, [
    { type: 'reassign-offered', at: now, participant: to, by: idOf(by) },
  ]);
}

export function answerReassign(visit: Visit, { now, by, accept }: Of<'answer-reassign'>): Decision {
  const refused = refusal(visit, by, 'admit');
  if (refused) return refuse(refused);
  if (visit.offeredTo === undefined || visit.offeredTo !== idOf(by)) return refuse('not-found');
  return change(without(visit, 'offeredTo'), accept ? { provider: visit.offeredTo } : {}, [
    {
      type: 'reassign-answered',
      at: now,
      participant: visit.offeredTo,
      reason: accept ? 'accepted' : 'refused',
    },
  ]);
}
