import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    // Tests run side by side: they look for ports from different places.
    const from = 20_000 + Math.floor(Math.random() * 10_000);
    const server = new RedisServer(await freePort(from), args);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://${host}:${this.port}`;
  }

  /** At the same port as before, without the data of before. Resolves once it answers. */
  async start(): Promise<void> {
    const child = spawn(
      'redis-server',
      ['--bind', host, '--port', `${this.port}`, '--dir', this.#dir, '--save', '', ...this.#args],
      { stdio: 'ignore' },
    );
    this.#child = child;
    const ready = () =>
      redisCommand(this.url, 'PING').then(
        () => true,
        () => false,
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
