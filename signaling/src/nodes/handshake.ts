import {
  CONTROL_AUDIENCE,
  type ControlHandshake,
  type GatewayId,
  SUPPORTED_VERSIONS,
} from '@bedside/protocol';
import { SignJWT } from 'jose';

const TOKEN_LIFETIME_SECONDS = 60;

/** What a control link begins with; made anew for every connection, since its token lives a minute. */
export async function controlHandshake(
  gatewayId: GatewayId,
  controlSecret: string,
): Promise<ControlHandshake> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience(CONTROL_AUDIENCE)
    .setIssuer(gatewayId)
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_LIFETIME_SECONDS}s`)
    .sign(new TextEncoder().encode(controlSecret));
  return { token, versions: SUPPORTED_VERSIONS, gatewayId };
}
