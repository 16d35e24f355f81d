/**
 * A network of its own on this machine: a bridge that the machine is on, and network namespaces that are
 * joined to it, each behind a link that can be limited or unplugged. Linux, as root. All names carry the id of
 * the process, so that what one left behind that was killed is removed by the next one.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { which } from './run.mjs';

const run = promisify(execFile);
const ip = (...args) => run('ip', args);

/**
 * Bridges are bds<pid><letter>, a letter for each that the process has; their links and namespaces have h<n> and
 * n<n> after that. Linux allows interfaces 15 characters.
 */
const OURS = /\bbds(\d+)[a-z](?:[hn]\d+)?\b/g;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
/** Private networks, and one for tests of networks: in each, all /24 are looked at. */
const RANGES = ['10.213', '172.29', '192.168', '198.18'];
/** What may wait in a link that is limited, before packets are lost: as much as routers at home hold. */
const QUEUE_MS = 400;
/** At most so much at once: one packet and its headers. */
const BURST_BYTES = 1_600;

/**
 * Why this machine can have no such network; undefined where it can.
 *
 * @param {{ limited?: boolean }} [use] whether links are limited, too
 */
export function networkProblem({ limited = false } = {}) {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (!which('ip')) return 'there is no `ip` (iproute2)';
  const name = `bds${process.pid}z`;
  const tried = [
    'link add br0 type bridge',
    'link add v0 type veth peer name v1',
    'link set v0 master br0',
  ].map((command) => `ip -n ${name} ${command}`);
  if (limited)
    tried.push(`tc -n ${name} qdisc add dev v0 root tbf rate 1mbit burst 1600 latency 400ms`);
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', `ip netns add ${name} && trap 'ip netns del ${name}' EXIT && ${tried.join(' && ')}`],
    { encoding: 'utf8' },
  );
  return status === 0 ? undefined : `no network namespaces here: ${stderr.trim().split('\n')[0]}`;
}

/** The hardware address of nobody: what is sent there is lost. */
const NOBODY = '02:00:00:00:00:01';
const losing = (address, device) =>
  `neigh replace ${address} lladdr ${NOBODY} nud permanent dev ${device}`.split(' ');
const finding = (address, device) => `neigh del ${address} dev ${device}`.split(' ');

/** What is sent between the two is lost, and nobody is told: namespaces, or the network itself for this machine. */
export async function separate(one, other) {
  await Promise.all([one.lose(other.address), other.lose(one.address)]);
}

/** After `separate`. */
export async function reunite(one, other) {
  await Promise.all([one.find(other.address), other.find(one.address)]);
}

/** A network namespace. Whatever runs in it reaches the others, and the machine, by their addresses. */
export class Namespace {
  constructor(name, address, link) {
    this.name = name;
    this.address = address;
    this.link = link;
  }

  /** The command line that runs a command in here, in the process that it is started as. */
  command(file, ...args) {
    return ['ip', 'netns', 'exec', this.name, file, ...args];
  }

  /** What may arrive in here, in kbit/s; undefined lifts the limit. Live connections stay. */
  async limit(kbps) {
    if (kbps === undefined) {
      // There may be none.
      await run('tc', ['qdisc', 'del', 'dev', this.link, 'root']).catch(() => {});
      return;
    }
    const shape = ['rate', `${kbps}kbit`, 'burst', `${BURST_BYTES}`, 'latency', `${QUEUE_MS}ms`];
    await run('tc', ['qdisc', 'replace', 'dev', this.link, 'root', 'tbf', ...shape]);
  }

  /** Nothing gets in or out any more, and nobody is told. */
  async unplug() {
    await ip('link', 'set', this.link, 'down');
  }

  async plug() {
    await ip('link', 'set', this.link, 'up');
  }

  /** What is sent from here to that address is lost. */
  async lose(address) {
    await ip('-n', this.name, ...losing(address, 'eth0'));
  }

  async find(address) {
    await ip('-n', this.name, ...finding(address, 'eth0'));
  }
}

export class Network {
  #bridge;
  #subnet;
  #joined = 0;
  /** Also where the process ends without closing it. */
  #onExit = () => this.#remove();

  constructor(bridge, subnet) {
    this.#bridge = bridge;
    this.#subnet = subnet;
    this.address = `${subnet}.1`;
    this.cidr = `${subnet}.0/24`;
    process.once('exit', this.#onExit);
  }

  /** @throws {Error} where the machine can have none, see networkProblem() */
  static async open() {
    const problem = networkProblem();
    if (problem) throw new Error(problem);
    removeOf((_, pid) => !existsSync(`/proc/${pid}`));
    const bridge = await firstOf(LETTERS, async (letter) => {
      const name = `bds${process.pid}${letter}`;
      await ip('link', 'add', name, 'type', 'bridge');
      return name;
    });
    try {
      await ip('link', 'set', bridge, 'up');
      return new Network(bridge, await claimSubnet(bridge));
    } catch (error) {
      await ip('link', 'del', bridge);
      throw error;
    }
  }

  async join() {
    this.#joined += 1;
    const name = `${this.#bridge}n${this.#joined}`;
    const link = `${this.#bridge}h${this.#joined}`;
    const address = `${this.#subnet}.${this.#joined + 1}`;
    const inside = (...args) => ip('-n', name, ...args);
    await ip('netns', 'add', name);
    await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await ip('link', 'set', link, 'master', this.#bridge, 'up');
    await inside('address', 'add', `${address}/24`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    await inside('link', 'set', 'lo', 'up');
    await inside('route', 'add', 'default', 'via', this.address);
    return new Namespace(name, address, link);
  }

  /** What is sent from here to that address is lost. */
  async lose(address) {
    await ip(...losing(address, this.#bridge));
  }

  async find(address) {
    await ip(...finding(address, this.#bridge));
  }

  /** Removes it all. Idempotent. */
  close() {
    process.off('exit', this.#onExit);
    this.#remove();
  }

  #remove() {
    const bridge = this.#bridge;
    removeOf(
      (name) => name === bridge || name.startsWith(`${bridge}h`) || name.startsWith(`${bridge}n`),
    );
  }
}

/** At once, so that a process can do it while it exits. */
function removeOf(isGone) {
  const listed = (...args) => spawnSync('ip', args, { encoding: 'utf8' }).stdout ?? '';
  const gone = (text) =>
    new Set([...text.matchAll(OURS)].filter((found) => isGone(...found)).map(([name]) => name));
  // A namespace lives on while something runs in it; without its link that has no network.
  const commands = [
    ...[...gone(listed('-o', 'link', 'show'))].map((name) => `link del ${name}`),
    ...[...gone(listed('netns', 'list'))].map((name) => `netns del ${name}`),
  ];
  if (commands.length > 0)
    spawnSync('ip', ['-force', '-batch', '-'], { input: `${commands.join('\n')}\n` });
}

/** Gives the bridge a private network that no route of this machine leads to; the kernel gives it to nobody else. */
async function claimSubnet(bridge) {
  const { stdout: routes } = await ip('-4', 'route', 'show', 'table', 'all');
  const subnets = RANGES.flatMap((range) =>
    Array.from({ length: 256 }, (_, third) => `${range}.${(process.pid + third) % 256}`),
  ).filter((subnet) => !leadsInto(routes, subnet));
  return await firstOf(subnets, async (subnet) => {
    const address = `${subnet}.1`;
    await ip('route', 'add', `${subnet}.0/24`, 'dev', bridge);
    await ip('address', 'add', `${address}/24`, 'dev', bridge, 'noprefixroute');
    return subnet;
  });
}

/** What the first of them gives with which it succeeds. @throws the last one's error */
async function firstOf(items, attempt) {
  let failure = new Error('no private network is free');
  for (const item of items) {
    try {
      return await attempt(item);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const numberOf = (address) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/**
 * Whether a route leads to some of that /24, or to more than it: not those for all that has no other. Pure.
 *
 * @param {string} routes as `ip route show` prints them
 * @param {string} subnet "10.213.7"
 */
export function leadsInto(routes, subnet) {
  const first = numberOf(`${subnet}.0`);
  return [...routes.matchAll(/^(?:[a-z]+ )?(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))?/gm)].some(
    ([, address, length = '32']) => {
      const size = 2 ** (32 - Math.min(Number(length), 24));
      return Math.floor(numberOf(address) / size) === Math.floor(first / size);
    },
  );
}
