import {
  isSigned,
  LIMITS,
  type ParticipantId,
  type QueuedParticipant,
  type QueueEntry,
  sameLanguage,
} from '@bedside/protocol';
import {
  admitted,
  hearsOf,
  isAttended,
  type Participant,
  present,
  signsOf,
  speaksOf,
  type Visit,
} from './state.ts';

/**
 * The visit as its clinic's queue shows it: who waits, for whom, and whom they need beside them. None
 * where nobody waits.
 *
 * @param qualityOf 0 lost to 3 good, where it is known
 */
export function queueEntryOf(
  visit: Visit,
  qualityOf: (participant: ParticipantId) => number | undefined,
): QueueEntry | undefined {
  const waiting = present(visit)
    .filter(({ state }) => state === 'waiting')
    .sort((a, b) => a.joinedAt - b.joinedAt)
    // Of a lecture's audience there may be more.
    .slice(0, LIMITS.participantsPerVisit);
  if (waiting.length === 0) return undefined;
  const { provider, offeredTo } = visit;
  const needsOf = needsIn(visit);
  return {
    visit: visit.visit,
    kind: visit.kind,
    state: visit.state,
    ...(provider === undefined ? {} : { provider }),
    ...(offeredTo === undefined ? {} : { offeredTo }),
    waiting: waiting.map((each) => {
      const quality = qualityOf(each.id);
      return {
        participantId: each.id,
        role: each.role,
        since: each.joinedAt,
        languages: [...new Set([...speaksOf(each), ...hearsOf(each)])],
        needs: needsOf(each),
        connection: each.connection,
        ...(quality === undefined ? {} : { quality }),
      };
    }),
    attended: isAttended(visit),
  };
}

/** Who has no language in common with those who treat needs an interpreter, unless one for them is there. */
function needsIn(visit: Visit): (participant: Participant) => QueuedParticipant['needs'] {
  const treat = admitted(visit).filter(({ grants }) => grants.includes('admit'));
  const interpret = admitted(visit).filter(({ grants }) => grants.includes('interpret'));
  const isKnown = treat.some((each) => speaksOf(each).length > 0);
  return (participant) => {
    const signLanguage = signsOf(participant);
    const follows = hearsOf(participant).filter((tag) => isSigned(tag) === signLanguage);
    const understood = [...treat, ...interpret].some((each) =>
      speaksOf(each).some((spoken) => follows.some((heard) => sameLanguage(spoken, heard))),
    );
    const known = follows.length > 0 && isKnown;
    return { interpreter: !understood && (signLanguage || known), signLanguage };
  };
}
