import { BedsideError, type GatewayId, LIMITS, type VisitKey } from '@bedside/protocol';
import { RETRY_AFTER_MS, RedisCalls } from '@bedside/service';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import type { Clock } from '../actor/clock.ts';
import type { VisitTelemetry } from '../ports.ts';
import { type LedgerEvent, Said, Visit } from '../visit/state.ts';
import { gatewayKeys, visitKeys } from './keys.ts';
import { pack, unpack } from './packing.ts';
import { ACQUIRE, COMMIT, RELEASE, UNREGISTER } from './scripts.ts';

/** Everything of a visit expires by itself this long after its last change, and after it was to begin. */
const VISIT_TTL_MS = 24 * 60 * 60 * 1000;
/** Ledger entries that are kept of a visit; beyond, the oldest go. */
const LEDGER_LENGTH = 10_000;
/** A gateway that was killed is gone for the others after this long. */
const REGISTRATION_TTL_MS = 5_000;
const HEARTBEAT_MS = 1_500;
/** While Redis is away it is tried again after these delays, with jitter. */
const PROBE_MIN_MS = 100;
const PROBE_MAX_MS = 1_000;

/** How the client that is passed in should be set up: calls fail fast, this module decides what to do then. */
export const REDIS_OPTIONS = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  connectTimeout: 1_000,
  // A connection that a firewall or a dead host swallowed would be held for minutes.
  socketTimeout: 2_000,
  retryStrategy: (attempt: number) =>
    Math.min(100 * 2 ** Math.min(attempt, 4), PROBE_MAX_MS) * (0.5 + Math.random() / 2),
} as const;

export interface Lease {
  epoch: number;
  /** The visit as it was last committed, if it was. */
  visit: Visit | undefined;
  /** What was written in it so far. */
  messages: readonly Said[];
}

export interface Commit {
  epoch: number;
  /** Grows with each commit under an epoch; the same number is written once. */
  number: number;
  visit: Visit;
  events: readonly LedgerEvent[];
  messages: readonly Said[];
}

/** Visits and leases in Redis. Calls throw BedsideError `state-unavailable` when Redis does not answer, `internal` where what it holds is not ours. */
export interface VisitStore {
  /** False from the first failed call until Redis answers again. */
  readonly available: boolean;
  /** @throws BedsideError `moved` where another live gateway owns the visit */
  acquire(key: VisitKey): Promise<Lease>;
  read(key: VisitKey): Promise<Visit | undefined>;
  /** The ledger, oldest first. */
  events(key: VisitKey): Promise<LedgerEvent[]>;
  /** `stale`: a higher epoch exists, so this gateway doesn't own the visit any more. */
  commit(key: VisitKey, commit: Commit): Promise<'written' | 'stale'>;
  /** Where Redis is away it is released on its return. */
  release(key: VisitKey, epoch: number): Promise<void>;
  /** The visits that an earlier boot of this gateway had open when it died. */
  abandoned(): Promise<VisitKey[]>;
}

export interface RedisStoreOptions {
  redis: Redis | Cluster;
  gatewayId: GatewayId;
  /** New at every start of the process. */
  boot: string;
  clock: Clock;
  log: Logger;
  telemetry: VisitTelemetry;
  /** Redis answers again, possibly without its data. */
  onAvailable: () => void;
}

const text = z.pipe(z.instanceof(Buffer), z.transform(String));
const AcquireReply = z.union([
  z.tuple([z.pipe(text, z.literal('owned')), text, text, text]),
  z.tuple([
    z.pipe(text, z.literal('acquired')),
    text,
    z.nullable(z.instanceof(Buffer)),
    z.array(text),
  ]),
]);

export class RedisStore implements VisitStore {
  available = false;
  readonly #options: RedisStoreOptions;
  readonly #calls: RedisCalls;
  #stopped = false;
  #failures = 0;
  /** Leases that were given up while Redis was away; without this, others would be sent here for them. */
  readonly #unreleased = new Map<VisitKey, number>();
  #cancelBeat: () => void = () => {};

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#calls = new RedisCalls({ ...options, onFailed: (cause) => this.#failed(cause) });
  }

  /** Registers this gateway, and keeps it registered until `stop`. Resolves after the first try, whatever came of it. */
  async start(): Promise<void> {
    await this.#beat();
  }

  /** Ends the registration: others may take over at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelBeat();
    const { registration } = gatewayKeys(this.#options.gatewayId);
    await this.#calls
      .run('unregister', UNREGISTER, [registration], [this.#options.boot])
      .catch(() => {});
  }

  async acquire(key: VisitKey): Promise<Lease> {
    this.#unreleased.delete(key);
    const { visits } = gatewayKeys(this.#options.gatewayId);
    const tracked = this.#calls.call('track', () =>
      this.#options.redis.pipeline().sadd(visits, key).pexpire(visits, VISIT_TTL_MS).exec(),
    );
    const [lease] = await Promise.all([this.#take(key), tracked]);
    return lease;
  }

  async #take(key: VisitKey): Promise<Lease> {
    let reply = await this.#tryAcquire(key, '');
    if (reply[0] === 'owned') {
      const [, gateway, boot, epoch] = reply;
      const { registration } = gatewayKeys(gateway as GatewayId);
      const live = await this.#calls.call('find-owner', () =>
        this.#options.redis.get(registration),
      );
      if (live === boot) throw new BedsideError('moved', { retryAfterMs: RETRY_AFTER_MS });
      reply = await this.#tryAcquire(key, epoch);
      if (reply[0] === 'owned') throw new BedsideError('moved', { retryAfterMs: RETRY_AFTER_MS });
    }
    const [, epoch, snapshot, said] = reply;
    const visit = this.#parse(snapshot);
    const messages = said.flatMap((each) => this.#parseSaid(each) ?? []);
    return { epoch: Number(epoch), visit, messages };
  }

  async read(key: VisitKey): Promise<Visit | undefined> {
    return this.#parse(
      await this.#calls.call('read', () => this.#options.redis.getBuffer(visitKeys(key).snapshot)),
    );
  }

  async commit(
    key: VisitKey,
    { epoch, number, visit, events, messages: said }: Commit,
  ): Promise<'written' | 'stale'> {
    const { lease, snapshot, ledger, messages } = visitKeys(key);
    const { gatewayId, boot } = this.#options;
    const reply = await this.#calls.run(
      'commit',
      COMMIT,
      [lease, snapshot, ledger, messages],
      [
        gatewayId,
        boot,
        epoch,
        number,
        lifeOf(visit, this.#options.clock.now()),
        LEDGER_LENGTH,
        pack(JSON.stringify(visit)),
        visit.state === 'ended' ? 0 : LIMITS.messagesPerVisit,
        said.length,
        ...said.map((each) => JSON.stringify(each)),
        ...events.map((event) => JSON.stringify(event)),
      ],
    );
    return String(reply) === 'stale' ? 'stale' : 'written';
  }

  async events(key: VisitKey): Promise<LedgerEvent[]> {
    const entries = await this.#calls.call('events', () =>
      this.#options.redis.lrange(visitKeys(key).ledger, 0, -1),
    );
    return entries.map((entry) => JSON.parse(entry) as LedgerEvent);
  }

  async release(key: VisitKey, epoch: number): Promise<void> {
    const { lease, snapshot } = visitKeys(key);
    this.#unreleased.set(key, epoch);
    await this.#calls.run('release', RELEASE, [lease, snapshot], [epoch]);
    // Where the visit was opened again meanwhile, that is what is tracked.
    if (this.#unreleased.get(key) !== epoch) return;
    this.#unreleased.delete(key);
    await this.#calls.call('untrack', () =>
      this.#options.redis.srem(gatewayKeys(this.#options.gatewayId).visits, key),
    );
  }

  async abandoned(): Promise<VisitKey[]> {
    const keys = await this.#calls.call('abandoned', () =>
      this.#options.redis.smembers(gatewayKeys(this.#options.gatewayId).visits),
    );
    return keys as VisitKey[];
  }

  async #tryAcquire(key: VisitKey, abandonedEpoch: string): Promise<z.infer<typeof AcquireReply>> {
    const { lease, snapshot, messages } = visitKeys(key);
    const { gatewayId, boot, clock } = this.#options;
    const reply = await this.#calls.run(
      'acquire',
      ACQUIRE,
      [lease, snapshot, messages],
      [gatewayId, boot, clock.now(), abandonedEpoch, VISIT_TTL_MS],
    );
    return AcquireReply.parse(reply);
  }

  /** The snapshot, checked; one that this version can't read is as good as lost, and logged. */
  #parse(snapshot: Buffer | null): Visit | undefined {
    if (snapshot === null) return undefined;
    try {
      return Visit.parse(JSON.parse(unpack(snapshot)));
    } catch {
      // Not the cause: the schema's message may quote names from the snapshot.
      this.#options.log.error(
        'a visit snapshot in Redis does not match its schema; the visit starts anew',
      );
      return undefined;
    }
  }

  /** A message, checked; one that this version can't read must not keep the visit closed. */
  #parseSaid(text: string): Said | undefined {
    try {
      return Said.parse(JSON.parse(text));
    } catch {
      this.#options.log.error('a message in Redis does not match its schema; it is left out');
      return undefined;
    }
  }

  /** Redis is away, until a heartbeat gets through. */
  #failed(cause: unknown): void {
    if (!this.available) return;
    this.available = false;
    this.#options.log.warn(
      { reason: cause instanceof Error ? cause.message : 'unknown' },
      'Redis is away',
    );
    this.#schedule(this.#backoff());
  }

  async #beat(): Promise<void> {
    const { redis, gatewayId, boot, log } = this.#options;
    try {
      await this.#calls.call('heartbeat', () =>
        redis.set(gatewayKeys(gatewayId).registration, boot, 'PX', REGISTRATION_TTL_MS),
      );
    } catch {
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
    for (const [key, epoch] of this.#unreleased) void this.release(key, epoch).catch(() => {});
    this.#options.onAvailable();
  }

  #backoff(): number {
    return Math.min(PROBE_MIN_MS * 2 ** this.#failures++, PROBE_MAX_MS);
  }

  #schedule(ms: number): void {
    this.#cancelBeat();
    if (this.#stopped) return;
    this.#cancelBeat = this.#options.clock.after(
      ms * (0.75 + Math.random() / 2),
      () => void this.#beat(),
    );
  }
}

/** For how long a visit is kept from now on, milliseconds: who comes to one that is forgotten is not made to wait. */
function lifeOf({ state, policy: { startsAt } }: Visit, now: number): number {
  const ahead = state === 'ended' || startsAt === undefined ? 0 : startsAt - now;
  return Math.max(0, ahead) + VISIT_TTL_MS;
}
