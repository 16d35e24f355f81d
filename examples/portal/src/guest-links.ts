import { randomInt } from 'node:crypto';
import { BedsideError, parse, TokenClaims, type VisitId } from '@bedside/protocol';
import { decodeJwt } from 'jose';
import * as z from 'zod/mini';
import { Memory } from './memory.ts';

/** Links that can still be used. */
const LIMIT = 1000;
/** Longest and usual life of an invitation, milliseconds. */
const LONGEST_MS = 24 * 60 * 60_000;
const USUAL_MS = 15 * 60_000;
/** Easy to read out, and 59 bits: nobody guesses one of a thousand in its life. */
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const LENGTH = 12;

const Invitation = z.object({
  token: z.string().check(z.minLength(1), z.maxLength(4096)),
  /** Until when it can be used, milliseconds since 1970. */
  expiresAt: z.optional(z.int()),
});
const Code = z.object({ code: z.string().check(z.maxLength(64)) });

export interface Guest {
  token: string;
  visit: VisitId;
  role: TokenClaims['role'];
}

/**
 * Invitations whose tokens stay out of addresses: a link has a code in place of one, which is good for one
 * exchange within the invitation's life.
 */
export class GuestLinks {
  readonly #links: Memory<string, Guest>;
  readonly #tenant: string;
  readonly #now: () => number;

  constructor(tenant: string, now: () => number = Date.now) {
    this.#tenant = tenant;
    this.#now = now;
    this.#links = new Memory(LIMIT, now);
  }

  /** @throws BedsideError `invalid-request` where it is no invitation into a visit of this portal's. */
  keep(body: unknown): { code: string; expiresAt: number } {
    const { token, expiresAt = this.#now() + USUAL_MS } = parse(Invitation, body);
    // Whether it is genuine is the gateway's to say, once somebody shows it.
    const { visit, role, iss } = parse(TokenClaims, decoded(token));
    if (iss !== this.#tenant) throw new BedsideError('invalid-request', { field: 'token' });
    const until = Math.min(expiresAt, this.#now() + LONGEST_MS);
    const code = newCode();
    this.#links.set(code, { token, visit, role }, until);
    return { code: `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8)}`, expiresAt: until };
  }

  /** Gives the token to the first who asks. @throws BedsideError `invite-used`, also for what never was. */
  redeem(body: unknown): Guest {
    const code = parse(Code, body)
      .code.toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '');
    const guest = this.#links.take(code);
    if (!guest) throw new BedsideError('invite-used');
    return guest;
  }
}

const newCode = (): string =>
  Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');

function decoded(token: string): unknown {
  try {
    return decodeJwt(token);
  } catch (cause) {
    throw new BedsideError('invalid-request', { field: 'token', cause });
  }
}
