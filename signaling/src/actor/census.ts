import { Role } from '@bedside/protocol';
import type { VisitTelemetry } from '../ports.ts';
import type { Visit } from '../visit/state.ts';

/** Counts what this gateway has open, and reports the counts when they change. */
export class Census {
  readonly #telemetry: VisitTelemetry;
  readonly #roles = new Map<Role, number>();
  #visits = 0;
  #unwritten = 0;

  constructor(telemetry: VisitTelemetry) {
    this.#telemetry = telemetry;
  }

  /** A visit went from one state to another; undefined where it is not open here. */
  moved(before: Visit | undefined, after: Visit | undefined): void {
    if (!before !== !after) {
      this.#visits += after ? 1 : -1;
      this.#telemetry.visits(this.#visits);
    }
    if (before?.participants === after?.participants) return;
    const [were, are] = [countIn(before), countIn(after)];
    for (const role of Role.options) {
      const difference = (are.get(role) ?? 0) - (were.get(role) ?? 0);
      if (difference === 0) continue;
      const total = (this.#roles.get(role) ?? 0) + difference;
      this.#roles.set(role, total);
      this.#telemetry.participants(role, total);
    }
  }

  unwritten(difference: number): void {
    this.#unwritten += difference;
    this.#telemetry.unwrittenChanges(this.#unwritten);
  }
}

function countIn(visit: Visit | undefined): ReadonlyMap<Role, number> {
  const counts = new Map<Role, number>();
  for (const { role, state } of visit?.participants ?? [])
    if (state !== 'left') counts.set(role, (counts.get(role) ?? 0) + 1);
  return counts;
}
