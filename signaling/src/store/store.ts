import {
  BedsideError,
  type GatewayId,
  LIMITS,
  type NodeId,
  type VisitKey,
} from '@bedside/protocol';
import {
  type Clock,
  type Member,
  Membership,
  nameOf,
  RETRY_AFTER_MS,
  RedisCalls,
  type View,
} from '@bedside/service';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import type { VisitTelemetry } from '../ports.ts';
import { nextDeadline } from '../visit/deadlines.ts';
import { isProof } from '../visit/ledger.ts';
import { type LedgerEvent, type Media, Said, Visit } from '../visit/state.ts';
import { DEADLINE_EPOCHS, DEADLINES, gatewayKeys, visitKeys } from './keys.ts';
import { pack, unpack } from './packing.ts';
import { ACQUIRE, COMMIT, EXPECT, OVERDUE, RELEASE } from './scripts.ts';

/** Everything of a visit expires by itself this long after its last change, and after it was to begin. */
const VISIT_TTL_MS = 24 * 60 * 60 * 1000;
/** Ledger entries that are kept of a visit, of each kind; beyond, the oldest go. */
const PROOF_LENGTH = 10_000;
const ACTIVITY_LENGTH = 5_000;
/** Whoever has a visit open has done by then what is due in it, milliseconds. */
const LATE_MS = 2_000;
/** To whom a visit is given that is overdue has so long to look at it, milliseconds. */
const AGAIN_MS = 30_000;
const OVERDUE_AT_ONCE = 16;

export interface Lease {
  epoch: number;
  /** The visit as it was last committed, if it was. */
  visit: Visit | undefined;
  /** What was written in it so far. */
  messages: readonly Said[];
  /** To Redis and back, one after the other, until the visit was taken. */
  roundTrips: number;
  /** As they are on record for this epoch. */
  keepers: readonly Media[];
  /**
   * Epoch and number of the last commit, where somebody had the visit until now: the keepers may hold what
   * came after it.
   */
  inherited?: { epoch: number; number: number; keepers: readonly Media[] } | undefined;
  /** What Redis lacks of it. */
  unwritten?: { events: readonly LedgerEvent[]; messages: readonly Said[] };
  /** Nodes that hold something of the visit. */
  heldAt?: readonly NodeId[];
}

export interface Commit {
  epoch: number;
  /** Grows with each commit under an epoch; the same number is written once. */
  number: number;
  /** The number of the commit that must have been written before this one; any where it is absent. */
  after?: number | undefined;
  visit: Visit;
  events: readonly LedgerEvent[];
  messages: readonly Said[];
  /** Nodes, in their boots, that hold what comes after this commit where Redis is away; the next owner asks them. */
  keepers?: readonly Media[];
}

/** Visits and leases in Redis. Calls throw BedsideError `state-unavailable` when Redis does not answer, `internal` where what it holds is not ours. */
export interface VisitStore {
  /** False from the first failed call until Redis answers again. */
  readonly available: boolean;
  /** What is the matter while it is not, in words for an operator. */
  readonly fault: string;
  /**
   * `overtake`: from its owner, too, who may live.
   * @throws BedsideError `moved` where another live gateway owns the visit
   */
  acquire(key: VisitKey, keepers?: readonly Media[], overtake?: boolean): Promise<Lease>;
  read(key: VisitKey): Promise<Visit | undefined>;
  /** The ledger, oldest first. */
  events(key: VisitKey): Promise<LedgerEvent[]>;
  /**
   * `stale`: a higher epoch exists, so this gateway doesn't own the visit any more. `gap`: Redis has lost
   * what was written before; nothing was written. `onRoundTrip` is called after each way to Redis and back.
   */
  commit(
    key: VisitKey,
    commit: Commit,
    onRoundTrip?: () => void,
  ): Promise<'written' | 'stale' | 'gap'>;
  /** Where Redis is away it is released on its return. */
  release(key: VisitKey, epoch: number): Promise<void>;
  /** When somebody must look at the visit, milliseconds since 1970, whoever has it then; undefined for never. The word of the highest epoch stands. */
  expect(key: VisitKey, epoch: number, at: number | undefined): Promise<void>;
  /** Visits that nobody has looked at in time. Each is given to one who asks, and again after a while unless `expect` says otherwise. */
  overdue(): Promise<VisitKey[]>;
  /** The visits that an earlier boot of this gateway had open when it died. */
  abandoned(): Promise<VisitKey[]>;
  /** The visits that a gateway has open, or had when it died; some may be another's by now. */
  visitsOf(gateway: GatewayId): Promise<VisitKey[]>;
  /** That gateway has the visit open no more. */
  untrack(gateway: GatewayId, key: VisitKey): Promise<void>;
  /** Another gateway owns the visit that this one had open. */
  lost(key: VisitKey): Promise<void>;
}

export interface RedisStoreOptions {
  redis: Redis | Cluster;
  /** Why it is not connected, if it is not. */
  connectionError?: (() => Error | undefined) | undefined;
  gatewayId: GatewayId;
  /** New at every start of the process. */
  boot: string;
  /** What this gateway says of itself to the cluster. */
  self: () => Member;
  /** Whether somebody answers there, asked of a gateway that may have died. */
  answers: (address: string) => Promise<boolean>;
  clock: Clock;
  log: Logger;
  telemetry: VisitTelemetry;
  /** Redis answers again, possibly without its data. */
  onAvailable: () => void;
  /** Who is in the cluster is another view. */
  onView?: (view: View) => void;
}

const text = z.pipe(z.instanceof(Buffer), z.transform(String));
const AcquireReply = z.union([
  z.tuple([z.pipe(text, z.literal('owned')), text, text, text]),
  z.tuple([
    z.pipe(text, z.literal('acquired')),
    text,
    z.nullable(z.instanceof(Buffer)),
    z.array(text),
    text,
    text,
    text,
  ]),
]);

export class RedisStore implements VisitStore {
  readonly #options: RedisStoreOptions;
  readonly #calls: RedisCalls;
  readonly #membership: Membership;
  /** Leases that were given up while Redis was away; without this, others would be sent here for them. */
  readonly #unreleased = new Map<VisitKey, number>();
  readonly #held = new Set<VisitKey>();

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#calls = new RedisCalls({
      ...options,
      onFailed: (cause) => this.#membership.failed(cause),
    });
    this.#membership = new Membership({
      ...options,
      calls: this.#calls,
      onAvailable: () => this.#returned(),
    });
  }

  get available(): boolean {
    return this.#membership.available;
  }

  get fault(): string {
    return this.#membership.fault;
  }

  /** The connection was away, though no call may have failed. */
  reconnected(): void {
    this.#membership.reconnected();
  }

  /** This gateway joins the cluster, and stays until `stop`. Resolves after the first try, whatever came of it. */
  async start(): Promise<void> {
    await this.#membership.start();
  }

  /** This gateway leaves the cluster: others may take over at once. */
  async stop(): Promise<void> {
    await this.#membership.stop();
  }

  async acquire(key: VisitKey, keepers: readonly Media[] = [], overtake = false): Promise<Lease> {
    this.#unreleased.delete(key);
    const [lease] = await Promise.all([this.#take(key, keepers, overtake), this.#track([key])]);
    this.#held.add(key);
    return lease;
  }

  /** For the next boot, to take them up again. */
  async #track(keys: readonly VisitKey[]): Promise<void> {
    if (keys.length === 0) return;
    const { visits } = gatewayKeys(this.#options.gatewayId);
    await this.#calls.call('track', async () => {
      const replies = await this.#options.redis
        .pipeline()
        .sadd(visits, ...keys)
        .pexpire(visits, VISIT_TTL_MS)
        .exec();
      // A pipeline does not fail where its commands do.
      for (const [error] of replies ?? []) if (error) throw error;
    });
  }

  async #take(key: VisitKey, keepers: readonly Media[], overtake: boolean): Promise<Lease> {
    let roundTrips = 0;
    const count = () => {
      roundTrips += 1;
    };
    let reply = await this.#tryAcquire(key, keepers, '', count);
    if (reply[0] === 'owned') {
      const [, gateway, boot, epoch] = reply;
      if (!overtake && (await this.#isLive(gateway, boot, count))) throw movedTo(gateway);
      this.#options.log.warn(
        { gateway },
        overtake
          ? 'a visit is taken over from a gateway that its pages do not reach'
          : 'a visit is taken over from a gateway that is gone',
      );
      reply = await this.#tryAcquire(key, keepers, epoch, count);
      if (reply[0] === 'owned') throw movedTo(reply[1]);
      void this.untrack(gateway as GatewayId, key).catch(() => {});
    }
    const [, epoch, snapshot, said, owner, last, before] = reply;
    let visit: Visit | undefined;
    try {
      visit = this.#parse(snapshot);
    } catch (error) {
      // For one that can read it.
      await this.release(key, Number(epoch)).catch(() => {});
      throw error;
    }
    const messages = said.flatMap((each) => this.#parseSaid(each) ?? []);
    const [lastEpoch, number] = last.split(' ').map(Number);
    const inherited = owner
      ? { epoch: lastEpoch ?? 0, number: number ?? 0, keepers: keepersIn(before) }
      : undefined;
    return { epoch: Number(epoch), visit, messages, roundTrips, keepers, inherited };
  }

  /**
   * Whether that boot of a gateway lives. Who is not in the view may be new; who is may have died since,
   * and a dead host does not refuse. A mistake costs a redirect: epochs keep two owners apart.
   */
  async #isLive(gateway: string, boot: string, onRoundTrip: () => void): Promise<boolean> {
    const find = () => this.#membership.view.get(nameOf({ kind: 'gateway', id: gateway }));
    if (find()?.boot !== boot) {
      await this.#membership.beat();
      onRoundTrip();
    }
    const owner = find();
    return owner?.boot === boot && (await this.#options.answers(owner.address));
  }

  async read(key: VisitKey): Promise<Visit | undefined> {
    return this.#parse(
      await this.#calls.call('read', () => this.#options.redis.getBuffer(visitKeys(key).snapshot)),
    );
  }

  async commit(
    key: VisitKey,
    { epoch, number, after, visit, events, messages: said, keepers = [] }: Commit,
    onRoundTrip?: () => void,
  ): Promise<'written' | 'stale' | 'gap'> {
    const { lease, snapshot, ledger, messages, activity } = visitKeys(key);
    const { gatewayId, boot } = this.#options;
    const { proof = [], rest = [] } = Object.groupBy(events, (event) =>
      isProof(event) ? 'proof' : 'rest',
    );
    const reply = await this.#calls.run(
      'commit',
      COMMIT,
      [lease, snapshot, ledger, messages, activity],
      [
        gatewayId,
        boot,
        epoch,
        number,
        lifeOf(visit, this.#options.clock.now()),
        PROOF_LENGTH,
        pack(JSON.stringify(visit)),
        visit.state === 'ended' ? 0 : LIMITS.messagesPerVisit,
        said.length,
        ACTIVITY_LENGTH,
        proof.length,
        after ?? '',
        textOf(keepers),
        ...[...said, ...proof, ...rest].map((each) => JSON.stringify(each)),
      ],
      onRoundTrip,
    );
    const outcome = String(reply);
    return outcome === 'stale' || outcome === 'gap' ? outcome : 'written';
  }

  async events(key: VisitKey): Promise<LedgerEvent[]> {
    const { ledger, activity } = visitKeys(key);
    const [proof, rest] = await Promise.all(
      [ledger, activity].map((list) =>
        this.#calls.call('events', () => this.#options.redis.lrange(list, 0, -1)),
      ),
    );
    return merged(eventsIn(proof), eventsIn(rest));
  }

  async release(key: VisitKey, epoch: number): Promise<void> {
    const { lease, snapshot } = visitKeys(key);
    this.#unreleased.set(key, epoch);
    this.#held.delete(key);
    await this.#calls.run('release', RELEASE, [lease, snapshot], [epoch]);
    // Where the visit was opened again meanwhile, that is what is tracked.
    if (this.#unreleased.get(key) !== epoch) return;
    this.#unreleased.delete(key);
    await this.untrack(this.#options.gatewayId, key);
  }

  async expect(key: VisitKey, epoch: number, at: number | undefined): Promise<void> {
    const life = Math.max(0, (at ?? 0) - this.#options.clock.now()) + VISIT_TTL_MS;
    await this.#calls.run(
      'expect',
      EXPECT,
      [DEADLINES, DEADLINE_EPOCHS],
      [key, epoch, at ?? '', life, VISIT_TTL_MS],
    );
  }

  async overdue(): Promise<VisitKey[]> {
    const now = this.#options.clock.now();
    const reply = await this.#calls.run(
      'overdue',
      OVERDUE,
      [DEADLINES, DEADLINE_EPOCHS],
      [now - LATE_MS, now + AGAIN_MS, OVERDUE_AT_ONCE, now - VISIT_TTL_MS],
    );
    return z.array(text).parse(reply) as VisitKey[];
  }

  abandoned(): Promise<VisitKey[]> {
    return this.visitsOf(this.#options.gatewayId);
  }

  async visitsOf(gateway: GatewayId): Promise<VisitKey[]> {
    const keys = await this.#calls.call('abandoned', () =>
      this.#options.redis.smembers(gatewayKeys(gateway).visits),
    );
    return keys as VisitKey[];
  }

  async untrack(gateway: GatewayId, key: VisitKey): Promise<void> {
    await this.#calls.call('untrack', () =>
      this.#options.redis.srem(gatewayKeys(gateway).visits, key),
    );
  }

  async lost(key: VisitKey): Promise<void> {
    // Where it was opened again meanwhile, that is what is tracked.
    if (this.#held.delete(key)) await this.untrack(this.#options.gatewayId, key);
  }

  async #tryAcquire(
    key: VisitKey,
    keepers: readonly Media[],
    abandonedEpoch: string,
    onRoundTrip: () => void,
  ): Promise<z.infer<typeof AcquireReply>> {
    const { lease, snapshot, messages } = visitKeys(key);
    const { gatewayId, boot, clock } = this.#options;
    const reply = await this.#calls.run(
      'acquire',
      ACQUIRE,
      [lease, snapshot, messages],
      [gatewayId, boot, clock.now(), abandonedEpoch, VISIT_TTL_MS, textOf(keepers)],
      onRoundTrip,
    );
    return AcquireReply.parse(reply);
  }

  /**
   * The snapshot, checked. One that this version can't read is kept: it may be a later version's, and who was
   * removed from that visit must not come back because of it. @throws BedsideError `state-unavailable`
   */
  #parse(snapshot: Buffer | null): Visit | undefined {
    if (snapshot === null) return undefined;
    try {
      return Visit.parse(JSON.parse(unpack(snapshot)));
    } catch {
      // Not the cause: the schema's message may quote names from the snapshot.
      this.#options.log.error(
        'a visit snapshot in Redis does not match its schema: of a later version, or of somebody else',
      );
      throw new BedsideError('state-unavailable', { retryAfterMs: RETRY_AFTER_MS });
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

  #returned(): void {
    void this.#track([...this.#held]).catch(() => {});
    for (const [key, epoch] of this.#unreleased) void this.release(key, epoch).catch(() => {});
    this.#options.onAvailable();
  }
}

const movedTo = (gateway: string): BedsideError =>
  new BedsideError('moved', { retryAfterMs: RETRY_AFTER_MS, gateway: gateway as GatewayId });

/** Keepers as they are on record: names and boots by turns. */
const textOf = (keepers: readonly Media[]): string =>
  keepers.flatMap(({ node, bootId }) => [node, bootId].map(encodeURIComponent)).join(' ');

function keepersIn(text: string): Media[] {
  const words = text.split(' ').filter((word) => word !== '');
  const parts = words.map(decodeURIComponent);
  return Array.from({ length: Math.floor(parts.length / 2) }, (_, index) => ({
    node: parts[2 * index] as NodeId,
    bootId: parts[2 * index + 1] as string,
  }));
}

const eventsIn = (entries: readonly string[] = []): LedgerEvent[] =>
  entries.map((entry) => JSON.parse(entry) as LedgerEvent);

/** Both in one order by their times, each in its own. */
function merged(proof: readonly LedgerEvent[], rest: readonly LedgerEvent[]): LedgerEvent[] {
  const events: LedgerEvent[] = [];
  const others = [...rest].reverse();
  for (const event of proof) {
    for (let next = others.at(-1); next && next.at < event.at; next = others.at(-1)) {
      events.push(next);
      others.pop();
    }
    events.push(event);
  }
  return [...events, ...others.reverse()];
}

/** For how long a visit is kept from now on, milliseconds: who comes to one that is forgotten is not made to wait. */
function lifeOf(visit: Visit, now: number): number {
  const { state, policy } = visit;
  const until =
    state === 'ended' ? now : Math.max(policy.startsAt ?? now, nextDeadline(visit) ?? now);
  return Math.max(0, until - now) + VISIT_TTL_MS;
}
