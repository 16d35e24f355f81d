import type { ParticipantId, PeerId, RequestId, Role } from '@bedside/protocol';
import { emptyVisit, NODE, personOf } from './arbitrary.ts';
import { type By, type Command, decide } from './decide.ts';
import type { Person, Visit, VisitPlan } from './state.ts';

/** Visits that tests begin with. */

export const by = (participant: string): By => ({ participant: participant as ParticipantId });

export const join = (
  id: string,
  role: Role,
  person: Person = personOf(id, role),
): Extract<Command, { type: 'join' }> => ({
  type: 'join',
  now: 2_000,
  person,
  session: `session of ${id}`,
  request: `join of ${id}` as RequestId,
  peer: `peer of ${id}` as PeerId,
  media: NODE,
});

export const leave = (id: string): Command => ({
  type: 'leave',
  now: 2_500,
  participant: id as ParticipantId,
});

/** The visit after all of these, of which none may be refused. */
export const after = (visit: Visit, ...commands: readonly Command[]): Visit =>
  commands.reduce((before, command) => {
    const decision = decide(before, command);
    if (!decision.ok) throw new Error(`${command.type}: ${decision.code}`);
    return decision.visit;
  }, visit);

export const visitWith = (as: VisitPlan, ...commands: readonly Command[]): Visit =>
  after(emptyVisit(as), ...commands);
