import { Writable } from 'node:stream';
import type { GatewayId } from '@bedside/protocol';
import { type Level, pino } from 'pino';
import { DeadlineWatch } from '../../src/actor/deadline-watch.ts';
import { VisitRegistry } from '../../src/actor/registry.ts';
import { Inheritance } from '../../src/cluster/inheritance.ts';
import { Seal } from '../../src/store/kept.ts';
import { RedisStore } from '../../src/store/store.ts';
import { FakeClinics } from '../fake-clinics.ts';
import { memberOf } from '../member.ts';
import { Counts } from '../telemetry.ts';
import type { NodeHost } from './node-host.ts';
import { NodeLinks } from './node-links.ts';
import { Process } from './process.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisServer } from './redis-server.ts';
import type { World } from './world.ts';

const GRACE_MS = 20_000;
const ANSWER_DEADLINE_MS = 1_000;

/** One life of a gateway: the product itself on simulated Redis, nodes and time. */
export interface Life {
  /** As Redis and its leases name it. */
  owner: string;
  process: Process;
  redis: RedisConnection;
  nodes: NodeLinks;
  store: RedisStore;
  visits: VisitRegistry;
}

export interface Cluster {
  world: World;
  redis: RedisServer;
  nodes: readonly NodeHost[];
  /** Gateways by their address. */
  gateways: Map<string, GatewayHost>;
  /** Something that should never be was written to a log. */
  onError: (line: string) => void;
}

/** A gateway that lives, stands still, dies and comes back under the same name. */
export class GatewayHost {
  readonly id: GatewayId;
  #life: Life;
  #boots = 0;
  readonly #cluster: Cluster;
  /** By how much its clock is wrong, milliseconds. */
  skew = 0;

  constructor(id: string, cluster: Cluster) {
    this.id = id as GatewayId;
    this.#cluster = cluster;
    cluster.gateways.set(this.address, this);
    this.#life = this.#begin();
  }

  get address(): string {
    return `http://${this.id}.test`;
  }

  get life(): Life {
    return this.#life;
  }

  get runs(): boolean {
    return this.#life.process.runs;
  }

  kill(): void {
    this.#life.process.kill();
  }

  restart(): void {
    if (this.#life.process.killed) this.#life = this.#begin();
  }

  stop(): void {
    this.#life.process.stop();
    this.#life.nodes.silent();
  }

  setClock(skew: number): void {
    this.skew = skew;
    this.#life.process.skew = skew;
  }

  #begin(): Life {
    const { world, redis: server, nodes: hosts, gateways, onError } = this.#cluster;
    const boot = `boot-${++this.#boots}`;
    const process = new Process(world);
    process.skew = this.skew;
    const { clock } = process;
    const owner = `${this.id} ${boot}`;
    const redis = new RedisConnection(process, server, owner);
    const telemetry = new Counts();
    const log = pino(
      { level: 'error' satisfies Level, base: null, timestamp: false },
      new Writable({
        write: (line: Buffer, _, done) => {
          onError(`${owner}: ${line.toString().trim()}`);
          done();
        },
      }),
    );
    const answers = (address: string) => this.#asks(process, gateways.get(address));
    const store = new RedisStore({
      redis: redis.client,
      gatewayId: this.id,
      boot,
      self: () => memberOf(this.id, boot, this.address),
      answers,
      clock,
      log,
      telemetry,
      onAvailable: () => void visits.redisReturned(),
      onView: (view) => inheritance.meet(view),
    });
    redis.onReconnected = () => store.reconnected();
    const nodes = new NodeLinks(process, this.id, hosts, (report) => visits.report(report));
    const clinics = new FakeClinics();
    const visits: VisitRegistry = new VisitRegistry({
      store,
      nodes,
      clock,
      log,
      telemetry,
      clinics,
      guests: clinics,
      calls: clinics,
      seal: new Seal('a-secret-of-all-gateways-for-tests-01'),
      graceMs: GRACE_MS,
    });
    const inheritance = new Inheritance({
      self: this.id,
      store,
      clock,
      answers,
      adopt: (key) => visits.adopt(key),
    });
    const watch = new DeadlineWatch({ store, clock, look: (key) => visits.look(key) });
    void store.start().then(async () => {
      await visits.recover();
      watch.start();
    });
    return { owner, process, redis, nodes, store, visits };
  }

  /** Whether a gateway answers another one: a dead one refuses, a stopped one is silent. */
  #asks(process: Process, asked: GatewayHost | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      process.clock.after(ANSWER_DEADLINE_MS, () => resolve(false));
      const { world } = process;
      const answer = (is: boolean) =>
        world.after(world.random.within(1, 5), () => process.deliver(() => resolve(is)));
      if (!asked || asked.life.process.killed) answer(false);
      else asked.life.process.deliver(() => answer(true));
    });
  }
}
