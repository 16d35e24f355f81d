import { cancelCall } from './call.ts';
import { type Effect, hearerOf, swap, without } from './decision.ts';
import { microphoneOf, withMicrophonePaused } from './endpoint.ts';
import { enter, mustWait } from './entry.ts';
import {
  admitted,
  findAdmitted,
  isAttended,
  type LedgerEvent,
  mayAttend,
  type Participant,
  present,
  type Visit,
} from './state.ts';

/**
 * What follows from any change, whatever it was: who enters because somebody is there now, what ends
 * because somebody went, who answers for the visit. A state in which all of it holds is left alone.
 */
export function settle(visit: Visit, now: number): Visit {
  if (visit.state === 'ended') return withoutCalls(visit);
  const settled = withResponsible(withoutLoose(withEntries(visit, now)), now);
  // Whoever came would find nobody.
  return present(settled).length === 0 ? withoutCalls(settled) : settled;
}

/** Who may be in is in, and with the first of them the visit is under way. */
function withEntries(visit: Visit, now: number): Visit {
  const entering = visit.participants.filter((each) =>
    each.state === 'waiting' ? !mustWait(visit, each) : isNew(visit, each),
  );
  if (entering.length === 0) return visit;
  const participants = swap(visit, ...entering.map((each) => enter(each, now)));
  const after: Visit =
    visit.state === 'open'
      ? { ...visit, participants, state: 'active', startedAt: now }
      : { ...visit, participants };
  // One of them may be whom others waited for.
  return withEntries(after, now);
}

const isNew = (visit: Visit, { state, admittedAt }: Participant): boolean =>
  state === 'admitted' && (admittedAt === undefined || visit.state === 'open');

/**
 * Nobody whispers to somebody who does not hear them, and nobody has the turn who is not there to take it.
 * What was meant for one goes to nobody then: the microphone is paused. Who has none open yet may open it
 * at any time, so that their whisper ends only then.
 */
function withoutLoose(visit: Visit): Visit {
  const loose = admitted(visit).filter((each) => {
    if (each.whisperTo === undefined || !microphoneOf(each)) return false;
    return !hearerOf(visit, each, each.whisperTo) || !each.grants.includes('whisper');
  });
  const after =
    loose.length === 0
      ? visit
      : {
          ...visit,
          participants: swap(
            visit,
            ...loose.map((each) => without(withMicrophonePaused(each), 'whisperTo')),
          ),
        };
  const turns = after.turns?.filter((id) => findAdmitted(after, id)?.grants.includes('interpret'));
  if (turns?.length === after.turns?.length) return after;
  return turns && turns.length > 0 ? { ...after, turns } : without(after, 'turns');
}

/** What follows from the whispers that `settle` ended: to be recorded, done at the node, and told. */
export function whispersEnded(
  before: Visit,
  settled: Visit,
  now: number,
): { events: LedgerEvent[]; effects: Effect[] } {
  const events: LedgerEvent[] = [];
  const effects: Effect[] = [];
  if (before === settled) return { events, effects };
  for (const was of admitted(before)) {
    const { id: participant, whisperTo: to } = was;
    if (to === undefined) continue;
    const after = findAdmitted(settled, participant);
    if (!after || after.whisperTo !== undefined) continue;
    const live = microphoneOf(was);
    if (live && !live.paused) {
      const reason = 'whisper-ended';
      events.push({ type: 'producer-paused', at: now, participant, source: live.source, reason });
      effects.push({ type: 'pause-producer', producer: live.id, paused: true });
    }
    effects.push({ type: 'tell', to: [participant], event: 'whisper-ended', payload: { to } });
  }
  return { events, effects };
}

/**
 * Somebody answers for the visit while anybody who may is in it; while none of them is there it is
 * unattended, since the moment in which the last one went. A responsibility that passed on otherwise is
 * not on offer any more.
 */
function withResponsible(visit: Visit, now: number): Visit {
  const able = visit.participants.filter(mayAttend);
  const responsible = (
    able.find(({ id }) => id === visit.responsible) ??
    able.find(({ connection }) => connection === 'connected') ??
    able[0]
  )?.id;
  const { unattendedSince } = visit;
  const wasAttended = visit.responsible !== undefined || responsible !== undefined;
  const unattended =
    visit.state === 'active' &&
    !isAttended(visit) &&
    (unattendedSince !== undefined || wasAttended);
  const { handOver } = visit;
  const stands =
    handOver?.from === responsible &&
    able.some(({ id }) => id === handOver?.to && id !== responsible);
  return {
    ...without(visit, 'responsible', 'unattendedSince', 'handOver'),
    ...(responsible === undefined ? {} : { responsible }),
    ...(handOver && stands ? { handOver } : {}),
    ...(unattended ? { unattendedSince: unattendedSince ?? now } : {}),
  };
}

function withoutCalls(visit: Visit): Visit {
  return visit.calls?.some(({ state }) => state === 'ringing')
    ? { ...visit, calls: visit.calls.map(cancelCall) }
    : visit;
}
