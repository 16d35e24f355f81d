import { BedsideError, parse, TokenClaims } from '@bedside/protocol';

/**
 * What the token says, unverified: the gateway verifies it; this page only reads where to go.
 * @throws BedsideError `unauthorized` where it is no token of a visit.
 */
export function readClaims(token: string): TokenClaims {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    return parse(TokenClaims, JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new BedsideError('unauthorized', { cause });
  }
}

/** The visit id, by which the balancer finds the gateway that owns the visit. */
export const visitOfToken = (token: string): string => readClaims(token).visit;
