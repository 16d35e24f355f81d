import { createHmac } from 'node:crypto';
import type { IceServer } from '@bedside/protocol';
import type { GatewayConfig } from './config.ts';

/**
 * ICE servers for one client. TURN credentials follow coturn's REST scheme (use-auth-secret): the user
 * name is the time of expiry in seconds since 1970 and nothing else, so that no person shows in the
 * TURN server's logs; the password is base64(HMAC-SHA1(secret, user name)).
 * `nowMs`: milliseconds since 1970.
 */
export function iceServersFor(
  config: Pick<GatewayConfig, 'iceServers' | 'turn'>,
  nowMs: number,
): IceServer[] {
  if (config.turn === undefined) return [...config.iceServers];
  const username = String(Math.floor(nowMs / 1000) + config.turn.ttlSeconds);
  const credential = createHmac('sha1', config.turn.secret).update(username).digest('base64');
  return [...config.iceServers, { urls: [...config.turn.urls], username, credential }];
}
