import { HOLD } from '@bedside/protocol';
import { enter } from './admission.ts';
import { cancelCall } from './call.ts';
import { type Command, type Decision, swap, without } from './decision.ts';
import { privacyEvents } from './places.ts';
import {
  admitted,
  findPresent,
  isAttended,
  type LedgerEvent,
  mayAttend,
  type Participant,
  type Visit,
} from './state.ts';

/**
 * What follows from any change, whatever it was: who answers for the visit, who enters because somebody
 * is there now, what ends because somebody went. Each rule leaves a state alone in which it holds.
 */
export function settle(
  before: Visit,
  decision: Extract<Decision, { ok: true }>,
  command: Command,
): Extract<Decision, { ok: true }> {
  if (decision.visit === before) return decision;
  const { now } = command;
  const events: LedgerEvent[] = [];
  let visit = decision.visit;
  if (visit.state !== 'ended') {
    visit = withEntries(visit, now, events);
    visit = withoutLoose(visit, now, events);
    visit = withResponsible(visit, now, events);
  } else {
    visit = withoutCalls(visit);
  }
  events.push(
    ...privacyEvents(before, visit, now, command.type === 'move' ? command.by : undefined),
  );
  return {
    ok: true,
    visit,
    events: [...decision.events, ...events],
    effects: decision.effects,
  };
}

/** Who may be in is in, and with the first of them the visit is under way. */
function withEntries(visit: Visit, now: number, events: LedgerEvent[]): Visit {
  const entering = visit.participants.filter((each) => mayEnter(visit, each));
  if (entering.length === 0) return visit;
  // Who was admitted by somebody is in the ledger already.
  for (const { id, role, state, admittedAt } of entering)
    if (state === 'waiting' || admittedAt === undefined)
      events.push({ type: 'participant-admitted', at: now, participant: id, role });
  const participants = swap(visit, ...entering.map((each) => enter(each, now)));
  if (visit.state !== 'open') return { ...visit, participants };
  events.push({ type: 'visit-started', at: now });
  return { ...visit, participants, state: 'active', startedAt: now };
}

function mayEnter(visit: Visit, each: Participant): boolean {
  if (each.state === 'admitted') return each.admittedAt === undefined || visit.state === 'open';
  if (each.state !== 'waiting' || visit.policy.admission !== 'when-attended') return false;
  const knocks = visit.invites?.some(({ id, knock }) => id === each.invite && knock) ?? false;
  return isAttended(visit) && !knocks;
}

/** What points to somebody who is gone, or no more in the same place, points nowhere. */
function withoutLoose(visit: Visit, now: number, events: LedgerEvent[]): Visit {
  let after = visit;
  const whispering = admitted(visit).filter(({ whisperTo, place, grants }) => {
    if (whisperTo === undefined) return false;
    const to = findPresent(visit, whisperTo);
    return (
      to?.state !== 'admitted' ||
      to.place !== place ||
      place === HOLD ||
      !grants.includes('whisper')
    );
  });
  if (whispering.length > 0) {
    for (const { id } of whispering)
      events.push({ type: 'whisper-ended', at: now, participant: id });
    after = {
      ...after,
      participants: swap(after, ...whispering.map((each) => without(each, 'whisperTo'))),
    };
  }
  const { handOver, turns } = after;
  if (handOver) {
    const to = findPresent(after, handOver.to);
    if (!to || !mayAttend(to) || handOver.to === after.responsible)
      after = without(after, 'handOver');
  }
  const present = turns?.filter((id) => {
    const participant = findPresent(after, id);
    return participant?.state === 'admitted' && participant.grants.includes('interpret');
  });
  if (present && present.length !== turns?.length)
    after = present.length > 0 ? { ...after, turns: present } : without(after, 'turns');
  return after;
}

/** Somebody answers for the visit while anybody who may is in it; else it is unattended since they went. */
function withResponsible(visit: Visit, now: number, events: LedgerEvent[]): Visit {
  const able = admitted(visit).filter(mayAttend);
  const responsible =
    able.find(({ id }) => id === visit.responsible) ??
    able.find(({ connection }) => connection === 'connected') ??
    able[0];
  let after = visit;
  if (responsible && responsible.id !== visit.responsible) {
    after = { ...after, responsible: responsible.id };
    events.push({ type: 'responsible-changed', at: now, participant: responsible.id });
  } else if (!responsible && visit.responsible !== undefined) {
    after = without(after, 'responsible');
  }
  if (isAttended(after)) {
    if (after.unattendedSince !== undefined) after = without(after, 'unattendedSince');
  } else if (
    after.unattendedSince === undefined &&
    (visit.responsible !== undefined || responsible !== undefined) &&
    visit.state === 'active'
  ) {
    after = { ...after, unattendedSince: now };
    events.push({ type: 'unattended', at: now });
  }
  return after;
}

function withoutCalls(visit: Visit): Visit {
  return visit.calls?.some(({ state }) => state === 'ringing')
    ? { ...visit, calls: visit.calls.map(cancelCall) }
    : visit;
}
