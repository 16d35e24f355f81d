import { LIMITS } from '@bedside/protocol';
import {
  change,
  type Decision,
  type Effect,
  giverOf,
  type Of,
  refusal,
  refuse,
  unchanged,
} from './decision.ts';
import { admitted, findPresent, type LedgerEvent, mayAttend, type Visit } from './state.ts';

/** How well signed conversations can be seen, as the pages report it. */
export function reportQuality(visit: Visit, command: Of<'report-quality'>): Decision {
  const { now, by } = command;
  const refused = refusal(visit, by);
  const viewer = giverOf(visit, by);
  if (refused || !viewer) return refuse(refused ?? 'not-joined');
  // Of who went meanwhile there is nothing to say any more.
  const changes = command.changes.filter(({ participantId }) => findPresent(visit, participantId));
  const known = (visit.evidence ?? []).filter(
    (each) =>
      each.viewer !== viewer.id ||
      !command.evidence.some(({ participantId }) => participantId === each.participantId),
  );
  const evidence = [
    ...known,
    ...command.evidence.map((each) => ({ viewer: viewer.id, ...each })),
  ].slice(-LIMITS.evidence);
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
  if (changes.length + command.evidence.length === 0) return unchanged(visit);
  return change(visit, command.evidence.length > 0 ? { evidence } : {}, events, effects);
}
