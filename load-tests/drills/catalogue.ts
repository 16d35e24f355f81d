import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../lib/wait.ts';
import type { Cluster, DrillGateway, DrillNode, DrillOptions } from './cluster.ts';

// biome-ignore lint/suspicious/noConfusingVoidType: most have nothing to say.
type Said = string | void;

/** Whose visits the fault is at: those carried by a node, those owned by a gateway, or all. */
export type Scope = 'node' | 'gateway' | 'all';

/** The cluster, and of its nodes and gateways those with the most visits. */
export interface Scene {
  readonly cluster: Cluster;
  readonly node: DrillNode;
  readonly gateway: DrillGateway;
  /** The checkout of an earlier commit; this one where none was asked for. */
  readonly earlier: string | undefined;
}

export interface Drill {
  /** What happens, in a sentence. */
  readonly what: string;
  readonly scope: Scope;
  /** Milliseconds from the fault until it is mended. */
  readonly lastsMs: number;
  /** Gives what is to be said of its course. */
  strike(scene: Scene): Promise<Said> | Said;
  /** What was struck comes back. */
  mend?(scene: Scene): Promise<Said> | Said;
  /** Of the cluster, beside two gateways and two nodes. */
  readonly needs?: DrillOptions;
  /** Nodes and gateways run an earlier commit at first. */
  readonly startsEarlier?: boolean;
  /** Where the command line does not say. */
  readonly visits?: number;
  /** Packets of sound and picture come this far apart, where there are many. */
  readonly everyMs?: number;
}

const HOUR_MS = 3_600_000;
const EVERYBODY = ['clients', 'gateways', 'redis'] as const;

/** Drains the node; resolves once nothing is there. */
async function emptied(cluster: Cluster, node: DrillNode): Promise<string> {
  const startedAt = performance.now();
  await cluster.drain(node, true);
  await until(
    'the node to be empty',
    () => node.counts(),
    ({ transports }) => transports === 0,
    120_000,
  );
  return `The node was empty after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s.`;
}

/** Ends in order, and starts as what that checkout, or this one, has. */
async function renewed(victim: DrillNode | DrillGateway, root?: string): Promise<void> {
  await victim.terminate();
  victim.runFrom(root);
  await victim.start();
}

/** A node is killed with about half of so many visits. */
const killedWith = (visits: number, everyMs: number): Drill => ({
  what: `A node is killed with about half of ${visits} visits on it; packets come ${everyMs} ms apart`,
  scope: 'node',
  lastsMs: 10_000,
  visits,
  everyMs,
  strike: ({ node }) => node.kill(),
  mend: ({ node }) => node.start(),
});

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
    strike: ({ node }) => node.lineTo('gateways').cut(),
    mend: ({ node }) => node.lineTo('gateways').heal(),
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
    strike: ({ gateway }) => gateway.lineTo('redis').cut(),
    mend: ({ gateway }) => gateway.lineTo('redis').heal(),
  },
  'cut-node-redis': {
    what: 'A node does not get through to Redis for 20 s',
    scope: 'node',
    lastsMs: 20_000,
    strike: ({ node }) => node.lineTo('redis').cut(),
    mend: ({ node }) => node.lineTo('redis').heal(),
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
  drain: {
    what: 'A node is drained, as by `bedside drain`, until it is empty, and takes visits again after that',
    scope: 'node',
    lastsMs: 5_000,
    visits: 40,
    everyMs: 40,
    strike: ({ cluster, node }) => emptied(cluster, node),
    mend: ({ cluster, node }) => cluster.drain(node, false),
  },
  'rolling-upgrade': {
    what: 'Every node and gateway, one after another, is told to end (SIGTERM) and started with this version in place of an earlier one; then one of each goes back to that',
    scope: 'all',
    lastsMs: 0,
    visits: 20,
    everyMs: 40,
    startsEarlier: true,
    async strike({ cluster, earlier }) {
      const startedAt = performance.now();
      const { nodes, gateways } = cluster;
      for (const victim of [...nodes, ...gateways]) await renewed(victim);
      for (const victim of [nodes[0], gateways[0]]) if (victim) await renewed(victim, earlier);
      return `${nodes.length + gateways.length} processes were upgraded and two set back within ${Math.round((performance.now() - startedAt) / 1_000)} s.`;
    },
  },
  'cut-clients-node': {
    what: 'No participant gets through to a node for 15 s, which has Redis and the gateways',
    scope: 'node',
    lastsMs: 15_000,
    needs: { ways: ['media'] },
    strike: ({ node }) => node.lineTo('clients').cut(),
    mend: ({ node }) => node.lineTo('clients').heal(),
  },
  'cut-all-node': {
    what: 'Nobody gets through to a node for 10 s: no gateway, no participant, and it not to Redis',
    scope: 'node',
    lastsMs: 10_000,
    needs: { ways: ['media'] },
    async strike({ node }) {
      await Promise.all(EVERYBODY.map((other) => node.lineTo(other).cut()));
    },
    async mend({ node }) {
      await Promise.all(EVERYBODY.map((other) => node.lineTo(other).heal()));
    },
  },
  'cut-one-gateway-node': {
    what: 'One gateway does not get through to a node for 10 s, while the other does',
    scope: 'node',
    lastsMs: 10_000,
    strike: ({ node, gateway }) => node.lineTo(gateway).cut(),
    mend: ({ node, gateway }) => node.lineTo(gateway).heal(),
  },
  'cut-gateways': {
    what: 'The balancer does not get through to a gateway for 15 s, which has Redis, the nodes and the other gateway',
    scope: 'gateway',
    lastsMs: 15_000,
    needs: { ways: ['clients'] },
    strike: ({ gateway }) => gateway.lineTo('balancer').cut(),
    mend: ({ gateway }) => gateway.lineTo('balancer').heal(),
  },
  'clock-jump': {
    what: 'The wall clock of a gateway, then of a node, then of Redis jumps an hour ahead, two back, and one ahead',
    scope: 'all',
    lastsMs: 0,
    needs: { clocks: true },
    async strike({ cluster, gateway, node }) {
      for (const id of [gateway.id, node.id, 'redis'])
        for (const shiftMs of [HOUR_MS, -HOUR_MS, 0]) {
          cluster.shiftClock(id, shiftMs);
          await delay(4_000);
        }
    },
  },
  'full-disk': {
    what: 'The disk that all nodes and gateways log to is full for 10 s, while visits begin anew at a node that lost its worker',
    scope: 'node',
    lastsMs: 10_000,
    needs: { logDisk: true },
    strike({ cluster, node }) {
      cluster.logDisk.fill();
      // Much is to be said of it.
      node.signalWorkers('SIGKILL');
    },
    async mend({ cluster }) {
      const all = [...cluster.nodes, ...cluster.gateways];
      const saying = all.filter(({ logFile }) => readFileSync(logFile, 'utf8').includes('ENOSPC'));
      const alive = all.filter(({ isRunning }) => isRunning);
      cluster.logDisk.free();
      return `${alive.length} of ${all.length} processes lived, and ${saying.length} of them said on standard error that lines of the log are lost.`;
    },
  },
  mass: killedWith(100, 200),
  'mass-200': killedWith(200, 400),
};
