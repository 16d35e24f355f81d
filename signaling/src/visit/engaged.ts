import type { ParticipantId, Role } from '@bedside/protocol';
import { isAudience } from './audience.ts';
import { present, type Visit } from './state.ts';

/** Those who are cared for, and what only watches: nobody calls them in. */
const NEVER_CALLED: ReadonlySet<Role> = new Set(['patient', 'caregiver', 'observer', 'device']);

/** Who of those who may be on call is in the visit, or on their way in: they are busy. Who listens to a lecture is not. */
export const engagedIn = (visit: Visit): { person: ParticipantId; role: Role }[] =>
  present(visit).flatMap((each) =>
    NEVER_CALLED.has(each.role) || isAudience(visit, each)
      ? []
      : [{ person: each.id, role: each.role }],
  );
