import { listensOnly, type ParticipantId } from '@bedside/protocol';
import type { Participant, Person, Visit } from './state.ts';

/**
 * The audience of a lecture: those who have no grant in it that others could notice. They hear and see all
 * who take part, in numbers beside which those are few, so that nobody is told of them, and they are left out
 * wherever something is done for everybody.
 */

export const isAudience = ({ kind }: Visit, { grants }: Pick<Person, 'grants'>): boolean =>
  listensOnly(kind, grants);

/** As the record says it of somebody. */
export const ofAudience = (is: boolean | undefined): { audience?: true } =>
  is ? { audience: true } : {};

/** How many are in the audience; undefined where there is none to be in. */
export function audienceOf(visit: Visit): number | undefined {
  if (visit.kind !== 'lecture') return undefined;
  return visit.participants.filter((each) => each.state === 'admitted' && isAudience(visit, each))
    .length;
}

/** Since when somebody of the audience has been in; undefined for who takes part, or is not in. */
export function listensSince(visit: Visit, participant: Participant): number | undefined {
  if (participant.state !== 'admitted' || !isAudience(visit, participant)) return undefined;
  return participant.admittedAt ?? participant.joinedAt;
}

/** Since when somebody of the audience asks to be let in, or to be heard. */
const asksSince = ({ state, joinedAt, handRaisedAt }: Participant): number | undefined =>
  state === 'waiting' ? joinedAt : handRaisedAt;

/** Those of the audience whom who may admit sees: the first who asked for something, up to `most`. */
export function askingAudience(visit: Visit, most: number): ReadonlySet<ParticipantId> {
  const asking = visit.participants.flatMap((each) => {
    const since = each.state === 'left' ? undefined : asksSince(each);
    return since === undefined || !isAudience(visit, each) ? [] : [{ id: each.id, since }];
  });
  return new Set(
    asking
      .sort((one, other) => one.since - other.since)
      .slice(0, most)
      .map(({ id }) => id),
  );
}
