import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTROL_AUDIENCE,
  type ControlResponse,
  type CreateVisit,
  controlCommands,
  nodeCommands,
  type Role,
  SUPPORTED_VERSIONS,
  unwrap,
} from '@bedside/protocol';
import { SignJWT } from 'jose';
import { io } from 'socket.io-client';
import {
  type ClusterMember,
  type ClusterNode,
  type ClusterOptions,
  type RunningCluster,
  startCluster,
} from '../../scripts/lib/cluster.mjs';
import type { StackProcess } from '../../scripts/lib/stack.mjs';
import { Clocks } from '../lib/clocks.ts';
import { scrape, sum } from '../lib/metrics.ts';
import { childrenOf, tcpPortsOf } from '../lib/processes.ts';
import { redisCommand, redisKeys } from '../lib/redis.ts';
import { SmallDisk } from '../lib/small-disk.ts';
import { ONE_SOURCE } from '../lib/target.ts';
import { TcpProxy } from '../lib/tcp-proxy.ts';
import { type Bearer, mintClinicToken, mintToken, type StaffBearer } from '../lib/token.ts';
import { UdpRelay } from '../lib/udp-relay.ts';
import type { Detour } from '../native/call-path.ts';
import { type Line, lineInNetwork, lineOfWays } from './lines.ts';
import { QueueWatcher } from './queue-watcher.ts';
import { Visitor } from './visitor.ts';

/** A node that is emptied first may take so long. */
const TERMINATED_DEADLINE_MS = 60_000;

/** A process that a drill does something to. */
export class Victim {
  readonly #process: StackProcess;

  constructor(process: StackProcess) {
    this.#process = process;
  }

  /** As by a power cut; it stays away until `start`. */
  kill(): Promise<void> {
    return this.#process.stop({ signal: 'SIGKILL' });
  }

  /** In order, as by a supervisor that is told to; it stays away until `start`. */
  terminate(): Promise<void> {
    return this.#process.stop({ deadline: TERMINATED_DEADLINE_MS });
  }

  get isRunning(): boolean {
    return this.#process.pid !== undefined;
  }

  /** What it says of itself is in there, if it is not told to say it elsewhere. */
  get logFile(): string {
    return this.#process.logFile;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    this.#process.start();
    await this.#process.untilReady();
  }

  /** Stands still, with its connections open, until `thaw`. */
  freeze(): void {
    this.#process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  get pid(): number {
    const { pid, name } = this.#process;
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }
}

/** @throws Error for a way that there is none of */
function byThisProcess<Way>(way: Way | undefined): Way {
  if (way === undefined) throw new Error('there is no such way by this process');
  return way;
}

export class DrillGateway extends Victim {
  readonly id: string;
  readonly url: string;
  readonly #member: ClusterMember;
  readonly #redisWay: TcpProxy | undefined;
  readonly #lineTo: (other: 'redis' | 'balancer') => Line;

  constructor(
    member: ClusterMember,
    redisWay: TcpProxy | undefined,
    lineTo: (other: 'redis' | 'balancer') => Line,
  ) {
    super(member.process);
    this.id = member.id;
    this.url = member.url;
    this.#member = member;
    this.#redisWay = redisWay;
    this.#lineTo = lineTo;
  }

  /** Its way to Redis. @throws Error in network namespaces */
  get redisWay(): TcpProxy {
    return byThisProcess(this.#redisWay);
  }

  /** @throws Error where it can not be cut, see DrillOptions */
  lineTo(other: 'redis' | 'balancer'): Line {
    return this.#lineTo(other);
  }

  /** From its next start on it runs that checkout, or this one. */
  runFrom(root?: string): void {
    this.#member.runFrom(root);
  }

  /** Whether the connection from that port is its own. */
  owns(port: number): boolean {
    return tcpPortsOf(this.pid).has(port);
  }

  /** To how many nodes it has a link. */
  async nodes(): Promise<number> {
    const samples = await scrape(this.#member.opsUrl);
    return sum(samples, 'bedside_gateway_node_links', { state: 'connected' });
  }

  /** What of its sockets, visits and participants is there. */
  async holds(): Promise<Record<'sockets' | 'visits' | 'participants', number>> {
    const samples = await scrape(this.#member.opsUrl);
    const count = (what: string) => sum(samples, `bedside_gateway_${what}`);
    return {
      sockets: count('sockets'),
      visits: count('visits'),
      participants: count('participants'),
    };
  }
}

export type Counts = Record<'transports' | 'producers' | 'consumers', number>;

/** What a node has a line to: all gateways, or one of them, or, in network namespaces, another node. */
export type NodeLine = 'gateways' | DrillGateway | DrillNode | 'redis' | 'clients';

export class DrillNode extends Victim {
  readonly id: string;
  /** Of its media, as ICE candidates say it. */
  readonly host: string;
  /** The control link, past `way`. */
  readonly url: string;
  readonly #member: ClusterNode;
  readonly #way: TcpProxy | undefined;
  readonly #mediaWay: UdpRelay | undefined;
  readonly #lineTo: (other: NodeLine) => Line;

  constructor(
    member: ClusterNode,
    { way, mediaWay }: { way: TcpProxy | undefined; mediaWay: UdpRelay | undefined },
    lineTo: (other: NodeLine) => Line,
  ) {
    super(member.process);
    this.id = member.id;
    this.url = member.url;
    this.host = new URL(member.url).hostname;
    this.#member = member;
    this.#way = way;
    this.#mediaWay = mediaWay;
    this.#lineTo = lineTo;
  }

  /** The way of all gateways to it. @throws Error in network namespaces */
  get way(): TcpProxy {
    return byThisProcess(this.#way);
  }

  /** The way of media to it. @throws Error where that is direct, see DrillOptions */
  get mediaWay(): UdpRelay {
    return byThisProcess(this.#mediaWay);
  }

  /** @throws Error where it can not be cut, see DrillOptions */
  lineTo(other: NodeLine): Line {
    return this.#lineTo(other);
  }

  /** From its next start on it runs that checkout, or this one. */
  runFrom(root?: string): void {
    this.#member.runFrom(root);
  }

  override async kill(): Promise<void> {
    // Before: who finds the link broken connects at once, and is refused by a process that is gone.
    this.#way?.shut();
    await super.kill();
  }

  override async start(): Promise<void> {
    await this.#way?.open();
    await super.start();
  }

  /** Of its mediasoup workers. */
  get workers(): readonly number[] {
    return childrenOf(this.pid);
  }

  /** All mediasoup workers get this signal; the node lives. */
  signalWorkers(signal: NodeJS.Signals): void {
    const { workers } = this;
    if (workers.length === 0) throw new Error('no worker runs');
    for (const worker of workers) process.kill(worker, signal);
  }

  /** What it has now. */
  async counts(): Promise<Counts> {
    const samples = await scrape(this.#member.opsUrl);
    const count = (what: string) => sum(samples, `bedside_node_${what}`);
    return {
      transports: count('transports'),
      producers: count('producers'),
      consumers: count('consumers'),
    };
  }
}

/** Runs side by side keep out of each other's way: what one kills leaves its port free. */
const OFFSET = process.pid % 400;
/** Off the ports that `npm start` and `npm run cluster` like. */
const PORTS = {
  redis: 46_000 + OFFSET,
  gateway: 46_500 + OFFSET,
  gatewayOps: 47_000 + OFFSET,
  node: 47_500 + OFFSET,
  nodeOps: 48_000 + OFFSET,
  media: 48_500 + OFFSET,
  portal: 49_000 + OFFSET,
};

export interface DrillOptions
  extends Pick<ClusterOptions, 'nodes' | 'gateways' | 'env' | 'root' | 'log' | 'detail'> {
  /** In front of the gateways; false where there are none. */
  balancer?: boolean;
  /** Beside those between gateways, nodes and Redis: of media to a node, and of the balancer to a gateway. */
  ways?: readonly ('media' | 'clients')[];
  /** Nothing goes by this process, so that it is in nobody's way: nothing can be cut. */
  isDirect?: boolean;
  /** Each process in a network namespace of its own: nothing goes by this process, and all lines can be cut. */
  namespaces?: boolean;
  /** Whether clocks can be shifted. */
  clocks?: boolean;
  /** Whether logs of nodes and gateways are on a disk of their own. */
  logDisk?: boolean;
}

/** What a drill has in its hands beside the processes. */
interface Surroundings {
  readonly ways: ReadonlyMap<string, TcpProxy>;
  readonly relays: readonly UdpRelay[];
  readonly clocks: Clocks | undefined;
  readonly logDisk: SmallDisk | undefined;
}

/**
 * Redis, nodes and gateways, with ways between them that a test can cut. Each is a process of its own,
 * also because Socket.IO on uWebSockets.js replaces its adapter for the whole process: the Socket.IO
 * server of a node beside it would publish through the gateway's app, and crash.
 */
export class Cluster {
  readonly #running: RunningCluster;
  readonly #ways: ReadonlyMap<string, TcpProxy>;
  readonly #relays: readonly UdpRelay[];
  readonly #clocks: Clocks | undefined;
  readonly #logDisk: SmallDisk | undefined;
  readonly redis: Victim;
  readonly nodes: readonly DrillNode[];
  /** Those behind the balancer. */
  readonly gateways: readonly DrillGateway[];
  /** Closed at the end, last first. */
  readonly #open: (() => unknown)[] = [];

  private constructor(running: RunningCluster, { ways, relays, clocks, logDisk }: Surroundings) {
    this.#running = running;
    this.#logDisk = logDisk;
    this.#ways = ways;
    this.#relays = relays;
    this.#clocks = clocks;
    this.redis = new Victim(running.redis);
    this.nodes = running.nodes.map(
      (node, index) =>
        new DrillNode(
          node,
          { way: ways.get(`gateways ${node.id}`), mediaWay: relays[index] },
          (other) => this.#lineOfNode(node, other, relays[index]),
        ),
    );
    this.gateways = running.gateways.map((gateway) => this.#gatewayOf(gateway));
  }

  /** One node and no gateway, where not told otherwise. */
  static async start({
    nodes = 1,
    gateways = 0,
    balancer = gateways > 0,
    env,
    ways: wanted = [],
    isDirect = false,
    namespaces = false,
    clocks: withClocks = false,
    logDisk: withLogDisk = false,
    ...more
  }: DrillOptions = {}): Promise<Cluster> {
    const workerBin = process.env.MEDIASOUP_WORKER_BIN;
    if (!workerBin)
      throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through `npm test`.');
    const ways = new Map<string, TcpProxy>();
    const clocks = withClocks ? new Clocks() : undefined;
    const logDisk = withLogDisk ? new SmallDisk() : undefined;
    const logDir = mkdtempSync(join(tmpdir(), 'bedside-drill-'));
    const running = await startCluster({
      node22: process.execPath,
      workerBin,
      nodes,
      gateways,
      withBalancer: balancer,
      withPortal: false,
      ports: PORTS,
      env: {
        gateway: { ...ONE_SOURCE, ...clocks?.serviceEnv, ...env?.gateway },
        node: { ...clocks?.serviceEnv, ...env?.node },
        redis: { ...clocks?.redisEnv },
      },
      // What a drill kills stays dead until it is started.
      restart: false,
      logDir,
      namespaces,
      output: (id) => logDisk?.file(id),
      async way(from, to, address) {
        if (namespaces) return address;
        if (from === 'balancer' && !wanted.includes('clients')) return address;
        const way = await TcpProxy.to(address.port, address.host);
        ways.set(`${from} ${to}`, way);
        if (isDirect) return address;
        return { host: '127.0.0.1', port: way.port };
      },
      ...more,
    }).catch(async (error) => {
      for (const way of ways.values()) await way.close();
      clocks?.close();
      logDisk?.close();
      throw error;
    });
    const relays =
      wanted.includes('media') && !namespaces
        ? await Promise.all(
            running.nodes.map(({ url, mediaPort }) =>
              UdpRelay.to(new URL(url).hostname, mediaPort),
            ),
          )
        : [];
    const cluster = new Cluster(running, { ways, relays, clocks, logDisk });
    cluster.#open.push(
      () => rmSync(logDir, { recursive: true, force: true }),
      () => clocks?.close(),
      () => logDisk?.close(),
      () => {
        for (const relay of relays) relay.close();
      },
      () => Promise.all([...ways.values()].map((way) => way.close())),
      () => running.stop(),
    );
    return cluster;
  }

  async stop(): Promise<void> {
    // What stands still can not be stopped in order.
    for (const victim of [...this.nodes, ...this.gateways, this.redis]) victim.thaw();
    for (const close of this.#open.splice(0).reverse()) await close();
  }

  /** How clients come to nodes. */
  get detour(): Detour {
    return (address, port) =>
      this.#relays.find((relay) => relay.isTo(address, port))?.address ?? { address, port };
  }

  /** The same for who reads ICE candidates: "127.0.1.1 7200" and what is to stand there instead. */
  get detours(): { from: string; to: string }[] {
    return this.#relays.map(({ target, address: { address, port } }) => ({
      from: target,
      to: `${address} ${port}`,
    }));
  }

  /** From now on the wall clock of a gateway, a node, or `redis`, is ahead of the machine's by so many ms. */
  shiftClock(id: string, ms: number): void {
    if (!this.#clocks) throw new Error('clocks can not be shifted here');
    this.#clocks.shift(id, ms);
  }

  /** Where logs of nodes and gateways are. @throws Error where that is no disk of their own */
  get logDisk(): SmallDisk {
    if (!this.#logDisk) throw new Error('logs are on no disk of their own');
    return this.#logDisk;
  }

  /** The balancer. */
  get url(): string {
    return this.#running.urls.gateway;
  }

  get redisUrl(): string {
    return this.#running.urls.redis;
  }

  get logDir(): string {
    return this.#running.logDir;
  }

  /** The only node, or the first. */
  get node(): DrillNode {
    const [node] = this.nodes;
    if (!node) throw new Error('there is no node');
    return node;
  }

  /** One more gateway, not behind the balancer. */
  async startGateway(
    id: string,
    graceMs = 20_000,
    env: Readonly<Record<string, string>> = {},
  ): Promise<DrillGateway> {
    const more = { BEDSIDE_GRACE_MS: `${graceMs}`, ...env };
    return this.#gatewayOf(await this.#running.addGateway(id, more));
  }

  token(bearer: Bearer): Promise<string> {
    return mintToken(this.#running.secrets.tenant, bearer);
  }

  clinicToken(staff: StaffBearer): Promise<string> {
    return mintClinicToken(this.#running.secrets.tenant, staff);
  }

  /** A page of this participant, welcomed. */
  async visitor(
    { url }: { url: string },
    visit: string,
    participant: string,
    role: Role = 'provider',
  ): Promise<Visitor> {
    const token = await this.token({ visit, participant, role });
    const visitor = await Visitor.connect({ url, visit, token });
    this.#open.push(() => visitor.close());
    return visitor;
  }

  /** Somebody of a clinic's staff who watches its queue. */
  async watcher({ url }: { url: string }, staff: StaffBearer): Promise<QueueWatcher> {
    const token = await this.clinicToken(staff);
    const watcher = await QueueWatcher.connect(url, staff.clinic, token);
    this.#open.push(() => watcher.close());
    return watcher;
  }

  /** Staff of a clinic at one of its visits, without being in it. */
  async attendant({ url }: { url: string }, visit: string, staff: StaffBearer): Promise<Visitor> {
    const token = await this.clinicToken(staff);
    const attendant = await Visitor.connect({ url, visit, token });
    this.#open.push(() => attendant.close());
    return attendant;
  }

  /** Makes a visit, as a portal's server does. */
  async create(gateway: { url: string }, visit: CreateVisit): Promise<void> {
    await this.rest(gateway, 'POST', '/v1/visits', visit);
  }

  /** A request of a portal's server. @throws Error with the answer that is no success */
  async rest(
    { url }: { url: string },
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    body?: unknown,
  ): Promise<unknown> {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#running.secrets.apiKey}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** Who owns a visit now, and by which epoch; undefined where nobody does. */
  async lease(visit: string): Promise<{ gateway: string; epoch: number } | undefined> {
    const [gateway, epoch] = (await redisCommand(
      this.redisUrl,
      'HMGET',
      `bedside:{${this.#keyOf(visit)}}:lease`,
      'gateway',
      'epoch',
    )) as [string | null, string | null];
    return gateway === null ? undefined : { gateway, epoch: Number(epoch) };
  }

  /** Leases of visits that are held, and keys of Redis that do not expire. */
  async keysLeft(): Promise<string[]> {
    const keys = await redisKeys(this.redisUrl);
    const left = await Promise.all(
      keys.map(async (key) => {
        if (key.endsWith(':lease') && (await redisCommand(this.redisUrl, 'HGET', key, 'gateway')))
          return key;
        const isForEver = (await redisCommand(this.redisUrl, 'PTTL', key)) === -1;
        return isForEver ? key : undefined;
      }),
    );
    return left.filter((key) => key !== undefined);
  }

  /** What a node does for a visit, peer by peer, in its own words. */
  async describe(
    visit: string,
    node = this.node,
  ): Promise<ControlResponse<'describe-visit'>['peers']> {
    // The node answers who owns the visit: the onlooker shows itself as that gateway.
    const lease = await this.lease(visit);
    if (!lease) throw new Error('nobody owns the visit');
    const request = { visit: this.#keyOf(visit), epoch: lease.epoch };
    const { response } = controlCommands['describe-visit'];
    const peers: ControlResponse<'describe-visit'>['peers'] = [];
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page = unwrap(
        response,
        await this.#command(node, lease.gateway, 'describe-visit', { ...request, from }),
      ) as ControlResponse<'describe-visit'>;
      peers.push(...page.peers);
      from = page.next;
    }
    return peers;
  }

  /** Has what is at a node go elsewhere, or takes that back. */
  async drain(node: DrillNode, draining: boolean): Promise<void> {
    unwrap(
      nodeCommands.drain.response,
      await this.#command(node, 'operator', 'drain', { draining }),
    );
  }

  /** Sends a node a command, as this gateway. */
  async #command(
    node: DrillNode,
    gatewayId: string,
    name: string,
    request: object,
  ): Promise<unknown> {
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(gatewayId)
      .setAudience(CONTROL_AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(new TextEncoder().encode(this.#running.secrets.control));
    const socket = io(node.url.replace('ws:', 'http:'), {
      transports: ['websocket'],
      forceNew: true,
      auth: { token, versions: SUPPORTED_VERSIONS, gatewayId, spreads: true },
    });
    try {
      return await socket.timeout(10_000).emitWithAck(name, request);
    } finally {
      socket.close();
    }
  }

  /** What the only node, or the first, has now. */
  atNode(): Promise<Counts> {
    return this.node.counts();
  }

  #keyOf(visit: string): string {
    return createHash('sha256')
      .update(`${this.#running.secrets.tenant.id}\0${visit}`)
      .digest('base64url')
      .slice(0, 22);
  }

  #gatewayOf(gateway: ClusterMember): DrillGateway {
    const redisWay = this.#ways.get(`${gateway.id} redis`);
    return new DrillGateway(gateway, redisWay, (other) => {
      const { network } = this.#running;
      if (network && gateway.namespace) {
        const end = other === 'redis' ? network.redis : network.machine;
        return lineInNetwork(gateway.namespace, [end]);
      }
      if (other === 'redis') return lineOfWays([byThisProcess(redisWay)]);
      // Of clients and of checks.
      const ways = [gateway.id, `${gateway.id} ops`].map((to) => this.#ways.get(`balancer ${to}`));
      return lineOfWays(ways.map(byThisProcess));
    });
  }

  #lineOfNode(node: ClusterNode, other: NodeLine, mediaWay: UdpRelay | undefined): Line {
    const { network, gateways, nodes } = this.#running;
    if (network && node.namespace) {
      if (other === 'redis') return lineInNetwork(node.namespace, [network.redis]);
      if (other === 'clients') return lineInNetwork(node.namespace, [network.machine]);
      const ends = [...gateways, ...(other instanceof DrillNode ? nodes : [])]
        .filter(({ id }) => other === 'gateways' || id === other.id)
        .flatMap(({ namespace }) => namespace ?? []);
      return lineInNetwork(node.namespace, ends);
    }
    if (other instanceof DrillNode)
      throw new Error('nodes are cut off from each other in namespaces only');
    if (other === 'clients') return byThisProcess(mediaWay);
    const to = other === 'redis' ? `${node.id} redis` : `gateways ${node.id}`;
    const ways = [byThisProcess(this.#ways.get(to))];
    return typeof other === 'string'
      ? lineOfWays(ways)
      : lineOfWays(ways, (port) => other.owns(port));
  }
}
