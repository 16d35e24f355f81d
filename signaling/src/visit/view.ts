import { isDeepStrictEqual } from 'node:util';
import {
  MAIN_ROOM,
  type ParticipantId,
  type ParticipantView,
  type VisitChange,
  type VisitInfo,
  type VisitResource,
  type VisitView,
} from '@bedside/protocol';
import { findPresent, mayAttend, type Participant, present, type Visit } from './state.ts';

/** Whether this viewer sees who waits: who may admit or send them away. */
const seesWaiting = ({ grants }: Participant): boolean =>
  grants.includes('admit') || grants.includes('remove');

const mayHold = ({ grants }: Participant): boolean => grants.includes('hold');

/**
 * Whom this viewer may see: nobody before they joined; themselves while they wait, and who takes part
 * where that is granted; everybody who takes part once admitted, and who waits where they may admit.
 */
function visibleTo(visit: Visit, viewer: ParticipantId): Participant[] {
  const self = findPresent(visit, viewer);
  if (!self) return [];
  if (self.state === 'admitted')
    return seesWaiting(self)
      ? present(visit)
      : present(visit).filter(({ state }) => state === 'admitted');
  return self.grants.includes('see-roster')
    ? present(visit).filter((each) => each === self || each.state === 'admitted')
    : [self];
}

/** The ids of those whom this viewer may see. */
export function visibleIds(visit: Visit, viewer: ParticipantId): ReadonlySet<ParticipantId> {
  return new Set(visibleTo(visit, viewer).map(({ id }) => id));
}

/** Viewers of the same class see the same of a visit and of its changes. Undefined: nobody else sees that. */
export function viewClass(visit: Visit, viewer: ParticipantId): string | undefined {
  const self = findPresent(visit, viewer);
  if (self?.state !== 'admitted') return undefined;
  const own = self.hold?.notice === undefined ? '' : self.id;
  return `${seesWaiting(self)} ${self.grants.includes('invite')} ${mayHold(self)} ${own}`;
}

/** Who waits learns no more of others than who is there. */
function outline({ id, role, name, lang, state, connection }: Participant): ParticipantView {
  return {
    participantId: id,
    role,
    ...(name === undefined ? {} : { name }),
    ...(lang === undefined ? {} : { lang }),
    state,
    connection,
    place: MAIN_ROOM,
    producers: [],
  };
}

/** @param readsNotice Whether the viewer is whom it is for, or may give one. */
function participantView(participant: Participant, readsNotice: boolean): ParticipantView {
  const { speaks, hears, signs, duckDb, handRaisedAt, whisperTo } = participant;
  const hold =
    readsNotice || !participant.hold ? participant.hold : { audio: participant.hold.audio };
  return {
    ...outline(participant),
    place: participant.place,
    ...(mayAttend(participant) ? { mayAttend: true } : {}),
    ...(hold === undefined ? {} : { hold }),
    ...(speaks === undefined ? {} : { speaks }),
    ...(hears === undefined ? {} : { hears }),
    ...(signs === undefined ? {} : { signs }),
    ...(duckDb === undefined ? {} : { duckDb }),
    ...(handRaisedAt === undefined ? {} : { handRaisedAt }),
    ...(whisperTo === undefined ? {} : { whisperTo }),
    ...(participant.state === 'waiting' ? { waitingSince: participant.joinedAt } : {}),
    producers: (participant.endpoint?.producers ?? []).map(({ id, kind, source, paused }) => ({
      producerId: id,
      kind,
      source,
      paused,
    })),
  };
}

function viewerOf(visit: Visit, viewer: ParticipantId) {
  const self = findPresent(visit, viewer);
  const isAdmitted = self?.state === 'admitted';
  const mayRead = isAdmitted && mayHold(self);
  return {
    isAdmitted,
    mayRead,
    mayInvite: isAdmitted && self.grants.includes('invite'),
    see: (each: Participant) =>
      isAdmitted || each === self ? participantView(each, mayRead || each === self) : outline(each),
  };
}

function infoOf(visit: Visit, isAdmitted: boolean): VisitInfo {
  const { responsible, handOver, unattendedSince, turns, wait } = visit;
  return {
    state: visit.state,
    ...(responsible === undefined || !isAdmitted ? {} : { responsible }),
    ...(unattendedSince === undefined ? {} : { unattendedSince }),
    ...(handOver === undefined || !isAdmitted ? {} : { handOver }),
    interpreting: visit.interpreting,
    ...(turns === undefined || !isAdmitted ? {} : { turns }),
    reactions: visit.policy.reactions,
    ...(wait === undefined ? {} : { wait }),
  };
}

const invitesOf = (visit: Visit) =>
  (visit.invites ?? []).map(({ id, role, name, expiresAt, knock, state }) => ({
    inviteId: id,
    role,
    ...(name === undefined ? {} : { name }),
    expiresAt,
    knock,
    state,
  }));

const callsOf = (visit: Visit) =>
  (visit.calls ?? []).map(({ id, role, state, index, groups, until, acceptedBy }) => ({
    callId: id,
    role,
    state,
    group: index,
    groups: groups.length,
    until,
    ...(acceptedBy === undefined ? {} : { acceptedBy }),
  }));

/** The visit as this participant may see it. */
export function viewOf(visit: Visit, viewer: ParticipantId): VisitView {
  const { isAdmitted, mayInvite, see } = viewerOf(visit, viewer);
  return {
    visitId: visit.visit,
    kind: visit.kind,
    ...infoOf(visit, isAdmitted),
    ...(mayInvite ? { invites: invitesOf(visit), calls: callsOf(visit) } : {}),
    seq: visit.seq,
    participants: visibleTo(visit, viewer).map(see),
  };
}

/** What changed for this viewer from one state of the visit to a later one. */
export function changesFor(before: Visit, after: Visit, viewer: ParticipantId): VisitChange[] {
  const changes: VisitChange[] = [];
  const was = viewerOf(before, viewer);
  const is = viewerOf(after, viewer);
  const info = infoOf(after, is.isAdmitted);
  if (!isDeepStrictEqual(infoOf(before, was.isAdmitted), info))
    changes.push({ type: 'visit', ...info });
  // Who may not see them any more sees none.
  if (was.mayInvite !== is.mayInvite || (is.mayInvite && before.invites !== after.invites))
    changes.push({ type: 'invites', invites: is.mayInvite ? invitesOf(after) : [] });
  if (was.mayInvite !== is.mayInvite || (is.mayInvite && before.calls !== after.calls))
    changes.push({ type: 'calls', calls: is.mayInvite ? callsOf(after) : [] });
  const seen = visibleTo(before, viewer);
  const sees = visibleTo(after, viewer);
  // Who has left hears of their own leaving, and no more of the others.
  const gone = findPresent(after, viewer) ? seen : seen.filter(({ id }) => id === viewer);
  for (const { id } of gone) {
    if (sees.some((each) => each.id === id)) continue;
    const reason = after.participants.find((each) => each.id === id)?.leftReason ?? 'left';
    changes.push({ type: 'participant-left', participantId: id, reason });
  }
  for (const participant of sees) {
    const differs = was.isAdmitted !== is.isAdmitted || was.mayRead !== is.mayRead;
    if (!seen.includes(participant) || differs)
      changes.push({ type: 'participant', participant: is.see(participant) });
  }
  return changes;
}

const iso = (time: number) => new Date(time).toISOString();
const when = <Key extends string>(key: Key, time: number | undefined) =>
  (time === undefined ? {} : { [key]: iso(time) }) as { [K in Key]?: string };

/** The visit as `/v1` shows it: without names. */
export function resourceOf(visit: Visit): VisitResource {
  const { policy, provider, responsible } = visit;
  return {
    visit: visit.visit,
    kind: visit.kind,
    state: visit.state,
    admission: policy.admission,
    ...(policy.clinic === undefined ? {} : { clinic: policy.clinic }),
    ...(provider === undefined ? {} : { provider }),
    createdAt: iso(visit.createdAt),
    ...when('startsAt', policy.startsAt),
    ...when('startedAt', visit.startedAt),
    ...when('endedAt', visit.endedAt),
    ...(responsible === undefined ? {} : { responsible }),
    participants: visit.participants.map((each) => ({
      participant: each.id,
      role: each.role,
      state: each.state,
      connection: each.connection,
      joinedAt: iso(each.joinedAt),
      ...when('admittedAt', each.admittedAt),
      ...when('leftAt', each.leftAt),
      ...(each.leftReason === undefined ? {} : { leftReason: each.leftReason }),
    })),
  };
}
