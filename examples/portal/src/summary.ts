import type { LedgerEntry, ParticipantId, Role, VisitResource } from '@bedside/protocol';

/** From when to when, ISO 8601 in UTC; it still goes on where `to` is absent. */
export interface Period {
  from: string;
  to?: string;
}

export interface Attendance {
  person: ParticipantId;
  role: Role;
  /** Times in the waiting room. */
  waits: Period[];
  /** Times in the visit. */
  stays: Period[];
  holds: Period[];
  /** Who admitted them, the first time. */
  admittedBy?: ParticipantId;
  /** Why they were gone, the last time. */
  leftReason?: string;
}

/** What the record of a visit says of its times: who, when, and who could hear whom. */
export interface Summary {
  state: VisitResource['state'];
  /** From the first who was in it to its end. */
  time?: Period;
  people: Attendance[];
  /** Private talks, each with everybody who was in it; another one begins when somebody comes or goes. */
  talks: (Period & { people: ParticipantId[] })[];
}

/** Pure. The events come with the oldest first, as `/v1` gives them. */
export function summarise(visit: VisitResource, events: readonly LedgerEntry[]): Summary {
  const { state, startedAt, endedAt } = visit;
  return {
    state,
    ...(startedAt === undefined ? {} : { time: period(startedAt, endedAt) }),
    people: visit.participants.map(({ participant, role, leftReason }) => {
      const own = events.filter((event) => event.participant === participant);
      const admittedBy = own.find(({ type }) => type === 'participant-admitted')?.by;
      return {
        person: participant,
        role,
        waits: periods(own, 'participant-waiting', ['participant-admitted', LEFT], endedAt),
        stays: periods(own, 'participant-admitted', [LEFT], endedAt),
        holds: periods(own, 'hold-started', ['hold-ended', LEFT], endedAt),
        ...(admittedBy === undefined ? {} : { admittedBy }),
        ...(leftReason === undefined ? {} : { leftReason }),
      };
    }),
    talks: talks(events, endedAt),
  };
}

const LEFT = 'participant-left';

function periods(
  events: readonly LedgerEntry[],
  start: string,
  ends: readonly string[],
  endOfVisit: string | undefined,
): Period[] {
  const found: Period[] = [];
  let from: string | undefined;
  for (const { type, at } of events) {
    if (type === start) {
      from ??= at;
    } else if (from !== undefined && ends.includes(type)) {
      found.push({ from, to: at });
      from = undefined;
    }
  }
  if (from !== undefined) found.push(period(from, endOfVisit));
  return found;
}

function talks(events: readonly LedgerEntry[], endOfVisit: string | undefined): Summary['talks'] {
  const found: Summary['talks'] = [];
  const open = new Map<string, { from: string; people: ParticipantId[] }>();
  for (const { type, at, place = '', participants: people = [] } of events) {
    if (!type.startsWith('privacy-')) continue;
    const before = open.get(place);
    if (before) found.push({ ...before, to: at });
    if (type === 'privacy-ended') open.delete(place);
    else open.set(place, { from: at, people });
  }
  for (const { from, people } of open.values()) found.push({ ...period(from, endOfVisit), people });
  return found;
}

const period = (from: string, to: string | undefined): Period =>
  to === undefined ? { from } : { from, to };
