import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ONE_SOURCE } from '../../load-tests/lib/target.ts';
import { mintToken } from '../../load-tests/lib/token.ts';
import { until } from '../../load-tests/lib/wait.ts';
import { Caller } from '../../load-tests/native/caller.ts';
import { type RunningCluster, startCluster } from './cluster.mjs';
import { networkProblem } from './namespaces.mjs';

const problem = networkProblem();
if (problem) process.stderr.write(`Skipped, a cluster in network namespaces: ${problem}\n`);

/** Off the ports that `npm run cluster` likes: those that are on this machine itself. */
const PORTS = { gateway: 57_000, portal: 58_080 };

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
/** Links, namespaces and routes of networks of this process. */
const networks = () =>
  `${ip('netns', 'list')}${ip('-o', 'link', 'show')}${ip('route', 'show')}`.match(
    new RegExp(`\\bbds${process.pid}\\w*`, 'g'),
  ) ?? [];

describe.skipIf(problem)('a cluster in network namespaces', () => {
  const logDir = mkdtempSync(join(tmpdir(), 'bedside-netns-'));
  let cluster: RunningCluster;
  const callers: Caller[] = [];
  /** Of each participant, what arrived from the other since `since`. */
  const arrived = { ana: new Set<string>(), ben: new Set<string>() };

  const enter = async (participant: 'ana' | 'ben') => {
    const token = await mintToken(cluster.secrets.tenant, {
      visit: 'apart',
      participant,
      role: 'provider',
    });
    const caller = await Caller.enter({
      url: cluster.urls.gateway,
      token,
      onArrival: (from, source) => arrived[participant].add(`${from} ${source}`),
    });
    callers.push(caller);
    return caller;
  };
  const heard = () =>
    until(
      'each to hear and see the other',
      async () => [arrived.ana.size, arrived.ben.size],
      ([ana, ben]) => ana === 2 && ben === 2,
    );

  beforeAll(async () => {
    cluster = await startCluster({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN as string,
      namespaces: true,
      nodes: 2,
      ports: PORTS,
      env: { gateway: ONE_SOURCE },
      logDir,
    });
  });

  afterEach(async () => {
    await Promise.all(callers.splice(0).map((caller) => caller.leave()));
  });

  afterAll(async () => {
    await cluster?.stop();
    rmSync(logDir, { recursive: true, force: true });
  });

  test('has each node and gateway at an address of its own, in the namespace of that', () => {
    const members = [...cluster.nodes, ...cluster.gateways];
    expect(new Set(members.map(({ namespace }) => namespace?.address)).size).toBe(4);
    for (const { namespace, url, process: own } of members) {
      expect(new URL(url).hostname).toBe(namespace?.address);
      expect(ip('netns', 'pids', namespace?.name as string).split('\n')).toContain(`${own.pid}`);
    }
  });

  test('carries a visit that comes by the balancer, and has it go on elsewhere when the node’s link is cut', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    await heard();
    const node = cluster.nodes.find(({ namespace }) => namespace?.address === ana.node);
    expect(node).toBeDefined();
    await node?.namespace?.unplug();
    for (const flows of Object.values(arrived)) flows.clear();
    await until(
      'the visit to be at the other node',
      async () => [ana.node, ben.node],
      (at) => at.every((address) => address !== node?.namespace?.address),
    );
    for (const flows of Object.values(arrived)) flows.clear();
    await heard();
    await node?.namespace?.plug();
    await node?.process.untilReady();
  });

  test('leaves no process, namespace, link or route behind', async () => {
    const pids = [cluster.redis, cluster.balancer, cluster.portal]
      .concat([...cluster.nodes, ...cluster.gateways].map(({ process }) => process))
      .map(({ pid }) => pid);
    expect(pids.every((pid) => existsSync(`/proc/${pid}`))).toBe(true);
    expect(networks()).not.toEqual([]);
    await cluster.stop();
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(networks()).toEqual([]);
  });
});
