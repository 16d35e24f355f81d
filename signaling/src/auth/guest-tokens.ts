import { randomUUID } from 'node:crypto';
import { CLOCK_SKEW_SECONDS, InviteId, TOKEN_AUDIENCE, TokenClaims } from '@bedside/protocol';
import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod/mini';
import { GUEST_KID } from '../config.ts';
import type { GuestTokens } from '../ports.ts';

/** Longest stay of a guest, seconds. Whether the invitation may be used is the visit's to say, for a much shorter time. */
export const GUEST_TOKEN_SECONDS = 12 * 60 * 60;

/** Claims of a token that a gateway signed: those of a portal's, and the invitation. */
export const GuestClaims = z.extend(TokenClaims, { invite: InviteId });

/**
 * Tokens for who comes by an invitation or a call: any gateway signs them, and every gateway of the
 * cluster takes them, by a secret that no tenant has.
 */
export class GuestKeys implements GuestTokens {
  readonly #key: Uint8Array;

  constructor(secret: string) {
    this.#key = new TextEncoder().encode(secret);
  }

  mint({
    tenant,
    visit,
    participant,
    role,
    name,
    invite,
  }: Parameters<GuestTokens['mint']>[0]): Promise<string> {
    return new SignJWT({ visit, role, invite, ...(name === undefined ? {} : { name }) })
      .setProtectedHeader({ alg: 'HS256', kid: GUEST_KID })
      .setIssuer(tenant)
      .setAudience(TOKEN_AUDIENCE)
      .setSubject(participant)
      .setExpirationTime(Math.floor(Date.now() / 1000) + GUEST_TOKEN_SECONDS)
      .setJti(randomUUID())
      .sign(this.#key);
  }

  /** The claims, of whatever shape, of a token that a gateway signed. @throws JOSE's errors */
  async verify(token: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, this.#key, {
      algorithms: ['HS256'],
      audience: TOKEN_AUDIENCE,
      clockTolerance: CLOCK_SKEW_SECONDS,
      requiredClaims: ['exp'],
    });
    return payload;
  }
}
