import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, DrillGateway, DrillNode } from './cluster.ts';

/** Whose visits the fault is at: those carried by a node, those owned by a gateway, or all. */
export type Scope = 'node' | 'gateway' | 'all';

/** The cluster, and of its nodes and gateways those with the most visits. */
export interface Scene {
  readonly cluster: Cluster;
  readonly node: DrillNode;
  readonly gateway: DrillGateway;
}

export interface Drill {
  /** What happens, in a sentence. */
  readonly what: string;
  readonly scope: Scope;
  /** Milliseconds from the fault until it is mended. */
  readonly lastsMs: number;
  strike(scene: Scene): Promise<void> | void;
  /** What was struck comes back. */
  mend?(scene: Scene): Promise<void> | void;
  /** Where the command line does not say. */
  readonly visits?: number;
  /** Packets of sound and picture come this far apart, where there are many. */
  readonly everyMs?: number;
}

/** Every drill, by name. */
export const DRILLS: Readonly<Record<string, Drill>> = {
  'kill-worker': {
    what: 'The mediasoup worker of a node is killed; the node starts another',
    scope: 'node',
    lastsMs: 5_000,
    strike: ({ node }) => node.signalWorkers('SIGKILL'),
  },
  'kill-node': {
    what: 'A node is killed with its worker, and is started again after 8 s',
    scope: 'node',
    lastsMs: 8_000,
    strike: ({ node }) => node.kill(),
    mend: ({ node }) => node.start(),
  },
  'kill-gateway': {
    what: 'A gateway is killed, and is started again after 8 s',
    scope: 'gateway',
    lastsMs: 8_000,
    strike: ({ gateway }) => gateway.kill(),
    mend: ({ gateway }) => gateway.start(),
  },
  'kill-redis': {
    what: 'Redis is killed, and comes back after 8 s without any data',
    scope: 'all',
    lastsMs: 8_000,
    strike: ({ cluster }) => cluster.redis.kill(),
    mend: ({ cluster }) => cluster.redis.start(),
  },
  'stop-worker': {
    what: 'The mediasoup worker of a node stands still (SIGSTOP)',
    scope: 'node',
    lastsMs: 8_000,
    strike: ({ node }) => node.signalWorkers('SIGSTOP'),
  },
  'stop-node': {
    what: 'A node stands still (SIGSTOP), with its worker, and goes on after 10 s',
    scope: 'node',
    lastsMs: 10_000,
    strike({ node }) {
      node.signalWorkers('SIGSTOP');
      node.freeze();
    },
    mend({ node }) {
      node.signalWorkers('SIGCONT');
      node.thaw();
    },
  },
  'stop-gateway': {
    what: 'A gateway stands still (SIGSTOP), and goes on after 20 s',
    scope: 'gateway',
    lastsMs: 20_000,
    strike: ({ gateway }) => gateway.freeze(),
    mend: ({ gateway }) => gateway.thaw(),
  },
  'stop-redis': {
    what: 'Redis stands still (SIGSTOP), and goes on after 20 s',
    scope: 'all',
    lastsMs: 20_000,
    strike: ({ cluster }) => cluster.redis.freeze(),
    mend: ({ cluster }) => cluster.redis.thaw(),
  },
  'cut-gateway-node': {
    what: 'No gateway gets through to a node for 10 s, which has Redis and its participants',
    scope: 'node',
    lastsMs: 10_000,
    strike: ({ node }) => node.way.partition(),
    mend: ({ node }) => node.way.heal(),
  },
  'blink-gateway-node': {
    what: 'The links of a node with all gateways break, and can be made again at once',
    scope: 'node',
    lastsMs: 5_000,
    strike: ({ node }) => node.way.drop(),
  },
  'cut-gateway-redis': {
    what: 'A gateway does not get through to Redis for 20 s',
    scope: 'gateway',
    lastsMs: 20_000,
    strike: ({ gateway }) => gateway.redisWay.partition(),
    mend: ({ gateway }) => gateway.redisWay.heal(),
  },
  'cut-node-redis': {
    what: 'A node does not get through to Redis for 20 s',
    scope: 'node',
    lastsMs: 20_000,
    strike: ({ node }) => node.redisWay.partition(),
    mend: ({ node }) => node.redisWay.heal(),
  },
  'restart-gateway': {
    what: 'A gateway is told to end (SIGTERM) and is started again, as in an upgrade',
    scope: 'gateway',
    lastsMs: 2_000,
    async strike({ gateway }) {
      await gateway.terminate();
      await delay(1_000);
    },
    mend: ({ gateway }) => gateway.start(),
  },
  mass: {
    what: 'A node is killed with many visits on it',
    scope: 'node',
    lastsMs: 10_000,
    visits: 100,
    everyMs: 100,
    strike: ({ node }) => node.kill(),
    mend: ({ node }) => node.start(),
  },
};
