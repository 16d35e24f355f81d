import { BedsideError } from '@bedside/protocol';
import { TokenBucket } from '@bedside/service';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** The address must answer within this, milliseconds. */
const TIMEOUT_MS = 3000;
/** Longest answer, bytes; a key has about 500. */
export const MAX_KEYS_BYTES = 256 * 1024;
/** Fetches, whatever asks for them: a kid that nobody knows is made up easily, and must not become a request each time. */
export const FETCHES = { burst: 5, perSecond: 1 / 10 };
/** Keys are fetched again once they are as old as this, milliseconds. */
export const FRESH_MS = 600_000;
/** While they can not be fetched, the old ones serve until they are as old as this, milliseconds: an outage of the portal should end no clinic's day, and a key that was withdrawn must stop in the end. */
export const USABLE_MS = 3_600_000;

export interface RemoteKeysOptions {
  /** After each try; `error` is undefined where the keys came. */
  onFetched(error: unknown): void;
  /** A monotonic clock, milliseconds. */
  now(): number;
}

/** The public keys (JWKS) that an address serves: fetched when a token needs them, and again for a kid that is new. */
export class RemoteKeys {
  readonly #url: string;
  readonly #options: RemoteKeysOptions;
  readonly #fetches: TokenBucket;
  #keys: JWTVerifyGetKey | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(url: string, options: RemoteKeysOptions) {
    this.#url = url;
    this.#options = options;
    this.#fetches = new TokenBucket(FETCHES, options.now());
  }

  /** @throws BedsideError `deadline` where there are no keys; JOSE's errors where none of them fits */
  readonly keyFor: JWTVerifyGetKey = async (header, token) => {
    if (this.#age >= FRESH_MS) {
      const fetched = this.#fetch();
      // With keys that are still good nobody waits for a portal that may be slow.
      if (this.#age >= USABLE_MS) await fetched;
    }
    if (this.#keys === undefined || this.#age >= USABLE_MS) throw new BedsideError('deadline');
    try {
      return await this.#keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    await this.#fetch();
    return this.#keys(header, token);
  };

  get #age(): number {
    return this.#options.now() - this.#fetchedAt;
  }

  /** Resolves when there is nothing more to wait for, whether keys came or not; many callers share one fetch. */
  #fetch(): Promise<void> {
    if (this.#fetching === undefined) {
      if (this.#fetches.take(this.#options.now()) > 0) return Promise.resolve();
      this.#fetching = fetchKeys(this.#url)
        .then(
          (keys) => {
            this.#keys = keys;
            this.#fetchedAt = this.#options.now();
            this.#options.onFetched(undefined);
          },
          (error: unknown) => this.#options.onFetched(error),
        )
        .finally(() => {
          this.#fetching = undefined;
        });
    }
    return this.#fetching;
  }
}

async function fetchKeys(url: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_KEYS_BYTES) throw new Error('the key set is too long');
    chunks.push(chunk);
  }
  if (!response.ok) throw new Error(`the key set was answered with ${response.status}`);
  return createLocalJWKSet(JSON.parse(Buffer.concat(chunks).toString()) as JSONWebKeySet);
}
