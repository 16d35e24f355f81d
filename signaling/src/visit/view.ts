import type {
  ParticipantId,
  ParticipantView,
  VisitChange,
  VisitResource,
  VisitView,
} from '@bedside/protocol';
import { findPresent, type Participant, present, type Visit } from './state.ts';

/** Whom this viewer may see: nobody before they joined, themselves while they wait, everybody once admitted. */
function visibleTo(visit: Visit, viewer: ParticipantId): Participant[] {
  const self = findPresent(visit, viewer);
  if (!self) return [];
  return self.state === 'admitted' ? present(visit) : [self];
}

function participantView(participant: Participant): ParticipantView {
  return {
    participantId: participant.id,
    role: participant.role,
    ...(participant.name === undefined ? {} : { name: participant.name }),
    ...(participant.lang === undefined ? {} : { lang: participant.lang }),
    state: participant.state,
    connection: participant.connection,
    place: participant.place,
    producers: (participant.endpoint?.producers ?? []).map(({ id, kind, source, paused }) => ({
      producerId: id,
      kind,
      source,
      paused,
    })),
  };
}

/** The visit as this participant may see it. */
export function viewOf(visit: Visit, viewer: ParticipantId): VisitView {
  return {
    visitId: visit.visit,
    kind: visit.kind,
    state: visit.state,
    seq: visit.seq,
    participants: visibleTo(visit, viewer).map(participantView),
  };
}

/** What changed for this viewer from one state of the visit to a later one. */
export function changesFor(before: Visit, after: Visit, viewer: ParticipantId): VisitChange[] {
  const changes: VisitChange[] = [];
  if (before.state !== after.state) changes.push({ type: 'visit', state: after.state });
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
    if (!seen.includes(participant))
      changes.push({ type: 'participant', participant: participantView(participant) });
  }
  return changes;
}

/** The visit as `/v1` shows it: without names. */
export function resourceOf(visit: Visit): VisitResource {
  const iso = (time: number) => new Date(time).toISOString();
  return {
    visit: visit.visit,
    kind: visit.kind,
    state: visit.state,
    createdAt: iso(visit.createdAt),
    ...(visit.startedAt === undefined ? {} : { startedAt: iso(visit.startedAt) }),
    ...(visit.endedAt === undefined ? {} : { endedAt: iso(visit.endedAt) }),
    participants: visit.participants.map(({ id, role, state, connection }) => ({
      participant: id,
      role,
      state,
      connection,
    })),
  };
}
