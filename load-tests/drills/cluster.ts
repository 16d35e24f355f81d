import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CONTROL_AUDIENCE,
  type ControlResponse,
  type CreateVisit,
  controlCommands,
  type Role,
  SUPPORTED_VERSIONS,
  unwrap,
} from '@bedside/protocol';
import { SignJWT } from 'jose';
import { io } from 'socket.io-client';
import { freePort } from '../../scripts/lib/ports.mjs';
import { plan, type Stack, startStack } from '../../scripts/lib/stack.mjs';
import { scrape, sum } from '../lib/metrics.ts';
import { childrenOf } from '../lib/processes.ts';
import { redisCommand } from '../lib/redis.ts';
import { ONE_SOURCE } from '../lib/target.ts';
import { TcpProxy } from '../lib/tcp-proxy.ts';
import { type Bearer, mintClinicToken, mintToken, type StaffBearer } from '../lib/token.ts';
import { QueueWatcher } from './queue-watcher.ts';
import { Visitor } from './visitor.ts';

const host = '127.0.0.1';

export interface DrillGateway {
  readonly url: string;
  /** Its way to Redis. */
  readonly redisWay: TcpProxy;
  kill(): Promise<void>;
}

/**
 * Redis, a node and gateways, with ways between them that a test can cut. Each is a process of its own,
 * also because Socket.IO on uWebSockets.js replaces its adapter for the whole process: the Socket.IO
 * server of a node beside it would publish through the gateway's app, and crash.
 */
export class Cluster {
  readonly #stack: Stack;
  readonly #workerBin: string;
  /** The way of all gateways to the node. */
  readonly nodeWay: TcpProxy;
  /** Closed at the end, last first. */
  readonly #open: (() => unknown)[] = [];

  private constructor(stack: Stack, workerBin: string, nodeWay: TcpProxy) {
    this.#stack = stack;
    this.#workerBin = workerBin;
    this.nodeWay = nodeWay;
    this.#open.push(
      () => stack.stop(),
      () => nodeWay.close(),
    );
  }

  static async start(): Promise<Cluster> {
    const workerBin = process.env.MEDIASOUP_WORKER_BIN;
    if (!workerBin)
      throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through `npm test`.');
    const stack = await startStack({
      node22: process.execPath,
      workerBin,
      workers: 1,
      restart: false,
      only: ['redis', 'node'],
      ports: { redis: 46_390, node: 47_100, nodeOps: 47_101, media: 47_200 },
    });
    return new Cluster(stack, workerBin, await TcpProxy.to(stack.ports.node));
  }

  async stop(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) await close();
  }

  /** The node's process is killed and started anew. */
  async restartNode(): Promise<void> {
    await this.#stack.processes.node.restart('SIGKILL');
  }

  /** The mediasoup worker is killed; the node lives. */
  async killWorker(): Promise<void> {
    const { pid } = this.#stack.processes.node;
    const [worker] = pid === undefined ? [] : childrenOf(pid);
    if (worker === undefined) throw new Error('no worker runs');
    process.kill(worker, 'SIGKILL');
  }

  async startGateway(
    id: string,
    graceMs = 20_000,
    more: Readonly<Record<string, string>> = {},
  ): Promise<DrillGateway> {
    const redisWay = await TcpProxy.to(this.#stack.ports.redis);
    this.#open.push(() => redisWay.close());
    const gateway = await freePort(48_000);
    const gatewayOps = await freePort(gateway + 1);
    const { command, args, env } = plan({
      node22: process.execPath,
      redisDir: '',
      workerBin: this.#workerBin,
      ports: {
        ...this.#stack.ports,
        redis: redisWay.port,
        gateway,
        gatewayOps,
      },
      secrets: this.#stack.secrets,
      workers: 1,
      logLevel: 'fatal',
    }).gateway;
    const child = spawn(command, args, {
      stdio: 'ignore',
      env: {
        ...env,
        ...ONE_SOURCE,
        BEDSIDE_GATEWAY_ID: id,
        BEDSIDE_NODES: `ws://${host}:${this.nodeWay.port}`,
        BEDSIDE_GRACE_MS: `${graceMs}`,
        ...more,
      },
    });
    const kill = () => end(child);
    this.#open.push(kill);
    await this.#answers(child, `http://${host}:${gatewayOps}/readyz`);
    return { url: `http://${host}:${gateway}`, redisWay, kill };
  }

  token(bearer: Bearer): Promise<string> {
    return mintToken(this.#stack.secrets.tenant, bearer);
  }

  clinicToken(staff: StaffBearer): Promise<string> {
    return mintClinicToken(this.#stack.secrets.tenant, staff);
  }

  /** A page of this participant, welcomed. */
  async visitor(
    { url }: DrillGateway,
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
  async watcher({ url }: DrillGateway, staff: StaffBearer): Promise<QueueWatcher> {
    const token = await this.clinicToken(staff);
    const watcher = await QueueWatcher.connect(url, staff.clinic, token);
    this.#open.push(() => watcher.close());
    return watcher;
  }

  /** Staff of a clinic at one of its visits, without being in it. */
  async attendant({ url }: DrillGateway, visit: string, staff: StaffBearer): Promise<Visitor> {
    const token = await this.clinicToken(staff);
    const attendant = await Visitor.connect({ url, visit, token });
    this.#open.push(() => attendant.close());
    return attendant;
  }

  /** Makes a visit, as a portal's server does. */
  async create(gateway: DrillGateway, visit: CreateVisit): Promise<void> {
    await this.rest(gateway, 'POST', '/v1/visits', visit);
  }

  /** A request of a portal's server. @throws Error with the answer that is no success */
  async rest(
    { url }: DrillGateway,
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    body?: unknown,
  ): Promise<unknown> {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#stack.secrets.apiKey}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** What the node does for a visit, peer by peer, in its own words. */
  async describe(visit: string): Promise<ControlResponse<'describe-visit'>['peers']> {
    const { secrets, urls, ports } = this.#stack;
    const key = createHash('sha256')
      .update(`${secrets.tenant.id}\0${visit}`)
      .digest('base64url')
      .slice(0, 22);
    // The node answers who owns the visit: the onlooker shows itself as that gateway.
    const lease = await redisCommand(
      urls.redis,
      'HMGET',
      `bedside:{${key}}:lease`,
      'gateway',
      'epoch',
    );
    const [gatewayId, epoch] = lease as [string, string];
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(gatewayId)
      .setAudience(CONTROL_AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(new TextEncoder().encode(secrets.control));
    const socket = io(`http://${host}:${ports.node}`, {
      transports: ['websocket'],
      forceNew: true,
      auth: { token, versions: SUPPORTED_VERSIONS, gatewayId },
    });
    try {
      const request = { visit: key, epoch: Number(epoch) };
      const answer = await socket.timeout(10_000).emitWithAck('describe-visit', request);
      const { response } = controlCommands['describe-visit'];
      return (unwrap(response, answer) as ControlResponse<'describe-visit'>).peers;
    } finally {
      socket.close();
    }
  }

  /** What the node has now. */
  async atNode(): Promise<Record<'transports' | 'producers' | 'consumers', number>> {
    const samples = await scrape(this.#stack.urls.nodeOps);
    const count = (what: string) => sum(samples, `bedside_node_${what}`);
    return {
      transports: count('transports'),
      producers: count('producers'),
      consumers: count('consumers'),
    };
  }

  async #answers(child: ChildProcess, url: string): Promise<void> {
    const answer = () => fetch(url).catch(() => undefined);
    while (!(await answer())?.ok) {
      if (child.exitCode !== null) throw new Error(`the gateway ended: ${child.exitCode}`);
      await delay(20);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
