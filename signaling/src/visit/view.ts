import { isDeepStrictEqual } from 'node:util';
import {
  LIMITS,
  MAIN_ROOM,
  type ParticipantId,
  type ParticipantView,
  type VisitChange,
  type VisitInfo,
  type VisitResource,
  type VisitView,
} from '@bedside/protocol';
import { askingAudience, audienceOf, isAudience } from './audience.ts';
import { find, findPresent, mayAttend, type Participant, present, type Visit } from './state.ts';

/** Whether this viewer sees who waits: who may admit or send them away. */
const seesWaiting = ({ grants }: Participant): boolean =>
  grants.includes('admit') || grants.includes('remove');

const mayHold = ({ grants }: Participant): boolean => grants.includes('hold');

/**
 * Whom this viewer may see: nobody before they joined; themselves while they wait, and who takes part
 * where that is granted; everybody who takes part once admitted, and who waits where they may admit. Of a
 * lecture's audience only who may admit sees somebody, if they ask for something.
 */
function sightOf(visit: Visit, viewer: ParticipantId): (each: Participant) => boolean {
  const self = findPresent(visit, viewer);
  if (!self) return () => false;
  const isIn = self.state === 'admitted';
  if (!isIn && !self.grants.includes('see-roster')) return (each) => each === self;
  const waitingToo = isIn && seesWaiting(self);
  const asking =
    visit.kind === 'lecture' && isIn && self.grants.includes('admit')
      ? askingAudience(visit, LIMITS.audienceShown)
      : undefined;
  return (each) => {
    if (each === self) return true;
    if (isAudience(visit, each)) return asking?.has(each.id) ?? false;
    return each.state === 'admitted' || waitingToo;
  };
}

const visibleTo = (visit: Visit, viewer: ParticipantId): Participant[] =>
  present(visit).filter(sightOf(visit, viewer));

/** Whether this viewer may see a participant. */
export function visibilityFor(visit: Visit, viewer: ParticipantId): (id: ParticipantId) => boolean {
  const sees = sightOf(visit, viewer);
  return (id) => {
    const participant = findPresent(visit, id);
    return participant !== undefined && sees(participant);
  };
}

/**
 * Viewers for whom this is the same are told the same of a change. Undefined: nobody else is told that.
 */
export function changeClass(
  before: Visit,
  after: Visit,
  viewer: ParticipantId,
): string | undefined {
  const [was, is] = [viewClass(before, viewer), viewClass(after, viewer)];
  if (was === undefined || is === undefined) return undefined;
  // Who is of the audience is seen by themselves besides.
  const self = find(after, viewer);
  if (self && isAudience(after, self) && self !== find(before, viewer)) return undefined;
  return `${was} ${is}`;
}

function viewClass(visit: Visit, viewer: ParticipantId): string | undefined {
  const self = findPresent(visit, viewer);
  if (self?.state !== 'admitted') return undefined;
  const own = self.hold?.notice === undefined ? '' : self.id;
  if (isAudience(visit, self)) return `audience ${own}`;
  const may = ['admit', 'remove', 'invite', 'hold'] as const;
  return `${may.map((grant) => self.grants.includes(grant))} ${own}`;
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
    mayReact: visit.policy.reactions && !(self && isAudience(visit, self)),
    mayRead,
    mayInvite: isAdmitted && self.grants.includes('invite'),
    see: (each: Participant) =>
      isAdmitted || each === self ? participantView(each, mayRead || each === self) : outline(each),
  };
}

type Viewer = ReturnType<typeof viewerOf>;

function infoOf(visit: Visit, { isAdmitted, mayReact }: Viewer): VisitInfo {
  const { responsible, handOver, unattendedSince, turns, wait } = visit;
  return {
    state: visit.state,
    ...(responsible === undefined || !isAdmitted ? {} : { responsible }),
    ...(unattendedSince === undefined ? {} : { unattendedSince }),
    ...(handOver === undefined || !isAdmitted ? {} : { handOver }),
    interpreting: visit.interpreting,
    ...(turns === undefined || !isAdmitted ? {} : { turns }),
    reactions: mayReact,
    ...(wait === undefined ? {} : { wait }),
  };
}

/** Who is in is told how many listen; not of each one who comes. */
function counted(visit: Visit, viewer: Viewer): VisitInfo {
  const audience = viewer.isAdmitted ? audienceOf(visit) : undefined;
  return { ...infoOf(visit, viewer), ...(audience === undefined ? {} : { audience }) };
}

/** The visit as a whole as this participant may know it. */
export const countedFor = (visit: Visit, viewer: ParticipantId): VisitInfo =>
  counted(visit, viewerOf(visit, viewer));

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

/** The visit as this participant may see it. `seq`: the number of this view among those that they are shown. */
export function viewOf(visit: Visit, viewer: ParticipantId, seq: number): VisitView {
  const self = viewerOf(visit, viewer);
  return {
    visitId: visit.visit,
    kind: visit.kind,
    ...counted(visit, self),
    ...(self.mayInvite ? { invites: invitesOf(visit), calls: callsOf(visit) } : {}),
    seq,
    participants: visibleTo(visit, viewer).map(self.see),
  };
}

/**
 * What changed for this viewer from one state of the visit to a later one; nothing where only the size of
 * the audience did.
 */
export function changesFor(before: Visit, after: Visit, viewer: ParticipantId): VisitChange[] {
  const changes: VisitChange[] = [];
  const was = viewerOf(before, viewer);
  const is = viewerOf(after, viewer);
  if (!isDeepStrictEqual(infoOf(before, was), infoOf(after, is)))
    changes.push({ type: 'visit', ...counted(after, is) });
  // Who may not see them any more sees none.
  if (was.mayInvite !== is.mayInvite || (is.mayInvite && before.invites !== after.invites))
    changes.push({ type: 'invites', invites: is.mayInvite ? invitesOf(after) : [] });
  if (was.mayInvite !== is.mayInvite || (is.mayInvite && before.calls !== after.calls))
    changes.push({ type: 'calls', calls: is.mayInvite ? callsOf(after) : [] });
  const [seen, sees] = [visibleTo(before, viewer), visibleTo(after, viewer)];
  const known = new Set(seen);
  const still = new Set(sees.map(({ id }) => id));
  // Who has left hears of their own leaving, and no more of the others.
  const gone = findPresent(after, viewer) ? seen : seen.filter(({ id }) => id === viewer);
  for (const { id } of gone) {
    if (still.has(id)) continue;
    const reason = find(after, id)?.leftReason ?? 'left';
    changes.push({ type: 'participant-left', participantId: id, reason });
  }
  for (const participant of sees) {
    const differs = was.isAdmitted !== is.isAdmitted || was.mayRead !== is.mayRead;
    if (!known.has(participant) || differs)
      changes.push({ type: 'participant', participant: is.see(participant) });
  }
  return changes;
}

const iso = (time: number) => new Date(time).toISOString();
const when = <Key extends string>(key: Key, time: number | undefined) =>
  (time === undefined ? {} : { [key]: iso(time) }) as { [K in Key]?: string };

/** The visit as `/v1` shows it: without names, and of a lecture's audience the number alone. */
export function resourceOf(visit: Visit): VisitResource {
  const { policy, provider, responsible } = visit;
  const audience = audienceOf(visit);
  const others = visit.participants.filter((each) => !isAudience(visit, each));
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
    ...(audience === undefined ? {} : { audience }),
    participants: others.map((each) => ({
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
