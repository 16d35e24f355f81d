import { nextDeadline, tickAt } from './deadlines.ts';
import { decide } from './decide.ts';
import { type LedgerEvent, present, type Visit } from './state.ts';

/** A visit as it is by now, where nobody has it open: with what was due meanwhile, and the record of that. */
export function elapsed(visit: Visit, now: number): { visit: Visit; events: LedgerEvent[] } {
  const events: LedgerEvent[] = [];
  let after = visit;
  // Where somebody is in, a gateway has it, or will.
  while (present(after).length === 0 && (nextDeadline(after) ?? Number.POSITIVE_INFINITY) <= now) {
    const decision = decide(after, { type: 'tick', now: tickAt(after, now) });
    if (!decision.ok || decision.visit === after) break;
    after = decision.visit;
    events.push(...decision.events);
  }
  return { visit: after, events };
}
