import type { TokenClaims } from '@bedside/protocol';
import { readClaims } from '../token.ts';

/** Milliseconds for which a token that was asked for ahead is as good as a new one: tokens are short-lived. */
const FRESH_MS = 60_000;

/**
 * Asks for the first token while the person still looks at their own picture: it says who joins, and
 * joining then does not wait for the portal.
 */
export class TokenAhead {
  readonly #ask: () => Promise<string>;
  #ahead: { token: Promise<string>; askedAt: number } | undefined;

  constructor(ask: () => Promise<string>) {
    this.#ask = ask;
  }

  /** Who the token is for; undefined where none can be had: connecting will say why. */
  async claims(): Promise<TokenClaims | undefined> {
    const token = this.#ask();
    this.#ahead = { token, askedAt: performance.now() };
    try {
      return readClaims(await token);
    } catch {
      return undefined;
    }
  }

  /** The token for the next connection or renewal. Rejects as the portal's provider does. */
  async next(): Promise<string> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (!ahead || performance.now() - ahead.askedAt > FRESH_MS) return this.#ask();
    return ahead.token.catch(() => this.#ask());
  }
}
