import { LIMITS } from '@bedside/protocol';
import {
  change,
  type Decision,
  type Effect,
  type Of,
  permit,
  refuse,
  unchanged,
} from './decision.ts';
import { admitted, findPresent, type LedgerEvent, mayAttend, type Visit } from './state.ts';

/** How well signed conversations can be seen, as the pages report it. */
export function reportQuality(visit: Visit, command: Of<'report-quality'>): Decision {
  const { now, by } = command;
  const { giver: viewer, refused } = permit(visit, by);
  if (!viewer) return refuse(refused);
  // Of who went meanwhile there is nothing to say any more, but what was seen of them.
  const changes = command.changes.filter(({ participantId }) => findPresent(visit, participantId));
  const seen = command.evidence.filter(({ participantId }) =>
    visit.participants.some(({ id }) => id === participantId),
  );
  const known = (visit.evidence ?? []).filter(
    (each) =>
      each.viewer !== viewer.id ||
      !seen.some(({ participantId }) => participantId === each.participantId),
  );
  const evidence = [...known, ...seen.map((each) => ({ viewer: viewer.id, ...each }))].slice(
    -LIMITS.evidence,
  );
  const to = admitted(visit)
    .filter((each) => mayAttend(each) && each !== viewer)
    .map(({ id }) => id);
  const effects = changes.map(
    (each): Effect => ({
      type: 'tell',
      to,
      event: 'quality-changed',
      payload: { by: viewer.id, ...each },
    }),
  );
  const events = changes.map(
    ({ participantId, what, breached }): LedgerEvent => ({
      type: breached ? 'quality-breached' : 'quality-restored',
      at: now,
      participant: participantId,
      by: viewer.id,
      reason: what,
    }),
  );
  if (changes.length + seen.length === 0) return unchanged(visit);
  return change(visit, seen.length > 0 ? { evidence } : {}, events, effects);
}
