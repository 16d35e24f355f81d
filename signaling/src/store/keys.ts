import { createHash } from 'node:crypto';
import type { GatewayId, TenantId, VisitId, VisitKey } from '@bedside/protocol';

/** A visit's name outside this process, in Redis keys and at nodes: 132 bits of a hash, which names nobody. */
export function visitKey(tenant: TenantId, visit: VisitId): VisitKey {
  return createHash('sha256')
    .update(`${tenant}\0${visit}`)
    .digest('base64url')
    .slice(0, 22) as VisitKey;
}

/** All keys of a visit share one hash tag: a script on them touches one slot of Redis Cluster. */
export const visitKeys = (key: VisitKey) => ({
  lease: `bedside:{${key}}:lease`,
  snapshot: `bedside:{${key}}:visit`,
  /** A list. Under `:ledger` a version before kept it as a stream. */
  ledger: `bedside:{${key}}:events`,
  /** The rest of the ledger: what anybody may repeat at will, and so has a bound of its own. */
  activity: `bedside:{${key}}:activity`,
  /** What people write to each other; gone with the end of the visit. */
  messages: `bedside:{${key}}:messages`,
});

/** A sorted set: visits by when they must be looked at, milliseconds since 1970. */
export const DEADLINES = 'bedside:deadlines';
/** A sorted set: the same visits by the epoch of who said so. The tag puts it in the same slot. */
export const DEADLINE_EPOCHS = `bedside:{${DEADLINES}}:epochs`;

export const gatewayKeys = (gateway: GatewayId) => ({
  /** The visits it has open, for its next boot to take up again. */
  visits: `bedside:gateway:{${gateway}}:visits`,
});
