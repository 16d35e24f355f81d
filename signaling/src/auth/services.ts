import { createHash, timingSafeEqual } from 'node:crypto';
import { BedsideError, SERVICE_AUDIENCE, type TenantId } from '@bedside/protocol';
import type { Tenant } from '../config.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import { type Keyring, TokenRefused, verifyJwt } from './tokens.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Who calls `/v1`: from the Authorization header to a tenant. */
export type ServiceAuth = (authorization: string) => Promise<TenantId>;

/**
 * A bearer is an API key of a tenant, or a JWT for the audience `bedside-service` that the tenant signed.
 * Keys are compared as digests in constant time, all of them each time.
 * The returned function throws BedsideError `unauthorized`, one answer for all reasons.
 */
export function createServiceAuth(
  tenants: readonly Tenant[],
  keyrings: ReadonlyMap<string, Keyring>,
  telemetry: Pick<GatewayTelemetry, 'tokenFailure'>,
): ServiceAuth {
  const keys = tenants.flatMap((tenant) =>
    tenant.apiKeys.map((key) => ({ tenant: tenant.id, digest: digest(key) })),
  );

  return async (authorization) => {
    const bearer = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
    if (bearer === undefined || bearer.length > 4096) {
      telemetry.tokenFailure('missing');
      throw new BedsideError('unauthorized');
    }
    const presented = digest(bearer);
    let owner: TenantId | undefined;
    for (const key of keys) if (timingSafeEqual(key.digest, presented)) owner = key.tenant;
    if (owner !== undefined) return owner;
    try {
      return (await verifyJwt(keyrings, bearer, SERVICE_AUDIENCE)).tenant.id;
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      telemetry.tokenFailure(error.reason);
      throw new BedsideError('unauthorized');
    }
  };
}
