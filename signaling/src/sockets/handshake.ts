import {
  BedsideError,
  ClientHandshake,
  negotiateVersion,
  parse,
  type SessionId,
  type VersionRange,
} from '@bedside/protocol';
import { type Keyring, TokenRefused, verifyToken } from '../auth/tokens.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { Identity } from '../ports.ts';

export interface Handshake {
  /** Socket.IO `auth`, as it came. */
  auth: unknown;
  /** Query parameter `visit`, as it came. */
  visit: unknown;
  origin: string | undefined;
}

export interface Admitted {
  identity: Identity;
  version: number;
  sessionId: SessionId | undefined;
}

/**
 * Who is at the door. Every fault of the token, its absence and a visit that is not its own included,
 * is answered with the same `unauthorized`: the answer must reveal nothing, of visits above all.
 * @throws BedsideError `unauthorized`, `unsupported-version`, `invalid-request`, `deadline` (a tenant's keys can not be fetched)
 */
export async function admit(
  handshake: Handshake,
  keyrings: ReadonlyMap<string, Keyring>,
  telemetry: Pick<GatewayTelemetry, 'tokenFailure'>,
): Promise<Admitted> {
  try {
    const { token, versions, sessionId } = readHandshake(handshake.auth);
    const version = negotiateVersion(versions);
    if (version === undefined) throw new BedsideError('unsupported-version');
    const { identity, tenant } = await verifyToken(keyrings, token);
    if (handshake.visit !== identity.visit) throw new TokenRefused('visit');
    if (
      handshake.origin !== undefined &&
      tenant.allowedOrigins?.includes(handshake.origin) === false
    ) {
      throw new TokenRefused('origin');
    }
    return { identity, version, sessionId };
  } catch (error) {
    throw answerTo(error, telemetry);
  }
}

/**
 * A fresh token for the same person, visit and role. @throws BedsideError `unauthorized`, `deadline`
 */
export async function renew(
  token: string,
  present: Identity,
  keyrings: ReadonlyMap<string, Keyring>,
  telemetry: Pick<GatewayTelemetry, 'tokenFailure'>,
): Promise<Identity> {
  try {
    const { identity } = await verifyToken(keyrings, token);
    const same = (['tenant', 'visit', 'participant', 'role'] as const).every(
      (key) => identity[key] === present[key],
    );
    if (!same) throw new TokenRefused('identity');
    return identity;
  } catch (error) {
    throw answerTo(error, telemetry);
  }
}

function readHandshake(auth: unknown): {
  token: string;
  versions: VersionRange;
  sessionId: SessionId | undefined;
} {
  const token: unknown =
    typeof auth === 'object' && auth !== null ? Reflect.get(auth, 'token') : undefined;
  if (typeof token !== 'string' || token === '') throw new TokenRefused('missing');
  if (!ClientHandshake.shape.token.safeParse(token).success) throw new TokenRefused('malformed');
  const { versions, sessionId } = parse(ClientHandshake, auth);
  return { token, versions, sessionId };
}

function answerTo(error: unknown, telemetry: Pick<GatewayTelemetry, 'tokenFailure'>): unknown {
  if (!(error instanceof TokenRefused)) return error;
  telemetry.tokenFailure(error.reason);
  return new BedsideError('unauthorized');
}
