import type { Clock } from '@bedside/service';
import type { Redis } from 'ioredis';

/** A connection that is dead and does not know it is found out after this long, milliseconds. */
const PING_MS = 5_000;

export interface BusListener {
  /** Something was published. */
  message(text: string): void;
  /** Messages arrive from now on; those of before may be missing. */
  subscribed(): void;
}

/**
 * Redis channels, on a connection of their own, since one that listens can do nothing else. Messages
 * are hints: while the connection is away they are lost, and `subscribed` says when it is back.
 */
export class Bus {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #onRefused: (error: Error) => void;
  readonly #listeners = new Map<string, Set<BusListener>>();
  #cancelPing = () => {};

  /**
   * `redis`: one that does not join channels again by itself (SUBSCRIBER_OPTIONS); the caller closes it,
   * after `close`. `onRefused`: Redis answers, and does not let us listen.
   */
  constructor(redis: Redis, clock: Clock, onRefused: (error: Error) => void) {
    this.#redis = redis;
    this.#clock = clock;
    this.#onRefused = onRefused;
    redis.on('ready', () => this.#join([...this.#listeners.keys()]));
    redis.on('message', (channel: string, text: string) => {
      for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener.message(text);
    });
    this.#ping();
  }

  /** Returns the end of it. */
  listen(channel: string, listener: BusListener): () => void {
    let listeners = this.#listeners.get(channel);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(channel, listeners);
    }
    listeners.add(listener);
    this.#join([channel]);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(channel);
      this.#redis.unsubscribe(channel).catch(() => {});
    };
  }

  close(): void {
    this.#cancelPing();
    this.#listeners.clear();
  }

  #join(channels: readonly string[]): void {
    if (channels.length === 0) return;
    this.#redis.subscribe(...channels).then(
      () => {
        for (const channel of channels)
          for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener.subscribed();
      },
      (error: Error) => {
        // Away: `ready` comes.
        if (error.name === 'ReplyError') this.#onRefused(error);
      },
    );
  }

  #ping(): void {
    this.#cancelPing = this.#clock.after(PING_MS, () => {
      // An answer that does not come ends the connection, by the client's own timeout.
      this.#redis.ping().catch(() => {});
      this.#ping();
    });
  }
}
