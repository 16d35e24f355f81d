import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/**
 * A network of its own on this machine: a bridge that the machine is on, and network namespaces that are
 * joined to it, each behind a link whose bandwidth can be cut. Linux, as root. All names carry the id of the
 * process, so that what one left behind that was killed is removed by the next one.
 */

const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);

/** Bridges, links and namespaces: bds<pid>, bds<pid>h<n>, bds<pid>n<n>. Linux allows interfaces 15 characters. */
const OURS = /\bbds(\d+)(?:[hn]\d+)?\b/g;
/** What may wait in a link that is cut, before packets are lost: as much as routers at home hold. */
const QUEUE_MS = 400;
/** At most so much at once: one packet and its headers. */
const BURST_BYTES = 1_600;

/** All that is done here, in a namespace that is gone with the command. */
const PROBE =
  'ip link add br0 type bridge && ip link add v0 type veth peer name v1 && ip link set v0 master br0 && tc qdisc add dev v0 root tbf rate 1mbit burst 1600 latency 400ms';

/** Why this machine can have no such network; undefined where it can. */
export function networkProblem(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const { status, stderr } = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', PROBE], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `no network namespaces here: ${stderr?.trim() || 'no unshare'}`;
}

/** A network namespace. Whatever runs in it reaches the others, and the machine, by their addresses. */
export class Namespace {
  readonly name: string;
  /** Of this namespace, as others reach it. */
  readonly address: string;
  readonly #link: string;

  constructor(name: string, address: string, link: string) {
    this.name = name;
    this.address = address;
    this.#link = link;
  }

  /** The command line that runs a command in here. */
  command(file: string, ...args: string[]): [file: string, ...args: string[]] {
    return ['ip', 'netns', 'exec', this.name, file, ...args];
  }

  /** What may arrive in here, in kbit/s; undefined lifts the limit. Live connections stay. */
  async limit(kbps: number | undefined): Promise<void> {
    if (kbps === undefined) {
      // There may be none.
      await run('tc', ['qdisc', 'del', 'dev', this.#link, 'root']).catch(() => {});
      return;
    }
    const shape = ['rate', `${kbps}kbit`, 'burst', `${BURST_BYTES}`, 'latency', `${QUEUE_MS}ms`];
    await run('tc', ['qdisc', 'replace', 'dev', this.#link, 'root', 'tbf', ...shape]);
  }
}

export class Network {
  /** Of this machine, as the namespaces reach it. */
  readonly address: string;
  readonly #bridge: string;
  readonly #subnet: string;
  #joined = 0;

  private constructor(bridge: string, subnet: string) {
    this.#bridge = bridge;
    this.#subnet = subnet;
    this.address = `${subnet}.1`;
  }

  /** @throws Error where the machine can have none, see networkProblem() */
  static async open(): Promise<Network> {
    const problem = networkProblem();
    if (problem) throw new Error(problem);
    await removeOf((pid) => !existsSync(`/proc/${pid}`));
    const bridge = `bds${process.pid}`;
    const network = new Network(bridge, await freeSubnet());
    await ip('link', 'add', bridge, 'type', 'bridge');
    await ip('address', 'add', `${network.address}/24`, 'dev', bridge);
    await ip('link', 'set', bridge, 'up');
    return network;
  }

  async join(): Promise<Namespace> {
    this.#joined += 1;
    const name = `${this.#bridge}n${this.#joined}`;
    const link = `${this.#bridge}h${this.#joined}`;
    const address = `${this.#subnet}.${this.#joined + 1}`;
    const inside = (...args: string[]) => ip('-n', name, ...args);
    await ip('netns', 'add', name);
    await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await ip('link', 'set', link, 'master', this.#bridge, 'up');
    await inside('address', 'add', `${address}/24`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    await inside('link', 'set', 'lo', 'up');
    await inside('route', 'add', 'default', 'via', this.address);
    return new Namespace(name, address, link);
  }

  /** Removes it all. Idempotent. */
  async close(): Promise<void> {
    await removeOf((pid) => pid === process.pid);
  }
}

async function removeOf(isGone: (pid: number) => boolean): Promise<void> {
  const { stdout: links } = await ip('-o', 'link', 'show');
  const { stdout: namespaces } = await ip('netns', 'list');
  // A namespace lives on while something runs in it; without its link that has no network.
  for (const link of namesIn(links, isGone)) await ip('link', 'del', link).catch(() => {});
  for (const name of namesIn(namespaces, isGone)) await ip('netns', 'del', name).catch(() => {});
}

const namesIn = (text: string, isGone: (pid: number) => boolean): string[] => [
  ...new Set(
    [...text.matchAll(OURS)].filter(([, pid]) => isGone(Number(pid))).map(([name]) => name),
  ),
];

/** The first three numbers of a private network that this machine is not in. */
async function freeSubnet(): Promise<string> {
  const { stdout } = await ip('-4', '-o', 'address', 'show');
  for (let third = 0; third < 256; third += 1) {
    const subnet = `10.213.${(process.pid + third) % 256}`;
    if (!stdout.includes(` ${subnet}.`)) return subnet;
  }
  throw new Error('no private network is free');
}
