import { HOLD, type ParticipantId } from '@bedside/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../lib/wait.ts';
import { Caller } from '../native/caller.ts';
import { Cluster, type DrillGateway, type DrillNode } from './cluster.ts';
import { CountedCommands, numberIn } from './counted-commands.ts';
import { IdlePage } from './idle-page.ts';
import { runIdleSockets } from './idle-sockets.ts';
import { Losses } from './losses.ts';

const NAMES = ['patient', 'provider', 'interpreter'] as const;
type Name = (typeof NAMES)[number];

// A dozen processes on a machine that may do other things.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let cluster: Cluster;
let visits = 0;
let visit: string;
let rejoined: Name[];
let callers: Map<Name, Caller>;
/** Packets that came, by listener, speaker and source. */
const packets = new Map<string, number>();
let losses: Losses;

beforeAll(async () => {
  cluster = await Cluster.start({ gateways: 2, nodes: 2 });
});

afterAll(async () => {
  await cluster?.stop();
});

beforeEach(() => {
  visit = `fault-${++visits}`;
  rejoined = [];
  callers = new Map();
  packets.clear();
  losses = new Losses();
});

afterEach(async () => {
  for (const caller of callers.values()) await caller.leave();
});

async function enter(...names: Name[]): Promise<void> {
  for (const name of names) {
    const token = await cluster.token({ visit, participant: name, role: name });
    const caller = await Caller.enter({
      url: cluster.url,
      token,
      onArrival(from, source, _at, number) {
        const key = `${name} < ${from} ${source}`;
        losses.arrived(key, number);
        packets.set(key, (packets.get(key) ?? 0) + 1);
      },
      onMediaLost: () => rejoined.push(name),
    });
    callers.set(name, caller);
  }
}

const callerOf = (name: Name): Caller => {
  const caller = callers.get(name);
  if (!caller) throw new Error(`${name} is not there`);
  return caller;
};

/** Resolves once five more packets of each of these have come: "patient < provider camera". */
async function arrive(...keys: string[]): Promise<void> {
  const before = keys.map((key) => packets.get(key) ?? 0);
  await until(
    'packets to arrive',
    async () => keys.filter((key, i) => (packets.get(key) ?? 0) < (before[i] ?? 0) + 5),
    (missing) => missing.length === 0,
  );
}

const bothWays = (one: Name, other: Name, source: string) => [
  `${one} < ${other} ${source}`,
  `${other} < ${one} ${source}`,
];

/** Of the visit, with the other one. */
function nodes(): { here: DrillNode; there: DrillNode } {
  const { node } = callerOf(NAMES[0]);
  const here = cluster.nodes.find(({ host }) => host === node);
  const there = cluster.nodes.find(({ host }) => host !== node);
  if (!here || !there) throw new Error('the visit is at no node');
  return { here, there };
}

async function owner(): Promise<{ owner: DrillGateway; epoch: number }> {
  const lease = await cluster.lease(visit);
  const gateway = cluster.gateways.find(({ id }) => id === lease?.gateway);
  if (!lease || !gateway) throw new Error('nobody owns the visit');
  return { owner: gateway, epoch: lease.epoch };
}

const emptied = (node: DrillNode) =>
  until(
    'the node to be empty',
    () => node.counts(),
    ({ transports, producers, consumers }) => transports + producers + consumers === 0,
  );

/** The visit as a newcomer sees it. */
async function seen() {
  const onlooker = await cluster.visitor(cluster, visit, 'onlooker');
  const { rtpCapabilities } = onlooker.welcome;
  const { visit: view } = await onlooker.command('join', { rtpCapabilities });
  await onlooker.command('leave', {});
  onlooker.close();
  return new Map(view.participants.map((each) => [each.participantId as string, each]));
}

test('a node is killed: all hear and see each other again at the other one, where places and mutes are as before, and the old one has nothing of it when it is back', async () => {
  await enter(...NAMES);
  await arrive(...bothWays('patient', 'provider', 'microphone'));
  await callerOf('provider').mute(true);
  const participantIds = ['interpreter' as ParticipantId];
  await callerOf('provider').command('move', {
    participantIds,
    to: { type: 'hold', audio: 'none' },
  });
  const { here, there } = nodes();

  await here.kill();
  await arrive(...bothWays('patient', 'provider', 'camera'), 'provider < patient microphone');
  expect(rejoined.toSorted()).toEqual(NAMES.toSorted());
  for (const caller of callers.values()) expect(caller.node).toBe(there.host);
  const view = await seen();
  expect(view.get('interpreter')?.place).toBe(HOLD);
  const microphone = view.get('provider')?.producers.find(({ source }) => source === 'microphone');
  expect(microphone?.paused).toBe(true);
  packets.clear();
  await callerOf('provider').mute(false);
  await arrive('patient < provider microphone');
  expect([...packets.keys()].filter((key) => key.includes('interpreter'))).toEqual([]);

  await here.start();
  await emptied(here);
});

test('a node is drained: not a packet of sound or picture is missing, nobody sets up media anew, and all of it is at the other one', async () => {
  await enter('patient', 'provider');
  const media = (['microphone', 'camera'] as const).flatMap((source) =>
    bothWays('patient', 'provider', source),
  );
  await arrive(...media);
  const { here, there } = nodes();
  for (let round = 0; round < 2; round += 1) {
    losses.begin();
    const [from, to] = round === 0 ? [here, there] : [there, here];
    await cluster.drain(from, true);
    await emptied(from);
    await arrive(...media);
    expect(media.map((flow) => losses.lost(flow))).toEqual([0, 0, 0, 0]);
    for (const caller of callers.values()) expect(caller.node).toBe(to.host);
    await cluster.drain(from, false);
  }
  expect(rejoined).toEqual([]);
});

test('the gateway of a visit alone does not get through to its node: the visit goes to the other one, that of the other gateway stays', async () => {
  await enter('patient', 'provider');
  const media = bothWays('patient', 'provider', 'microphone');
  await arrive(...media);
  const { here, there } = nodes();
  const { owner: cutOff } = await owner();
  const sees = cluster.gateways.find(({ id }) => id !== cutOff.id) ?? cutOff;
  const links = () => Promise.all([cutOff, sees].map((gateway) => gateway.nodes()));
  here.way.partition((port) => cutOff.owns(port));
  await until(
    'the visit to be elsewhere',
    async () => [...callers.values()].map(({ node }) => node),
    (at) => at.every((node) => node === there.host),
  );
  expect(await links()).toEqual([1, 2]);
  await arrive(...media);
  here.way.heal();
  await until('both to have both nodes', links, ([one, other]) => one === 2 && other === 2);
  await emptied(here);
});

test('a gateway is killed behind the balancer: sound and picture do not stop, the other one takes the visit over, and commands that are under way are carried out', async () => {
  await enter('patient', 'provider');
  const media = (['microphone', 'camera'] as const).flatMap((source) =>
    bothWays('patient', 'provider', source),
  );
  await arrive(...media);
  const { owner: victim, epoch } = await owner();
  const { here } = nodes();
  const before = await here.counts();

  await victim.kill();
  // Before anybody can have noticed.
  const muting = callerOf('provider').mute(true);
  await arrive(...media.filter((key) => key !== 'patient < provider microphone'));
  await muting;
  await callerOf('provider').mute(false);
  await arrive(...media);
  expect(rejoined).toEqual([]);
  expect(await here.counts()).toEqual(before);
  const heir = await owner();
  expect(heir.owner.id).not.toBe(victim.id);
  expect(heir.epoch).toBeGreaterThan(epoch);
  await victim.start();
});

test('a page is sent to the owner of its visit by name, and comes to another gateway: clients do not reach the owner, and the visit goes over while its media goes on', async () => {
  await enter('patient', 'provider');
  const media = bothWays('patient', 'provider', 'microphone');
  await arrive(...media);
  const { owner: unreached } = await owner();
  const other = cluster.gateways.find(({ id }) => id !== unreached.id) ?? unreached;
  const token = await cluster.token({ visit, participant: 'onlooker', role: 'provider' });
  const refusals: string[] = [];
  await new Promise<void>((resolve) => {
    const astray = { url: other.url, token, gateway: unreached.id, address: '127.0.0.1' };
    const page = new IdlePage(astray, {
      welcomed: () => {
        page.close();
        resolve();
      },
      lost: () => {},
      refused: (code) => refusals.push(code),
    });
  });
  expect(refusals).toEqual([]);
  expect((await owner()).owner.id).toBe(other.id);
  // The one that was the owner finds out, and its pages follow.
  await callerOf('provider').command('raise-hand', { raised: true });
  expect((await seen()).get('provider')?.handRaisedAt).toBeDefined();
  await arrive(...media);
  expect(rejoined).toEqual([]);
});

test('of the commands that were acknowledged none is missing, whichever gateway is killed meanwhile', async () => {
  await enter('patient', 'provider');
  const commands = new CountedCommands(callerOf('provider'));
  const acknowledged = (more: number) => {
    const from = commands.acknowledged;
    return until(
      'commands to be acknowledged',
      async () => commands.acknowledged,
      (number) => number >= from + more,
    );
  };
  await acknowledged(3);
  for (let round = 0; round < 2; round += 1) {
    const { owner: victim } = await owner();
    await victim.kill();
    await acknowledged(2);
    expect(numberIn((await seen()).get('provider')?.speaks)).toBeGreaterThanOrEqual(
      commands.acknowledged - 1,
    );
    await victim.start();
  }
  await commands.stop();
  expect(numberIn((await seen()).get('provider')?.speaks)).toBeGreaterThanOrEqual(
    commands.acknowledged,
  );
  expect(rejoined).toEqual([]);
});

test('Redis is killed and comes back empty: nobody misses anything, and what was acknowledged meanwhile is there', async () => {
  await enter('patient', 'provider');
  const media = bothWays('patient', 'provider', 'microphone');
  await arrive(...media);
  await callerOf('patient').command('raise-hand', { raised: true });
  await cluster.redis.kill();
  await callerOf('provider').command('raise-hand', { raised: true });
  await arrive(...media);
  await cluster.redis.start();
  await until(
    'the visit to be in Redis again',
    () => cluster.lease(visit),
    (lease) => lease !== undefined,
  );
  // Another gateway, which knows only what is in Redis.
  const { owner: victim } = await owner();
  await victim.kill();
  const view = await seen();
  for (const name of ['patient', 'provider']) expect(view.get(name)?.handRaisedAt).toBeDefined();
  await arrive(...media);
  expect(rejoined).toEqual([]);
  await victim.start();
});

test('the pages of a gateway that is killed are all at the other one, however many', async () => {
  const pages = 40;
  const report = await runIdleSockets(cluster, { pages, memoryOf: async () => 0 });
  expect(report.back).toHaveLength(pages);
  await cluster.gateways[0]?.start();
});
