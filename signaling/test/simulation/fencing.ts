import { ACQUIRE, COMMIT, EXPECT, RELEASE } from '../../src/store/scripts.ts';
import { Table } from './lua.ts';
import type { Obeyed } from './node-host.ts';
import type { Ran, RedisServer } from './redis-server.ts';
import type { World } from './world.ts';

const NAMES = new Map([
  [ACQUIRE.sha1, 'acquire'],
  [COMMIT.sha1, 'commit'],
  [RELEASE.sha1, 'release'],
]);

/**
 * Watches what Redis and nodes accept while a run goes on: of each epoch the commands of one gateway's
 * one boot, and none of an epoch that another one has overtaken.
 */
export class Fencing {
  readonly violations: string[] = [];
  /** Accepted commits. */
  commits = 0;
  /** Called once, with whose commit was accepted next. */
  onNextCommit: ((by: string) => void) | undefined;
  /** Refused, as they must be. */
  stale = 0;
  /** Who took which lease, in order. */
  readonly taken: { lease: string; by: string; at: number }[] = [];
  /** Who was given an epoch, by visit and epoch. */
  readonly #granted = new Map<string, string>();
  /** The highest epoch that the present Redis has given or accepted, by lease. */
  readonly #highest = new Map<string, number>();
  readonly #expecting = new Map<string, number>();
  readonly #atNodes = new Map<string, { epoch: number; gateway: string }>();
  readonly #redis: RedisServer;

  readonly #world: World;

  constructor(world: World, redis: RedisServer) {
    this.#world = world;
    this.#redis = redis;
    redis.onRan = (ran) => this.#ran(ran);
  }

  /** What was given last may be forgotten. */
  failover(): void {
    for (const lease of this.#highest.keys()) {
      const epoch = this.#redis.data.peek.hash(lease)?.get('epoch');
      this.#highest.set(lease, Number(epoch ?? 0));
    }
    this.#expecting.clear();
  }

  /** A node that begins anew knows of no owner. */
  nodeKilled(node: string): void {
    for (const key of this.#atNodes.keys())
      if (key.startsWith(`${node} `)) this.#atNodes.delete(key);
  }

  obeyed({ node, visit, epoch, gateway, name }: Obeyed): void {
    const key = `${node} ${visit}`;
    const before = this.#atNodes.get(key);
    if (before && epoch < before.epoch)
      this.violations.push(`${node} obeyed ${name} of ${gateway}, of an epoch that is over`);
    if (before?.epoch === epoch && before.gateway !== gateway)
      this.violations.push(`${node} obeyed two gateways of one epoch`);
    this.#atNodes.set(key, { epoch, gateway });
  }

  #ran({ script, keys, args, reply, by }: Ran): void {
    const [lease = ''] = keys;
    if (script === EXPECT.sha1 && reply === 1) this.#expected(args, by);
    if (script === ACQUIRE.sha1 && reply instanceof Table && reply.items[0] === 'acquired') {
      this.taken.push({ lease, by, at: this.#world.now });
      this.#accepted(lease, Number(reply.items[1]), by, 'acquire');
    }
    const name = NAMES.get(script);
    if (name) {
      const given = reply instanceof Table ? reply.items.slice(0, 2).join(' ') : reply;
      const of = script === COMMIT.sha1 ? `${args[3]} of ${args[2]} ` : '';
      this.#world.note(`${name} ${of}by ${by} of ${lease.slice(9, 14)}: ${given}`);
    }
    if (script !== COMMIT.sha1) return;
    if (reply === 'stale') this.stale++;
    if (reply !== 'written') return;
    this.commits++;
    const { onNextCommit } = this;
    this.onNextCommit = undefined;
    onNextCommit?.(by);
    this.#accepted(lease, Number(args[2]), by, 'commit');
  }

  #accepted(lease: string, epoch: number, by: string, what: string): void {
    if (epoch < (this.#highest.get(lease) ?? 0))
      this.violations.push(`Redis took a ${what} of ${by}, of an epoch that is over`);
    this.#highest.set(lease, epoch);
    const grant = `${lease} ${epoch}`;
    const owner = this.#granted.get(grant) ?? by;
    this.#granted.set(grant, owner);
    if (owner !== by) this.violations.push(`Redis took a ${what} of ${by}, of ${owner}'s epoch`);
  }

  #expected([visit = '', epoch]: readonly string[], by: string): void {
    const before = this.#expecting.get(visit) ?? 0;
    if (Number(epoch) < before)
      this.violations.push(`${by} said when ${visit} is due, of an epoch that is over`);
    this.#expecting.set(visit, Number(epoch));
  }
}
