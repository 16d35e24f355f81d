import { HOLD, type ParticipantId } from '@bedside/protocol';
import { isAudience, ofAudience } from './audience.ts';
import { type Command, idOf } from './decision.ts';
import { roomsOf } from './places.ts';
import { admitted, findPresent, type LedgerEvent, type Visit } from './state.ts';

/**
 * What the record says of a change, from the two states alone, so that no cause of it can be forgotten:
 * who came in, who answers for the visit, and every beginning, change and end of hold, privacy and
 * whispers. These alone prove who could hear whom.
 */
export function recordOf(before: Visit, after: Visit, command: Command): LedgerEvent[] {
  const given = 'by' in command && typeof command.by === 'object' ? { by: idOf(command.by) } : {};
  return [
    ...(before.startedAt === after.startedAt ? [] : [{ type: 'visit-started' } as const]),
    ...entries(before, after).map((event) => ({ ...event, ...given })),
    ...responsibility(before, after),
    ...callsEnded(before, after),
    ...holds(before, after).map((event) => ({ ...event, ...given })),
    ...rooms(before, after).map((event) => ({ ...event, ...given })),
    ...whispers(before, after),
  ].map((event) => ({ ...event, at: command.now }));
}

type Untimed = Omit<LedgerEvent, 'at'>;

function entries(before: Visit, after: Visit): Untimed[] {
  return after.participants.flatMap((each): Untimed[] => {
    const { id: participant, role, state } = each;
    const was = findPresent(before, participant);
    const [listened, listens] = [was && isAudience(before, was), isAudience(after, each)];
    const type = state === 'admitted' ? 'participant-admitted' : 'participant-waiting';
    const coming: Untimed = { type, ...ofAudience(listens), participant, role };
    if (state === 'left') return [];
    if (state !== was?.state) return [coming];
    if (state === 'waiting' || listened === listens) return [];
    // From the audience to those who take part, or back: they leave the one to be in the other.
    return [{ type: 'participant-left', ...ofAudience(listened), participant, role }, coming];
  });
}

function responsibility(before: Visit, after: Visit): Untimed[] {
  const events: Untimed[] = [];
  if (after.responsible !== undefined && after.responsible !== before.responsible)
    events.push({ type: 'responsible-changed', participant: after.responsible });
  // Who is there, and may answer for it no more: nobody does.
  if (after.responsible === undefined && before.responsible !== undefined) {
    if (findPresent(after, before.responsible)) events.push({ type: 'responsible-changed' });
  }
  if (before.unattendedSince === undefined && after.unattendedSince !== undefined)
    events.push({ type: 'unattended' });
  return events;
}

function callsEnded(before: Visit, after: Visit): Untimed[] {
  return (after.calls ?? []).flatMap(({ id, state }): Untimed[] => {
    const was = before.calls?.find((each) => each.id === id)?.state;
    return state === 'ringing' || state === was
      ? []
      : [{ type: 'call-ended', call: id, reason: state }];
  });
}

function holds(before: Visit, after: Visit): Untimed[] {
  const held = (visit: Visit) =>
    admitted(visit).flatMap(({ id, place }) => (place === HOLD ? [id] : []));
  const [were, are] = [held(before), held(after)];
  const those = (type: LedgerEvent['type'], some: typeof were, others: typeof were): Untimed[] =>
    some.flatMap((participant) => (others.includes(participant) ? [] : [{ type, participant }]));
  return [...those('hold-ended', were, are), ...those('hold-started', are, were)];
}

function rooms(before: Visit, after: Visit): Untimed[] {
  const [were, are] = [roomsOf(before), roomsOf(after)];
  const events: Untimed[] = [];
  for (const [place, participants] of were)
    if (!are.has(place)) events.push({ type: 'privacy-ended', place, participants });
  for (const [place, participants] of are) {
    const members = were.get(place);
    if (!members) events.push({ type: 'privacy-started', place, participants });
    else if (!sameMembers(members, participants))
      events.push({ type: 'privacy-changed', place, participants });
  }
  return events;
}

function whispers(before: Visit, after: Visit): Untimed[] {
  const pairs = (visit: Visit) =>
    new Map(admitted(visit).flatMap(({ id, whisperTo }) => (whisperTo ? [[id, whisperTo]] : [])));
  const [were, are] = [pairs(before), pairs(after)];
  const those = (type: LedgerEvent['type'], some: typeof were, others: typeof were): Untimed[] =>
    [...some]
      .filter(([id, to]) => others.get(id) !== to)
      .map(([participant, to]) => ({ type, participant, participants: [to] }));
  return [...those('whisper-ended', were, are), ...those('whisper-started', are, were)];
}

const sameMembers = (some: readonly ParticipantId[], others: readonly ParticipantId[]): boolean =>
  some.length === others.length && some.every((id) => others.includes(id));
