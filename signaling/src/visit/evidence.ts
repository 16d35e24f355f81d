import { isDeepStrictEqual } from 'node:util';
import { LIMITS, type ParticipantId, type QualityChange } from '@bedside/protocol';
import { isAudience } from './audience.ts';
import {
  change,
  type Decision,
  type Effect,
  type Of,
  permit,
  refuse,
  unchanged,
} from './decision.ts';
import {
  admitted,
  type Breaches,
  type Evidence,
  findPresent,
  type LedgerEvent,
  mayAttend,
  type Participant,
  type Visit,
} from './state.ts';

/** Changes of one viewer that are on record; those after them are told and not recorded. */
const RECORDED_LIMIT = 100;

/** How well signed conversations can be seen, as the pages report it. */
export function reportQuality(visit: Visit, command: Of<'report-quality'>): Decision {
  const { now, by } = command;
  const { giver: viewer, refused } = permit(visit, by);
  if (!viewer) return refuse(refused);
  // Nobody is to know of them, and so many would fill the record.
  if (isAudience(visit, viewer)) return unchanged(visit);
  const { breaches, news } = withChanges(visit, viewer, command.changes);
  const evidence = withEvidence(visit, viewer.id, command.evidence);
  const patch = {
    ...(news.length === 0 ? {} : { breaches }),
    ...(isDeepStrictEqual(evidence, visit.evidence ?? []) ? {} : { evidence }),
  };
  if (Object.keys(patch).length === 0) return unchanged(visit);
  const to = admitted(visit)
    .filter((each) => mayAttend(each) && each !== viewer)
    .map(({ id }) => id);
  const effects = news.map(
    (each): Effect => ({
      type: 'tell',
      to,
      event: 'quality-changed',
      payload: { by: viewer.id, ...each },
    }),
  );
  const said = breachesOf(visit, viewer).said;
  const events = news.slice(0, Math.max(0, RECORDED_LIMIT - said)).map(
    ({ participantId, what, breached }): LedgerEvent => ({
      type: breached ? 'quality-breached' : 'quality-restored',
      at: now,
      participant: participantId,
      by: viewer.id,
      reason: what,
    }),
  );
  return change(visit, patch, events, effects);
}

/** What the viewer's page said before; another page of theirs begins anew, but not the count. */
function breachesOf({ breaches }: Visit, { id: viewer, session }: Participant): Breaches {
  const known = breaches?.find((each) => each.viewer === viewer);
  if (known?.session === session) return known;
  return { viewer, session, bad: [], said: known?.said ?? 0 };
}

/** What is new in these changes: the others say what is known. */
function withChanges(visit: Visit, viewer: Participant, changes: readonly QualityChange[]) {
  const known = breachesOf(visit, viewer);
  let bad = known.bad.filter(({ participantId }) => findPresent(visit, participantId));
  const news = changes.filter(({ participantId, what, breached }) => {
    // Of who went meanwhile there is nothing to say any more, but what was seen of them.
    if (!findPresent(visit, participantId)) return false;
    const others = bad.filter((each) => each.participantId !== participantId || each.what !== what);
    const wasBad = others.length < bad.length;
    if (wasBad === breached || (breached && bad.length >= LIMITS.evidencePerViewer)) return false;
    bad = breached ? [...bad, { participantId, what }] : others;
    return true;
  });
  const others = (visit.breaches ?? []).filter(
    (each) => each.viewer !== viewer.id && visit.participants.some(({ id }) => id === each.viewer),
  );
  const said = known.said + news.length;
  return { breaches: [...others, { ...known, bad, said }], news };
}

/** Of each picture the newest; where there are too many, the oldest of the viewer who has most go. */
function withEvidence(
  visit: Visit,
  viewer: ParticipantId,
  seen: Of<'report-quality'>['evidence'],
): Evidence[] {
  const known = visit.evidence ?? [];
  const fresh = seen.filter(({ participantId }) =>
    visit.participants.some(({ id }) => id === participantId),
  );
  const isRenewed = ({ participantId }: Evidence) =>
    fresh.some((each) => each.participantId === participantId);
  const others = known.filter((each) => each.viewer !== viewer);
  const own = [
    ...known.filter((each) => each.viewer === viewer && !isRenewed(each)),
    ...fresh.map((each) => ({ viewer, ...each })),
  ].slice(-LIMITS.evidencePerViewer);
  const all = [...others, ...own];
  while (all.length > LIMITS.evidencePerVisit) {
    const byViewer = [...Map.groupBy(all, (each) => each.viewer).values()];
    const [oldest] = byViewer.reduce((most, each) => (each.length > most.length ? each : most));
    all.splice(all.indexOf(oldest as Evidence), 1);
  }
  return all;
}
