import {
  BedsideError,
  CLOCK_SKEW_SECONDS,
  CONTROL_AUDIENCE,
  ControlHandshake,
  type GatewayId,
  negotiateVersion,
  parse,
} from '@bedside/protocol';
import { jwtVerify } from 'jose';

/** Seconds that a service token may live: one that is stolen from a log or a core dump is worth little. */
const TOKEN_LIFETIME_SECONDS = 60;

export interface Admission {
  gatewayId: GatewayId;
  version: number;
}

/**
 * Checks the handshake of a control link.
 * @throws BedsideError `invalid-request`, `unauthorized`, `unsupported-version`
 */
export async function admit(handshake: unknown, secret: Uint8Array): Promise<Admission> {
  const { token, versions, gatewayId } = parse(ControlHandshake, handshake);
  await verifyToken(token, gatewayId, secret);
  const version = negotiateVersion(versions);
  if (version === undefined) throw new BedsideError('unsupported-version');
  return { gatewayId, version };
}

async function verifyToken(token: string, gatewayId: GatewayId, secret: Uint8Array): Promise<void> {
  let expiresAt: number;
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: ['HS256'],
      audience: CONTROL_AUDIENCE,
      // A stolen token does not take over the visits of another gateway.
      issuer: gatewayId,
      clockTolerance: CLOCK_SKEW_SECONDS,
      requiredClaims: ['exp'],
    });
    expiresAt = payload.exp ?? Number.POSITIVE_INFINITY;
  } catch (error) {
    throw new BedsideError('unauthorized', { cause: error });
  }
  const latest = Date.now() / 1_000 + TOKEN_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS;
  if (expiresAt > latest) throw new BedsideError('unauthorized');
}
