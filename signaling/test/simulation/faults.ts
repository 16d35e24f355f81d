import type { Fencing } from './fencing.ts';
import type { Cluster, GatewayHost } from './gateway-host.ts';
import type { NodeHost } from './node-host.ts';
import type { SimPage } from './sim-page.ts';

export interface Stage extends Cluster {
  hosts: readonly GatewayHost[];
  pages: () => readonly SimPage[];
  fencing: Fencing;
  /** Writes that a failover lost, by when: what was acknowledged between these times may be gone with its gateway. */
  losses: { from: number; to: number }[];
  /** When a node was gone, or out of a gateway's reach: what was kept there may be lost. */
  outages: { from: number; to: number }[];
}

type Fault = (stage: Stage) => void;

/** What goes wrong, each for a while. How often each is chosen goes by how often it is listed. */
const FAULTS: readonly Fault[] = [
  stopGateway,
  stopGateway,
  killGateway,
  killAtCommit,
  killAtCommit,
  breakRedisConnection,
  breakRedisConnection,
  cutFromRedis,
  cutFromRedis,
  cutFromNode,
  slowRedis,
  slowNodes,
  loseAnswers,
  loseMedia,
  killNode,
  drainNode,
  drainNode,
  redisDown,
  failover,
  failover,
  clockJump,
  dropPage,
  dropPage,
];

export function breakSomething(stage: Stage): void {
  stage.world.random.pick(FAULTS)(stage);
}

function stopGateway({ world, hosts }: Stage): void {
  const host = world.random.pick(hosts);
  if (!host.runs) return;
  const ms = world.random.within(200, 25_000);
  world.note(`${host.id} stands still for ${ms} ms`);
  const { process } = host.life;
  host.stop();
  world.after(ms, () => {
    if (!process.killed) world.note(`${host.id} goes on`);
    process.continue();
  });
}

function killGateway({ world, hosts }: Stage): void {
  const host = world.random.pick(hosts);
  if (host.life.process.killed) return;
  // One may be gone for good.
  const isLast = hosts.some(({ life }) => life.process.killed);
  if (!isLast && world.random.chance(0.3)) {
    world.note(`${host.id} is killed for good`);
    host.kill();
    return;
  }
  const ms = world.random.within(100, 15_000);
  world.note(`${host.id} is killed for ${ms} ms`);
  host.kill();
  world.after(ms, () => host.restart());
}

/** What was done is on record, and whoever asked for it may never hear so. */
function killAtCommit({ world, hosts, fencing }: Stage): void {
  fencing.onNextCommit = (by) => {
    const host = hosts.find(({ life }) => life.owner === by);
    world.after(world.random.within(0, 15), () => {
      if (!host || host.life.process.killed) return;
      world.note(`${host.id} is killed after a commit`);
      host.kill();
      world.after(world.random.within(100, 8_000), () => host.restart());
    });
  };
}

function breakRedisConnection({ world, hosts }: Stage): void {
  const host = world.random.pick(hosts);
  world.note(`${host.id} loses its connection with Redis`);
  host.life.redis.break();
}

function cutFromRedis({ world, hosts }: Stage): void {
  const host = world.random.pick(hosts);
  const { redis } = host.life;
  const ms = world.random.within(500, 20_000);
  world.note(`${host.id} is cut off from Redis for ${ms} ms`);
  redis.reachable = false;
  world.after(world.random.within(0, 2_000), () => !redis.reachable && redis.break());
  world.after(ms, () => {
    redis.reachable = true;
    // What was lost on the way is noticed at the latest now.
    redis.break();
  });
}

function cutFromNode({ world, hosts, nodes, outages }: Stage): void {
  const host = world.random.pick(hosts);
  const node = world.random.pick(nodes);
  const links = host.life.nodes;
  const ms = world.random.within(500, 12_000);
  world.note(`${host.id} is cut off from ${node.id} for ${ms} ms`);
  links.cut.add(node.id);
  links.changed();
  outages.push({ from: world.now, to: world.now + ms });
  world.after(ms, () => links.cut.delete(node.id));
}

function slowRedis({ world, hosts }: Stage): void {
  const { redis } = world.random.pick(hosts).life;
  redis.slowness = world.random.within(100, 1_200);
  world.after(world.random.within(1_000, 10_000), () => {
    redis.slowness = 3;
  });
}

function slowNodes({ world, hosts }: Stage): void {
  const { nodes } = world.random.pick(hosts).life;
  nodes.slowness = world.random.within(100, 2_500);
  world.after(world.random.within(1_000, 10_000), () => {
    nodes.slowness = 3;
  });
}

function loseAnswers({ world, hosts }: Stage): void {
  const host = world.random.pick(hosts);
  const { nodes } = host.life;
  world.note(`${host.id} loses answers of nodes`);
  nodes.losing = 0.4;
  world.after(world.random.within(500, 5_000), () => {
    nodes.losing = 0;
  });
}

function loseMedia({ world, nodes }: Stage): void {
  const node = world.random.pick(nodes);
  world.note(`${node.id} loses its media`);
  if (node.runs) node.loseMedia();
}

function killNode({ world, nodes, hosts, outages, fencing }: Stage): void {
  const node: NodeHost = world.random.pick(nodes);
  if (!node.runs) return;
  const ms = world.random.within(300, 10_000);
  world.note(`${node.id} is killed for ${ms} ms`);
  const changed = () => {
    for (const { life } of hosts) life.nodes.changed();
  };
  node.kill();
  fencing.nodeKilled(node.id);
  outages.push({ from: world.now, to: world.now + ms });
  changed();
  world.after(ms, () => {
    node.start();
    changed();
  });
}

/** As an upgrade does: its visits go elsewhere, and some time it is another process, or takes visits again. */
function drainNode(stage: Stage): void {
  const { world, nodes, hosts, outages, fencing } = stage;
  const node = world.random.pick(nodes);
  // Where would they go?
  if (!node.runs || nodes.some(({ state }) => state === 'draining')) return;
  const ms = world.random.within(500, 30_000);
  const isUpgraded = world.random.chance(0.5);
  world.note(`${node.id} is emptied for ${ms} ms`);
  node.drain(true);
  // While pages are on their way.
  if (world.random.chance(0.5))
    world.after(world.random.within(5, 4_000), () =>
      world.random.pick([killNode, killGateway, loseMedia, dropPage, cutFromNode])(stage),
    );
  world.after(ms, () => {
    if (node.state !== 'draining') return;
    if (!isUpgraded) return node.drain(false);
    const changed = () => {
      for (const { life } of hosts) life.nodes.changed();
    };
    world.note(`${node.id} is another process now`);
    node.kill();
    fencing.nodeKilled(node.id);
    outages.push({ from: world.now, to: world.now + 500 });
    changed();
    world.after(500, () => {
      node.start();
      changed();
    });
  });
}

function redisDown({ world, redis, hosts }: Stage): void {
  const ms = world.random.within(300, 15_000);
  world.note(`Redis is away for ${ms} ms`);
  redis.down = true;
  for (const { life } of hosts) life.redis.break();
  world.after(ms, () => {
    redis.down = false;
  });
}

function failover({ world, redis, hosts, fencing, losses }: Stage): void {
  const ms = world.random.within(100, 3_000);
  const lag = world.random.within(0, 1_500);
  redis.down = true;
  for (const { life } of hosts) life.redis.break();
  losses.push({ from: world.now - lag, to: world.now });
  const lost = redis.failover(lag);
  world.note(`Redis fails over in ${ms} ms and loses ${lost} writes of ${lag} ms`);
  fencing.failover();
  redis.skew = world.random.within(-300, 300);
  world.after(ms, () => {
    redis.down = false;
  });
}

function clockJump({ world, hosts }: Stage): void {
  const host = world.random.pick(hosts);
  const skew = world.random.within(-60_000, 60_000);
  world.note(`${host.id} has a clock that is ${skew} ms wrong`);
  host.setClock(skew);
}

function dropPage({ world, pages }: Stage): void {
  const page = world.random.pick(pages());
  world.note(`${page.id} of ${page.visit} loses its network`);
  page.drop();
}
