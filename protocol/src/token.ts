import * as z from 'zod/mini';
import { ClinicId, ParticipantId, TenantId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { Skills } from './on-call.ts';
import { DisplayName, Grant, LanguageTag, Role } from './visit.ts';

export const TOKEN_AUDIENCE = 'bedside';
/** Audience of the JWT that a person of a clinic's staff shows. */
export const CLINIC_AUDIENCE = 'bedside-clinic';
/** Audience of the JWT that a gateway shows to a node. */
export const CONTROL_AUDIENCE = 'bedside-control';
/** Audience of the JWT that a portal's server shows to `/v1`. */
export const SERVICE_AUDIENCE = 'bedside-service';
/** Seconds by which the clocks of issuer and gateway may differ. */
export const CLOCK_SKEW_SECONDS = 30;

const audience = z.string().check(z.maxLength(LIMITS.textLength));

/** A JWT as it crosses the wire. */
export const SignedToken = z.string().check(z.minLength(1), z.maxLength(LIMITS.tokenLength));

/** Claims of the JWT that lets one participant into one visit. */
export const TokenClaims = z.object({
  /** The tenant's id. */
  iss: TenantId,
  /** `bedside`, alone or among others. */
  aud: z.union([audience, z.array(audience).check(z.maxLength(16))]),
  /** The participant: opaque, the same over reloads; no name and no record number. */
  sub: ParticipantId,
  /** The visit: opaque, chosen by the portal; the same id means the same visit. */
  visit: VisitId,
  role: Role,
  name: z.optional(DisplayName),
  lang: z.optional(LanguageTag),
  /** Replaces the grants of the role. */
  grants: z.optional(z.array(Grant).check(z.maxLength(LIMITS.grants))),
  /** When it expires, in seconds since 1970. */
  exp: z.int().check(z.nonnegative()),
  /** A unique id of the token. */
  jti: z.string().check(z.minLength(1), z.maxLength(LIMITS.idLength)),
});
export type TokenClaims = z.infer<typeof TokenClaims>;

/** What a person of a clinic's staff may do outside of visits. */
export const ClinicGrant = z.enum([
  /** See who waits; admit, deny, write to or hand over who does. */
  'queue',
  'on-call',
  /** Beside `queue`: send away who is in a visit, too. */
  'remove',
]);
export type ClinicGrant = z.infer<typeof ClinicGrant>;

/** Claims of the JWT with which the staff of a clinic see its queue and are on call. */
export const ClinicClaims = z.object({
  /** The tenant's id. */
  iss: TenantId,
  /** `bedside-clinic`, alone or among others. */
  aud: TokenClaims.shape.aud,
  /** The person: opaque, the same as in their tokens of visits. */
  sub: ParticipantId,
  /** The clinic: opaque, chosen by the portal. */
  clinic: ClinicId,
  role: Role,
  name: z.optional(DisplayName),
  /** Replaces the grants of the role. */
  grants: z.optional(z.array(ClinicGrant).check(z.maxLength(LIMITS.grants))),
  skills: z.optional(Skills),
  /** When it expires, in seconds since 1970. */
  exp: TokenClaims.shape.exp,
  /** A unique id of the token. */
  jti: TokenClaims.shape.jti,
});
export type ClinicClaims = z.infer<typeof ClinicClaims>;

/**
 * The control secret of a cluster that lives on one machine, for development. Gateway and node refuse
 * to start with it where any of their addresses is not loopback.
 */
export const LOOPBACK_CONTROL_SECRET = 'bedside-development-control-secret-not-for-production';

/** The guest secret of such a cluster: gateways refuse it likewise. */
export const LOOPBACK_GUEST_SECRET = 'bedside-development-guest-secret-not-for-production';
