import { createHash } from 'node:crypto';
import type { ClinicId, TenantId } from '@bedside/protocol';

declare const clinicKeyOf: unique symbol;
/** A clinic's name in Redis: 132 bits of a hash of tenant and clinic, which names nobody. */
export type ClinicKey = string & { readonly [clinicKeyOf]: true };

export function clinicKey(tenant: TenantId, clinic: ClinicId): ClinicKey {
  return createHash('sha256')
    .update(`clinic\0${tenant}\0${clinic}`)
    .digest('base64url')
    .slice(0, 22) as ClinicKey;
}

/** All keys of a clinic share one hash tag: a script on them touches one slot of Redis Cluster. */
export const clinicKeys = (key: ClinicKey) => ({
  queue: `bedside:{${key}}:queue`,
  /** Channel on which the visits are named whose entries changed. */
  queueChanges: `bedside:{${key}}:queue-changes`,
});
