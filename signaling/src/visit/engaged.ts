import type { ParticipantId, Role } from '@bedside/protocol';
import { present, type Visit } from './state.ts';

/** Those who are cared for, and what only watches: nobody calls them in. */
const NEVER_CALLED: ReadonlySet<Role> = new Set(['patient', 'caregiver', 'observer', 'device']);

/** Who of those who may be on call is in the visit, or on their way in: they are busy. */
export const engagedIn = (visit: Visit): { person: ParticipantId; role: Role }[] =>
  present(visit).flatMap(({ id, role }) => (NEVER_CALLED.has(role) ? [] : [{ person: id, role }]));
