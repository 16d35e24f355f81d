import { BedsideError } from '@bedside/protocol';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import type { Clock } from '../clock.ts';
import type { RedisCalls } from '../redis/calls.ts';
import { redisFault } from '../redis/fault.ts';
import { Member, nameOf, type View } from './member.ts';
import { BEAT, LEAVE, MEMBERSHIP_KEYS } from './scripts.ts';

/** A member that was killed is gone for the others after this long. */
const TTL_MS = 5_000;
const HEARTBEAT_MS = 1_500;
/** While Redis is away it is tried again after these delays, with jitter. */
const PROBE_MIN_MS = 100;
const PROBE_MAX_MS = 1_000;
/** When the cluster as a whole is gone, its keys go too. */
const KEYS_TTL_MS = 24 * 60 * 60 * 1000;

const text = z.pipe(z.instanceof(Buffer), z.transform(String));
const BeatReply = z.tuple([text, text], text);

export interface MembershipOptions {
  calls: RedisCalls;
  /** What this process says of itself; asked at each heartbeat. */
  self: () => Member;
  clock: Clock;
  log: Logger;
  /** The view is another: who came, went, or says something else of itself. */
  onView?: (view: View) => void;
  /** Redis answers again, possibly without its data. */
  onAvailable?: () => void;
}

/**
 * Who is in the cluster, told and heard by heartbeats: one call of Redis, whatever the cluster's size.
 * The view is this process' own, and never asked for on the way of a visit. While Redis is away it
 * stands still.
 */
export class Membership {
  /** False from the first failed call until Redis answers again. */
  available = false;
  readonly #options: MembershipOptions;
  #fault = redisFault(undefined);
  #view: View = new Map();
  #revision = '';
  /** What was last said of this process, if anything was. */
  #said: Member | undefined;
  #failures = 0;
  #stopped = false;
  #beating: Promise<void> | undefined;
  #cancelBeat: () => void = () => {};

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** What is the matter with Redis while it is not available, in words for an operator. */
  get fault(): string {
    return this.#fault;
  }

  /** As of the last heartbeat. */
  get view(): View {
    return this.#view;
  }

  /** Joins, and stays until `stop`. Resolves after the first try, whatever came of it. */
  async start(): Promise<void> {
    await this.beat();
  }

  /** Leaves: the others know at their next heartbeat. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelBeat();
    await this.#beating;
    const said = this.#said;
    if (!said) return;
    await this.#options.calls
      .run('leave', LEAVE, MEMBERSHIP_KEYS, [
        nameOf(said),
        JSON.stringify(said),
        JSON.stringify({ ...said, state: 'left' } satisfies Member),
      ])
      .catch(() => {});
  }

  /** A call of Redis failed: until a heartbeat gets through it is away. */
  failed(cause: unknown): void {
    this.#fault = redisFault(cause);
    if (!this.available) return;
    this.available = false;
    this.#options.log.warn({ reason: `Redis ${this.#fault}` }, 'Redis is away');
    this.#schedule(this.#backoff());
  }

  /** The connection was away though no call failed: what is there now may lack the last data. */
  reconnected(): void {
    if (!this.available) return;
    this.available = false;
    void this.beat();
  }

  /** A heartbeat now: for who needs the view of this moment, or has something else to say of itself. None after `stop`. */
  beat(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beat(): Promise<void> {
    const { calls, log, onAvailable } = this.#options;
    const self = this.#options.self();
    this.#said = { ...self };
    try {
      const reply = await calls.run('heartbeat', BEAT, MEMBERSHIP_KEYS, [
        nameOf(self),
        JSON.stringify(self),
        TTL_MS,
        this.#revision,
        KEYS_TTL_MS,
      ]);
      this.#see(BeatReply.parse(reply));
    } catch (thrown) {
      const cause = thrown instanceof BedsideError ? thrown.cause : thrown;
      this.#fault = redisFault(cause);
      this.available = false;
      this.#schedule(this.#backoff());
      return;
    }
    // A call may have failed while this heartbeat was under way.
    const returned = !this.available;
    // Only a second heartbeat in a row is a recovery: calls may go on failing between heartbeats that get through.
    if (!returned) this.#failures = 0;
    this.available = true;
    this.#schedule(HEARTBEAT_MS);
    if (!returned || this.#stopped) return;
    log.info('Redis answers');
    onAvailable?.();
  }

  #see([revision, whole, ...fields]: z.infer<typeof BeatReply>): void {
    if (fields.length === 0) return;
    // Until everybody had the time to be heard again, who was there before may still be.
    const view = new Map(whole === '1' ? [] : this.#view);
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const member = this.#parse(fields[i + 1] ?? '');
      if (member?.state === 'left') view.delete(nameOf(member));
      else if (member) view.set(nameOf(member), member);
    }
    // Asked for again until it is whole.
    this.#revision = whole === '1' ? revision : '';
    if (sameView(view, this.#view)) return;
    this.#view = view;
    this.#options.onView?.(view);
  }

  #parse(json: string): Member | undefined {
    try {
      return Member.parse(JSON.parse(json));
    } catch {
      this.#options.log.error('a member in Redis does not match its schema; it is passed over');
      return undefined;
    }
  }

  #backoff(): number {
    return Math.min(PROBE_MIN_MS * 2 ** this.#failures++, PROBE_MAX_MS);
  }

  #schedule(ms: number): void {
    this.#cancelBeat();
    if (this.#stopped) return;
    this.#cancelBeat = this.#options.clock.after(
      ms * (0.75 + Math.random() / 2),
      () => void this.beat(),
    );
  }
}

function sameView(one: View, other: View): boolean {
  if (one.size !== other.size) return false;
  for (const [name, member] of one)
    if (JSON.stringify(member) !== JSON.stringify(other.get(name))) return false;
  return true;
}
