import { BedsideError, type TokenClaims } from '@bedside/protocol';
import { parse } from './wire/shape.ts';
import { claimsShape } from './wire/shapes.ts';

/**
 * What the token says, unverified: the gateway verifies it; this page only reads where to go.
 * `isGuest`: it came of an invitation, or of a call.
 * @throws BedsideError `unauthorized` where it is no token of a visit.
 */
export function readClaims(token: string): TokenClaims & { isGuest: boolean } {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return { ...parse(claimsShape, claims), isGuest: claims.invite !== undefined };
  } catch (cause) {
    throw new BedsideError('unauthorized', { cause });
  }
}

/** The visit id, by which the balancer finds the gateway that owns the visit. */
export const visitOfToken = (token: string): string => readClaims(token).visit;
