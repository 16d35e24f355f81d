import * as z from 'zod/mini';
import { ParticipantId, TenantId, VisitId } from './ids.ts';
import { DisplayName, Grant, LanguageTag, Role } from './visit.ts';

export const TOKEN_AUDIENCE = 'bedside';
/** Audience of the JWT that a gateway shows to a node. */
export const CONTROL_AUDIENCE = 'bedside-control';
/** Audience of the JWT that a portal's server shows to `/v1`. */
export const SERVICE_AUDIENCE = 'bedside-service';
/** Seconds by which the clocks of issuer and gateway may differ. */
export const CLOCK_SKEW_SECONDS = 30;

/** Claims of the JWT that lets one participant into one visit. */
export const TokenClaims = z.object({
  iss: TenantId,
  aud: z.union([z.string(), z.array(z.string())]),
  sub: ParticipantId,
  visit: VisitId,
  role: Role,
  name: z.optional(DisplayName),
  lang: z.optional(LanguageTag),
  grants: z.optional(z.array(Grant).check(z.maxLength(32))),
  exp: z.int(),
  jti: z.string().check(z.minLength(1), z.maxLength(128)),
});
export type TokenClaims = z.infer<typeof TokenClaims>;

/**
 * The control secret of a cluster that lives on one machine, for development. Gateway and node refuse
 * to start with it where any of their addresses is not loopback.
 */
export const LOOPBACK_CONTROL_SECRET = 'bedside-development-control-secret-not-for-production';
