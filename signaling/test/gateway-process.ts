import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../src/config.ts';
import { TENANTS } from './harness.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** A gateway as it is run: a process of its own, started by its entry file. */
export class GatewayProcess {
  readonly url: string;
  readonly opsUrl: string;
  /** Resolves when it has ended and all that it wrote was read. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  #output = '';

  private constructor(environment: Environment) {
    this.url = `http://127.0.0.1:${environment.BEDSIDE_GATEWAY_PORT}`;
    this.opsUrl = `http://127.0.0.1:${environment.BEDSIDE_GATEWAY_OPS_PORT}`;
    this.#child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk) => {
        this.#output += chunk;
      });
    this.ended = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** With the tenants of the harness, on free ports; `environment` overrides. */
  static async spawn(environment: Environment = {}): Promise<GatewayProcess> {
    const [port, opsPort] = await freePorts(2);
    return new GatewayProcess({
      BEDSIDE_GATEWAY_PORT: String(port),
      BEDSIDE_GATEWAY_OPS_PORT: String(opsPort),
      BEDSIDE_TENANTS: JSON.stringify(TENANTS),
      ...environment,
    });
  }

  /** All that it has written so far. */
  get output(): string {
    return this.#output;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Status and body of an answer of the ops port; status 0 where there is none. */
  async ask(path: '/livez' | '/readyz' | '/metrics'): Promise<{ status: number; body: string }> {
    try {
      const answer = await fetch(this.opsUrl + path);
      return { status: answer.status, body: await answer.text() };
    } catch {
      return { status: 0, body: '' };
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
