import type { TenantId, VisitId } from '@bedside/protocol';
import { Admission, type ClinicId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { commandOf, GATHERING, type Step, step } from './arbitrary-steps.ts';
import { type Command, type Decision, decide } from './decide.ts';
import { newVisit, type Visit, type VisitPlan } from './state.ts';

/** Random histories of a visit, for property tests. */

export { NODE, PEOPLE, personOf } from './arbitrary-steps.ts';

const BEGIN = 1_000;

export const emptyVisit = (as: VisitPlan = {}): Visit =>
  newVisit('clinic' as TenantId, 'visit-1' as VisitId, BEGIN, as);

export interface History {
  as: VisitPlan;
  steps: readonly Step[];
}

const as: fc.Arbitrary<VisitPlan> = fc
  .record({
    admission: fc.constantFrom(...Admission.options),
    preview: fc.boolean(),
    kind: fc.constantFrom('visit', 'visit', 'lecture'),
    reactions: fc.boolean(),
    startsAt: fc.constant(new Date(BEGIN).toISOString()),
    noShowAfterMinutes: fc.constant(1),
  })
  .map((some) => ({ ...some, clinic: 'clinic-1' as ClinicId }));

const historyOf = (maxLength: number): fc.Arbitrary<History> =>
  fc
    .record({
      as,
      gathered: fc.constantFrom(true, true, true, false),
      steps: fc.array(step, { maxLength, size: 'max' }),
    })
    .map(({ as: made, gathered, steps }) => ({
      as: made,
      steps: gathered ? [...GATHERING, ...steps] : steps,
    }));

/** Long enough to get anywhere. */
export const history = historyOf(60);
/** Several times through all of it. */
export const longHistory = historyOf(400);

export interface Moment {
  command: Command;
  before: Visit;
  decision: Decision;
  /** The visit before where it was refused. */
  after: Visit;
}

/** Every state of the visit on the way, with the command that led there. */
export function run({ as: made, steps }: History): Moment[] {
  let visit = emptyVisit(made);
  let now = BEGIN;
  const past: Command[] = [];
  return steps.map((each, index) => {
    now += 1;
    const before = visit;
    const command = commandOf(each, { visit, now, index, past });
    past.push(command);
    now = command.now;
    const decision = decide(before, command);
    if (decision.ok) visit = decision.visit;
    return { command, before, decision, after: visit };
  });
}

/** Holds a property to many histories, and to a few that are long. */
export function onHistories(property: (moments: readonly Moment[]) => void): void {
  fc.assert(
    fc.property(history, (some) => property(run(some))),
    { numRuns: 60 },
  );
  fc.assert(
    fc.property(longHistory, (some) => property(run(some))),
    { numRuns: 8 },
  );
}

/** What was recorded and asked for in one moment; nothing where it was refused. */
export const outcomeOf = ({ decision }: Moment) =>
  decision.ok ? decision : { events: [], effects: [] };
