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
    for (const role of Role.options) {
      const difference = count(after, role) - count(before, role);
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

function count(visit: Visit | undefined, role: Role): number {
  return (
    visit?.participants.filter((each) => each.role === role && each.state !== 'left').length ?? 0
  );
}
