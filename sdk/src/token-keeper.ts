import { BedsideError } from '@bedside/protocol';
import type { VisitOptions } from './types.ts';

export type TokenSource = Pick<VisitOptions, 'token' | 'tokenProvider'>;

/** The provider has this long to answer. */
const PROVIDER_DEADLINE_MS = 15_000;
/** Renewal begins at this share of the token's life, and again after this share of what is left. */
const RENEW_AT = 0.8;
const RENEW_LEAST_MS = 5_000;
/** setTimeout's own limit. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Holds the token: fetches it, and renews it before it expires. */
export class TokenKeeper {
  readonly #options: TokenSource;
  readonly #announce: (token: string) => Promise<{ expiresInMs: number }>;
  #token: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `announce` tells the gateway about a renewed token. */
  constructor(options: TokenSource, announce: (token: string) => Promise<{ expiresInMs: number }>) {
    this.#options = options;
    this.#announce = announce;
  }

  get isRenewable(): boolean {
    return this.#options.tokenProvider !== undefined;
  }

  /** The token last fetched. */
  get current(): string {
    if (this.#token === undefined) throw new BedsideError('token-unavailable');
    return this.#token;
  }

  /** A fresh token; without a provider the one token there is. @throws BedsideError token-unavailable */
  async fetch(): Promise<string> {
    const { token, tokenProvider } = this.#options;
    const fresh = tokenProvider ? await ask(tokenProvider) : token;
    if (!fresh) throw new BedsideError('token-unavailable');
    this.#token = fresh;
    return fresh;
  }

  /** The gateway's word on how long the token lasts: renew it before. Milliseconds. */
  expiresIn(ms: number): void {
    this.stop();
    if (!this.isRenewable) return;
    const waitMs = Math.min(Math.max(ms * RENEW_AT, RENEW_LEAST_MS), TIMER_MAX_MS);
    this.#timer = setTimeout(() => void this.#renew(ms - waitMs), waitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Now, and before it expires from then on. @throws BedsideError */
  async renew(): Promise<void> {
    const timer = this.#timer;
    const { expiresInMs } = await this.#announce(await this.fetch());
    if (this.#timer === timer) this.expiresIn(expiresInMs);
  }

  async #renew(leftMs: number): Promise<void> {
    const timer = this.#timer;
    try {
      await this.renew();
    } catch {
      // Tried again while the old token lasts; after that the gateway closes with `token-expired`.
      if (this.#timer === timer) this.expiresIn(Math.max(leftMs, 0));
    }
  }
}

async function ask(provider: () => string | Promise<string>): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new BedsideError('deadline')), PROVIDER_DEADLINE_MS);
  });
  try {
    return await Promise.race([provider(), deadline]);
  } catch (cause) {
    throw new BedsideError('token-unavailable', { cause });
  } finally {
    clearTimeout(timer);
  }
}
