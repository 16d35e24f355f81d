import * as z from 'zod/mini';
import { ParticipantId, TenantId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { DisplayName, Grant, LanguageTag, Role } from './visit.ts';

export const TOKEN_AUDIENCE = 'bedside';
/** Audience of the JWT that a gateway shows to a node. */
export const CONTROL_AUDIENCE = 'bedside-control';
/** Audience of the JWT that a portal's server shows to `/v1`. */
export const SERVICE_AUDIENCE = 'bedside-service';
/** Seconds by which the clocks of issuer and gateway may differ. */
export const CLOCK_SKEW_SECONDS = 30;

const audience = z.string().check(z.maxLength(LIMITS.textLength));

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

/**
 * The control secret of a cluster that lives on one machine, for development. Gateway and node refuse
 * to start with it where any of their addresses is not loopback.
 */
export const LOOPBACK_CONTROL_SECRET = 'bedside-development-control-secret-not-for-production';
