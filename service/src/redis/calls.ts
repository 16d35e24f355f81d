import { BedsideError } from '@bedside/protocol';
import type { Cluster, Redis } from 'ioredis';
import { type Clock, systemClock } from '../clock.ts';
import type { Script } from './script.ts';

/** Bound of every call, milliseconds. */
const CALL_DEADLINE_MS = 1_000;
/** When a page should try again while Redis is away, milliseconds. */
export const RETRY_AFTER_MS = 1_000;

export interface RedisCallsOptions {
  redis: Redis | Cluster;
  telemetry: { redis(operation: string, outcome: 'ok' | 'error', seconds: number): void };
  /** Why the connection is away, if it is: says more than what a call finds. */
  connectionError?: (() => Error | undefined) | undefined;
  /** A call found Redis away. */
  onFailed?: (cause: unknown) => void;
  clock?: Clock;
}

/**
 * Calls of Redis, each with a deadline, measured by the name of its operation. They throw BedsideError
 * `state-unavailable` where Redis does not answer, and `internal` where it holds what is not ours.
 */
export class RedisCalls {
  readonly #options: RedisCallsOptions;

  constructor(options: RedisCallsOptions) {
    this.#options = options;
  }

  /**
   * The script's reply, its texts as bytes: not all that is stored is text. `onRoundTrip` is called
   * after each way to Redis and back.
   */
  run(
    operation: string,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
    onRoundTrip: () => void = () => {},
  ): Promise<unknown> {
    const { redis } = this.#options;
    const ask = async (command: 'evalsha' | 'eval', which: string) => {
      try {
        return await redis.callBuffer(command, which, keys.length, ...keys, ...args);
      } finally {
        onRoundTrip();
      }
    };
    return this.call(operation, async () => {
      try {
        return await ask('evalsha', script.sha1);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return await ask('eval', script.source);
      }
    });
  }

  /**
   * A failure means that Redis is away; but not an answer that finds fault with one key's data: Redis
   * is there for the others.
   */
  async call<Result>(operation: string, run: () => Promise<Result>): Promise<Result> {
    const { telemetry, onFailed, clock = systemClock } = this.#options;
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    let cancel = () => {};
    try {
      const deadline = new Promise<never>((_, reject) => {
        cancel = clock.after(CALL_DEADLINE_MS, () =>
          reject(new Error('Redis did not answer in time')),
        );
      });
      const result = await Promise.race([run(), deadline]);
      telemetry.redis(operation, 'ok', seconds());
      return result;
    } catch (thrown) {
      const cause = this.#options.connectionError?.() ?? thrown;
      telemetry.redis(operation, 'error', seconds());
      if (cause instanceof Error && cause.message.startsWith('WRONGTYPE'))
        throw new BedsideError('internal', { cause });
      onFailed?.(cause);
      throw new BedsideError('state-unavailable', { retryAfterMs: RETRY_AFTER_MS, cause });
    } finally {
      cancel();
    }
  }
}
