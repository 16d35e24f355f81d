import type { GatewayId, ParticipantId, Role, VisitId } from '@bedside/protocol';
import { visitKey } from '../../src/store/keys.ts';
import { check } from './checks.ts';
import { breakSomething, type Stage } from './faults.ts';
import { Fencing } from './fencing.ts';
import { GatewayHost } from './gateway-host.ts';
import { type NodeFlaw, NodeHost } from './node-host.ts';
import { type Operation, TENANT } from './operations.ts';
import { type Alter, RedisServer } from './redis-server.ts';
import { SimPage, type Surroundings } from './sim-page.ts';
import { inWorld, World } from './world.ts';

const VISITS = ['visit-1', 'visit-2'];
const PEOPLE: readonly [string, Role][] = [
  ['ana', 'provider'],
  ['ben', 'provider'],
  ['cho', 'patient'],
  ['dia', 'interpreter'],
];
/** A visit with one person in it, who closes the page some time: nobody comes to it any more. */
const LONELY = 'visit-3';
/** Faults and commands for so long, and then so long until all has settled; milliseconds. */
const TROUBLE_MS = 40_000;
const SETTLE_MS = 90_000;
const SWEEP_MS = 5_000;

export interface Outcome {
  seed: number;
  violations: string[];
  history: readonly string[];
  operations: readonly Operation[];
  commits: number;
  stale: number;
  /** Pages that followed their visits to other nodes. */
  moves: number;
}

/** What is broken on purpose: a script of Redis, or each node. */
export interface Broken {
  script?: Alter;
  node?: NodeFlaw;
}

/** One run: what happens, and in which order, follows from the seed alone. */
export async function run(seed: number, broken: Broken = {}): Promise<Outcome> {
  const world = new World(seed);
  const leave = inWorld(world);
  const violations: string[] = [];
  const onRejection = (reason: unknown) => violations.push(`nobody heard of ${String(reason)}`);
  process.on('unhandledRejection', onRejection);
  try {
    return await play(seed, world, violations, broken);
  } finally {
    process.off('unhandledRejection', onRejection);
    leave();
  }
}

async function play(
  seed: number,
  world: World,
  violations: string[],
  broken: Broken,
): Promise<Outcome> {
  const { random } = world;
  const redis = new RedisServer(world, broken.script);
  const fencing = new Fencing(world, redis);
  const nodes = ['node-1', 'node-2', 'node-3'].map((id) => new NodeHost(id, broken.node));
  for (const node of nodes) node.onObeyed = (obeyed) => fencing.obeyed(obeyed);
  const pages: SimPage[] = [];
  const stage: Stage = {
    world,
    redis,
    nodes,
    gateways: new Map(),
    onError: (line) => violations.push(`logged: ${line}`),
    hosts: [],
    pages: () => pages,
    fencing,
    losses: [],
    outages: [],
  };
  const hosts = ['gateway-1', 'gateway-2', 'gateway-3'].map((id) => new GatewayHost(id, stage));
  stage.hosts = hosts;
  for (const host of hosts) host.setClock(random.within(-300, 300));

  const operations: Operation[] = [];
  const keyOf = (visit: string) => visitKey(TENANT, visit as VisitId);
  let moves = 0;
  const around: Surroundings = {
    world,
    operations,
    moved: () => {
      moves += 1;
    },
    route: (visit, asked) => route(world, hosts, visit, asked),
    hasPeer: (visit, peer) =>
      nodes.some((node) => node.runs && node.fake.peer(keyOf(visit), peer) !== undefined),
  };
  const come = (participant: string, role: Role, visit: string) =>
    pages.push(
      new SimPage(
        {
          tenant: TENANT,
          visit: visit as VisitId,
          participant: participant as ParticipantId,
          role,
          jti: world.name('token'),
          expiresAt: Number.MAX_SAFE_INTEGER,
        },
        around,
      ),
    );
  await world.runUntil(world.now + 500);
  for (const visit of VISITS)
    for (const [participant, role] of PEOPLE)
      world.after(random.within(0, 3_000), () => come(participant, role, visit));
  world.after(random.within(0, 3_000), () => {
    come('eva', 'provider', LONELY);
    const page = pages.at(-1);
    world.after(random.within(3_000, TROUBLE_MS), () => page?.close());
  });

  const sweep = () => {
    for (const node of nodes)
      node.sweep(world.now, (peer) => pages.some((page) => page.uses(peer)));
    world.after(SWEEP_MS, sweep);
  };
  sweep();

  const end = world.now + TROUBLE_MS;
  const act = () => {
    if (world.now >= end) return;
    if (pages.length > 0) actSomehow(world, random.pick(pages), come, pages);
    world.after(random.within(20, 400), act);
  };
  world.after(3_000, act);
  for (let fault = random.within(1, 14); fault > 0; fault--)
    world.after(random.within(2_000, TROUBLE_MS - 1_000), () => breakSomething(stage));
  await world.runUntil(end + SETTLE_MS);

  violations.push(...fencing.violations);
  violations.push(
    ...check({
      stage,
      pages,
      operations,
      visits: new Map([...VISITS, LONELY].map((id) => [id, keyOf(id)])),
    }),
  );
  for (const host of hosts) host.kill();
  return {
    seed,
    violations,
    history: world.history,
    operations,
    commits: fencing.commits,
    stale: fencing.stale,
    moves,
  };
}

/** By the visit, as the balancer does; sometimes its idea of who is there is another. */
function route(
  world: World,
  hosts: readonly GatewayHost[],
  visit: string,
  asked: GatewayId | undefined,
): GatewayHost {
  const { random } = world;
  const named = hosts.find(({ id }) => id === asked);
  if (named?.runs) return named;
  const usual = hosts[visit.length % hosts.length] as GatewayHost;
  if (usual.runs && !random.chance(0.2)) return usual;
  return random.pick(hosts);
}

function actSomehow(
  world: World,
  page: SimPage,
  come: (participant: string, role: Role, visit: string) => void,
  pages: SimPage[],
): void {
  const { random } = world;
  const { participant, role, visit } = page.identity;
  if (page.over !== undefined) {
    pages.splice(pages.indexOf(page), 1);
    if (visit !== LONELY) come(participant, role, visit);
    return;
  }
  const isProvider = role === 'provider';
  const somebody = () => random.pick(PEOPLE)[0] as ParticipantId;
  const places = [{ type: 'main' }, { type: 'hold', audio: 'music' }, { type: 'room' }] as const;
  const acts: (() => unknown)[] = [
    () =>
      page.issue('send-message', { to: { type: 'all' }, kind: 'chat', text: world.name('text') }),
    () => page.issue('raise-hand', { raised: random.chance(0.5) }),
    () => page.pause('microphone', random.chance(0.5)),
    () => page.share('camera'),
  ];
  const provided: (() => unknown)[] = [
    () => page.issue('move', { participantIds: [somebody()], to: random.pick(places) }),
    () => page.issue('mute', { participantId: somebody() }),
  ];
  const rare = random.next();
  if (rare < 0.01) page.leave();
  else if (rare < 0.03) {
    page.close();
  } else random.pick(isProvider ? [...acts, ...provided, ...provided] : acts)();
}

/** For who looks for the cause. */
export function told(
  { seed, violations, history }: Outcome,
  lines = Number.POSITIVE_INFINITY,
): string {
  return [
    `seed ${seed} (BEDSIDE_SIMULATION_SEED=${seed} runs it alone):`,
    ...violations.slice(0, 8).map((violation) => `  ${violation.slice(0, 400)}`),
    ...history.slice(-lines).map((line) => `    ${line.slice(0, 160)}`),
  ].join('\n');
}
