import type { ClinicGrant, Grant, Role } from '@bedside/protocol';
import type { StaffCommandName } from '../ports.ts';

/** What a role may do at its clinic where the token names no grants. */
export const CLINIC_GRANTS_OF_ROLE: Readonly<Record<Role, readonly ClinicGrant[]>> = {
  patient: [],
  provider: ['queue', 'on-call'],
  interpreter: ['on-call'],
  specialist: ['on-call'],
  caregiver: [],
  observer: [],
  moderator: ['queue'],
  device: [],
};

/**
 * What the grant `queue` allows in each visit of the clinic, from outside of it: who may admit may deny.
 * To send away who is in takes the grant `remove` beside it.
 */
export const attendantGrantsOf = (grants: readonly ClinicGrant[]): readonly Grant[] => [
  'admit',
  'hand-over',
  'chat',
  ...(grants.includes('remove') ? (['remove'] as const) : []),
];

/** The grant that each command needs. */
export const GRANT_OF_COMMAND: Readonly<Record<StaffCommandName, ClinicGrant>> = {
  'watch-queue': 'queue',
  'sign-on': 'on-call',
  'sign-off': 'on-call',
  'set-busy': 'on-call',
  'accept-call': 'on-call',
  'decline-call': 'on-call',
};

/** The token's grants where it names any, else those of the role. */
export function clinicGrantsOf(
  role: Role,
  override: readonly ClinicGrant[] | undefined,
): readonly ClinicGrant[] {
  return override ?? CLINIC_GRANTS_OF_ROLE[role];
}
