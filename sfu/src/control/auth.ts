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
  /** Whether it knows visits over several workers. */
  spreads: boolean;
}

/**
 * Checks the handshake of a control link, whose token one of the secrets has signed.
 * @throws BedsideError `invalid-request`, `unauthorized`, `unsupported-version`
 */
export async function admit(handshake: unknown, secrets: readonly string[]): Promise<Admission> {
  const { token, versions, gatewayId, spreads = false } = parse(ControlHandshake, handshake);
  await verifyToken(token, gatewayId, secrets);
  const version = negotiateVersion(versions);
  if (version === undefined) throw new BedsideError('unsupported-version');
  return { gatewayId, version, spreads };
}

async function verifyToken(
  token: string,
  gatewayId: GatewayId,
  secrets: readonly string[],
): Promise<void> {
  let refusal: unknown;
  for (const secret of secrets) {
    try {
      const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
        algorithms: ['HS256'],
        audience: CONTROL_AUDIENCE,
        // A stolen token does not take over the visits of another gateway.
        issuer: gatewayId,
        clockTolerance: CLOCK_SKEW_SECONDS,
        requiredClaims: ['exp'],
      });
      const latest = Date.now() / 1_000 + TOKEN_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS;
      if ((payload.exp ?? Number.POSITIVE_INFINITY) <= latest) return;
    } catch (error) {
      refusal = error;
    }
  }
  throw new BedsideError('unauthorized', { cause: refusal });
}
