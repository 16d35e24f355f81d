import { randomUUID } from 'node:crypto';
import {
  CLINIC_AUDIENCE,
  type Grant,
  type Role,
  type Skills,
  TOKEN_AUDIENCE,
} from '@bedside/protocol';
import { type JWTPayload, SignJWT } from 'jose';

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

/** Somebody of a clinic's staff. */
export interface StaffBearer {
  clinic: string;
  person: string;
  role: Role;
  /** What they can be called for. */
  skills?: Partial<Skills>;
}

/** A token of a visit that is good for an hour, or for so many seconds. */
export function mintToken(
  tenant: TenantKey,
  { visit, participant, role, grants }: Bearer,
  lifetimeSeconds = 3600,
): Promise<string> {
  return sign(tenant, TOKEN_AUDIENCE, participant, { visit, role, grants }, lifetimeSeconds);
}

/** A token of a clinic that is good for an hour. */
export function mintClinicToken(
  tenant: TenantKey,
  { clinic, person, role, skills }: StaffBearer,
): Promise<string> {
  return sign(tenant, CLINIC_AUDIENCE, person, { clinic, role, skills }, 3600);
}

function sign(
  tenant: TenantKey,
  audience: string,
  subject: string,
  claims: JWTPayload,
  lifetimeSeconds: number,
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: tenant.kid })
    .setIssuer(tenant.id)
    .setAudience(audience)
    .setSubject(subject)
    .setJti(randomUUID())
    .setExpirationTime(Math.floor(Date.now() / 1000) + lifetimeSeconds)
    .sign(new TextEncoder().encode(tenant.secret));
}
