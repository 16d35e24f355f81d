import { randomUUID } from 'node:crypto';
import { type Grant, type Role, TOKEN_AUDIENCE } from '@bedside/protocol';
import { SignJWT } from 'jose';

/** The secret with which a portal's server signs the tokens of its visits. */
export interface TenantKey {
  readonly id: string;
  readonly kid: string;
  readonly secret: string;
}

export interface Bearer {
  visit: string;
  participant: string;
  role: Role;
  /** Instead of those of the role. */
  grants?: Grant[] | undefined;
}

/** A token that is good for an hour, or for so many seconds. */
export function mintToken(
  tenant: TenantKey,
  { visit, participant, role, grants }: Bearer,
  lifetimeSeconds = 3600,
): Promise<string> {
  return new SignJWT({ visit, role, grants })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: tenant.kid })
    .setIssuer(tenant.id)
    .setAudience(TOKEN_AUDIENCE)
    .setSubject(participant)
    .setJti(randomUUID())
    .setExpirationTime(Math.floor(Date.now() / 1000) + lifetimeSeconds)
    .sign(new TextEncoder().encode(tenant.secret));
}
