import {
  BedsideError,
  CLINIC_AUDIENCE,
  CLOCK_SKEW_SECONDS,
  ClinicClaims,
  type TenantId,
  TOKEN_AUDIENCE,
  TokenClaims,
  VisitId,
} from '@bedside/protocol';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type * as z from 'zod/mini';
import { attendantGrantsOf, clinicGrantsOf } from '../clinic/grants.ts';
import { type Algorithm, GUEST_KID, type Tenant } from '../config.ts';
import type { TokenFailure } from '../metrics.ts';
import type { Identity, Staff } from '../ports.ts';
import { GuestClaims, type GuestKeys } from './guest-tokens.ts';
import { RemoteKeys } from './remote-keys.ts';

/** A refused token. The reason is for metrics; the client gets `unauthorized`, whatever the reason. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly reason: TokenFailure;

  constructor(reason: TokenFailure) {
    super(`token refused: ${reason}`);
    this.reason = reason;
  }
}

/** A tenant's keys, by the kind of algorithm: a secret never checks what a public key should, and the reverse. */
export interface Keyring {
  tenant: Tenant;
  secrets: ReadonlyMap<string, Uint8Array>;
  publicKeys: JWTVerifyGetKey | undefined;
  /** The gateways' own, for the audience of visits alone. */
  guests: GuestKeys | undefined;
}

/** What happened to the fetch of a tenant's keys; `error` is undefined where they came. */
export type OnKeysFetched = (tenant: TenantId, error: unknown) => void;

export function createKeyrings(
  tenants: readonly Tenant[],
  onFetched: OnKeysFetched,
  guests?: GuestKeys,
): ReadonlyMap<string, Keyring> {
  return new Map(
    tenants.map((tenant) => [
      tenant.id,
      {
        tenant,
        secrets: new Map(
          tenant.secrets.map(({ kid, secret }) => [kid, new TextEncoder().encode(secret)]),
        ),
        publicKeys: publicKeysOf(tenant, onFetched),
        guests,
      },
    ]),
  );
}

function publicKeysOf({ id, jwks }: Tenant, onFetched: OnKeysFetched): JWTVerifyGetKey | undefined {
  if (jwks === undefined) return undefined;
  if (typeof jwks !== 'string') return createLocalJWKSet({ keys: [...jwks.keys] });
  const remote = new RemoteKeys(jwks, {
    onFetched: (error) => onFetched(id, error),
    now: () => performance.now(),
  });
  return remote.keyFor;
}

const ASYMMETRIC: readonly Algorithm[] = ['EdDSA', 'ES256', 'RS256'];

/**
 * The claims of a JWT that one of the tenants signed for one of these audiences.
 * @throws TokenRefused; BedsideError `deadline` where the tenant's keys can not be fetched.
 */
export async function verifyJwt(
  keyrings: ReadonlyMap<string, Keyring>,
  token: string,
  ...audience: string[]
): Promise<{ claims: JWTPayload; tenant: Tenant }> {
  const { alg, kid, issuer } = readUnverified(token);
  const keyring = keyrings.get(issuer);
  if (keyring === undefined) throw new TokenRefused('unknown-tenant');
  const { tenant } = keyring;

  const options = {
    issuer: tenant.id,
    audience,
    clockTolerance: CLOCK_SKEW_SECONDS,
    requiredClaims: ['exp'],
  };
  const allowed = tenant.algorithms.find((algorithm) => algorithm === alg);
  if (allowed === undefined) throw new TokenRefused('algorithm');
  try {
    if (allowed === 'HS256') {
      const secret = secretOf(keyring, kid);
      if (secret === undefined) throw new TokenRefused('unknown-key');
      const { payload } = await jwtVerify(token, secret, { ...options, algorithms: ['HS256'] });
      return { claims: payload, tenant };
    }
    if (keyring.publicKeys === undefined) throw new TokenRefused('unknown-key');
    const algorithms = ASYMMETRIC.filter((algorithm) => algorithm === allowed);
    const { payload } = await jwtVerify(token, keyring.publicKeys, { ...options, algorithms });
    return { claims: payload, tenant };
  } catch (error) {
    throw refusalOf(error);
  }
}

/** What a gateway of this cluster signed, for one of the tenants' visits. */
async function verifyGuest(
  keyrings: ReadonlyMap<string, Keyring>,
  token: string,
): Promise<{ claims: JWTPayload; tenant: Tenant }> {
  const { tenant, guests } = keyrings.get(readUnverified(token).issuer) ?? {};
  if (tenant === undefined) throw new TokenRefused('unknown-tenant');
  if (guests === undefined) throw new TokenRefused('unknown-key');
  try {
    return { claims: await guests.verify(token), tenant };
  } catch (error) {
    throw refusalOf(error);
  }
}

/**
 * Who comes to a visit: a participant with a token of the visit, or an attendant with one of a clinic.
 * `visit`: the one that was asked for, as it came; a clinic's token names none.
 * @throws as verifyJwt
 */
export async function verifyToken(
  keyrings: ReadonlyMap<string, Keyring>,
  token: string,
  visit?: unknown,
): Promise<{ identity: Identity; tenant: Tenant }> {
  if (readUnverified(token).kid === GUEST_KID) {
    const { claims, tenant } = await verifyGuest(keyrings, token);
    const guest = parseClaims(GuestClaims, claims);
    return { tenant, identity: { ...identityOf(guest), invite: guest.invite } };
  }
  const { claims, tenant } = await verifyJwt(keyrings, token, TOKEN_AUDIENCE, CLINIC_AUDIENCE);
  const identity = isFor(claims, TOKEN_AUDIENCE)
    ? identityOf(parseClaims(TokenClaims, claims))
    : attendantOf(parseClaims(ClinicClaims, claims), visit);
  return { tenant, identity };
}

/** Who comes to a clinic. @throws as verifyJwt */
export async function verifyClinicToken(
  keyrings: ReadonlyMap<string, Keyring>,
  token: string,
): Promise<{ identity: Staff; tenant: Tenant }> {
  const { claims, tenant } = await verifyJwt(keyrings, token, CLINIC_AUDIENCE);
  return { identity: staffOf(parseClaims(ClinicClaims, claims)), tenant };
}

const isFor = ({ aud }: JWTPayload, audience: string): boolean =>
  aud === audience || (Array.isArray(aud) && aud.includes(audience));

function parseClaims<Schema extends z.ZodMiniType>(
  schema: Schema,
  claims: JWTPayload,
): z.infer<Schema> {
  const parsed = schema.safeParse(claims);
  if (!parsed.success) throw new TokenRefused('claims');
  return parsed.data as z.infer<Schema>;
}

const identityOf = ({
  iss,
  visit,
  sub,
  role,
  name,
  lang,
  grants,
  exp,
  jti,
}: TokenClaims): Identity => ({
  tenant: iss,
  visit,
  jti,
  participant: sub,
  role,
  name,
  lang,
  grants,
  expiresAt: exp * 1000,
});

const staffOf = ({ iss, clinic, sub, role, name, grants, skills, exp }: ClinicClaims): Staff => ({
  tenant: iss,
  clinic,
  participant: sub,
  role,
  name,
  grants: clinicGrantsOf(role, grants),
  skills: skills ?? { specialties: [], languages: [], regions: [] },
  expiresAt: exp * 1000,
});

/** Whether the visit is one of the clinic's, the visit itself must say. */
function attendantOf(claims: ClinicClaims, asked: unknown): Identity {
  const { tenant, clinic, participant, role, name, grants, expiresAt } = staffOf(claims);
  if (!grants.includes('queue')) throw new TokenRefused('grant');
  const visit = VisitId.safeParse(asked);
  if (!visit.success) throw new TokenRefused('visit');
  return {
    tenant,
    visit: visit.data,
    jti: claims.jti,
    participant,
    role,
    name,
    grants: attendantGrantsOf(grants),
    attendant: { clinic },
    expiresAt,
  };
}

function readUnverified(token: string): { alg: string; kid: string | undefined; issuer: string } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof alg !== 'string' || typeof iss !== 'string') throw new TokenRefused('malformed');
    return { alg, kid, issuer: iss };
  } catch {
    throw new TokenRefused('malformed');
  }
}

/** By kid; a token without one is taken where the tenant has a single secret. */
function secretOf(keyring: Keyring, kid: string | undefined): Uint8Array | undefined {
  if (kid !== undefined) return keyring.secrets.get(kid);
  const [only, ...others] = keyring.secrets.values();
  return others.length === 0 ? only : undefined;
}

function refusalOf(error: unknown): Error {
  if (error instanceof TokenRefused || error instanceof BedsideError) return error;
  if (error instanceof errors.JWTExpired) return new TokenRefused('expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new TokenRefused(error.claim === 'aud' ? 'audience' : 'claims');
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return new TokenRefused('signature');
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return new TokenRefused('algorithm');
  if (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  ) {
    return new TokenRefused('unknown-key');
  }
  return new TokenRefused('malformed');
}
