import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/lib/ports.mjs';
import { redisCommand } from './redis.ts';

const host = '127.0.0.1';

/** A redis-server of a test's own, on loopback and in memory alone. */
export class RedisServer {
  readonly port: number;
  readonly #dir = mkdtempSync(join(tmpdir(), 'bedside-redis-'));
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  /** `args`: more arguments of redis-server. */
  static async start(...args: string[]): Promise<RedisServer> {
    const server = new RedisServer(await RedisServer.port(), args);
    await server.start();
    return server;
  }

  /** A port that nobody has. */
  static port(): Promise<number> {
    // Tests run side by side: they look for ports from different places. Servers of a Cluster listen at
    // one that is ten thousand higher, too, which must not be where connections have theirs.
    return freePort(10_000 + Math.floor(Math.random() * 10_000));
  }

  /** A Sentinel that alone decides on the failover of a primary, called `mymaster`. `lines`: more of its configuration. */
  static async startSentinel(primary: RedisServer, ...lines: string[]): Promise<RedisServer> {
    const server = new RedisServer(await RedisServer.port(), []);
    const config = join(server.#dir, 'sentinel.conf');
    writeFileSync(
      config,
      [
        `sentinel monitor mymaster ${host} ${primary.port} 1`,
        'sentinel down-after-milliseconds mymaster 500',
        'sentinel failover-timeout mymaster 3000',
        ...lines,
      ].join('\n'),
    );
    await server.#run([
      config,
      '--sentinel',
      ...['--bind', host, '--port', `${server.port}`, '--dir', server.#dir],
    ]);
    return server;
  }

  /** A Redis Cluster of that many primaries, up. A slot whose primary is gone keeps the others from nothing. */
  static async startCluster(count: number): Promise<RedisServer[]> {
    const servers: RedisServer[] = [];
    for (let i = 0; i < count; i += 1)
      servers.push(
        await RedisServer.start(
          ...['--cluster-enabled', 'yes', '--cluster-announce-ip', host],
          ...['--cluster-node-timeout', '1000', '--cluster-require-full-coverage', 'no'],
        ),
      );
    const slots = 16_384;
    const at = (i: number) => Math.round((i * slots) / count);
    for (const [i, { url }] of servers.entries()) {
      await redisCommand(url, 'CLUSTER', 'ADDSLOTSRANGE', `${at(i)}`, `${at(i + 1) - 1}`);
      await redisCommand(url, 'CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`);
      await redisCommand(url, 'CLUSTER', 'MEET', host, `${servers[0]?.port}`);
    }
    const isUp = async ({ url }: RedisServer) => {
      const info = String(await redisCommand(url, 'CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_slots_assigned:${slots}`);
    };
    for (const server of servers) while (!(await isUp(server))) await sleep(20);
    return servers;
  }

  get url(): string {
    return `redis://${host}:${this.port}`;
  }

  /** At the same port as before, without the data of before. Resolves once it answers. */
  async start(): Promise<void> {
    await this.#run([
      ...['--bind', host, '--port', `${this.port}`, '--dir', this.#dir, '--save', ''],
      ...this.#args,
    ]);
  }

  async #run(args: readonly string[]): Promise<void> {
    const child = spawn('redis-server', args, { stdio: 'ignore' });
    this.#child = child;
    const ready = () =>
      redisCommand(this.url, 'PING').then(
        () => true,
        // It asks for a password.
        (error: Error) => error.message.includes('NOAUTH'),
      );
    while (!(await ready())) {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${child.exitCode}`);
    }
  }

  /** As by a power cut. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Stands still, with its connections open. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
