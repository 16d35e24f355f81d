import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/lib/ports.mjs';
import { balancer, balancerConfig } from '../../scripts/lib/processes.mjs';
import { Supervised } from '../../scripts/lib/supervisor.mjs';
import { haproxy } from '../../scripts/lib/system-packages.mjs';

const file = fileURLToPath(new URL('haproxy.cfg', import.meta.url));
const shipped = readFileSync(file, 'utf8');
const host = '127.0.0.1';
const program = haproxy() ?? 'haproxy';
const scratch = mkdtempSync(join(tmpdir(), 'bedside-haproxy-'));

/** A gateway as the balancer sees it: says its name, what it was asked and by whom. */
class FakeGateway {
  readonly id: string;
  ready = true;
  /** Nothing is answered any more. */
  hung = false;
  readonly #servers: Server[] = [];
  readonly #clients: number;
  readonly ops: number;

  constructor(id: string, clients: number, ops: number) {
    this.id = id;
    this.#clients = clients;
    this.ops = ops;
  }

  get address(): string {
    return `${host}:${this.#clients}`;
  }

  async start(): Promise<void> {
    const clients = createServer((asked, response) => {
      if (this.hung) return;
      const from = asked.headers['x-forwarded-for'];
      response.end(JSON.stringify({ id: this.id, from }));
    });
    clients.on('upgrade', (_, connection) => {
      connection.on('error', () => {});
      connection.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n',
      );
    });
    const ops = createServer((asked, response) => {
      if (this.hung) return;
      response.statusCode = asked.url?.startsWith('/readyz') && !this.ready ? 404 : 200;
      response.end();
    });
    this.#servers.push(clients, ops);
    await new Promise<void>((resolve) => clients.listen(this.#clients, host, resolve));
    await new Promise<void>((resolve) => ops.listen(this.ops, host, resolve));
  }

  kill(): void {
    for (const server of this.#servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  }
}

let gateways: FakeGateway[];
let running: Supervised;
let url: string;

beforeAll(async () => {
  const ports: number[] = [];
  for (let port = 49_500; ports.length < 7; port += 1) {
    port = await freePort(port);
    ports.push(port);
  }
  const [listen = 0, ...rest] = ports;
  gateways = [0, 1, 2].map(
    (index) =>
      new FakeGateway(`gateway-${index + 1}`, rest[2 * index] ?? 0, rest[2 * index + 1] ?? 0),
  );
  for (const gateway of gateways) await gateway.start();
  const configFile = join(scratch, 'haproxy.cfg');
  writeFileSync(
    configFile,
    balancerConfig(shipped, {
      listen: `${host}:${listen}`,
      gateways: gateways.map(({ id, address, ops }) => ({ id, address, opsPort: ops })),
    }),
  );
  url = `http://${host}:${listen}`;
  running = new Supervised(
    {
      name: 'haproxy',
      cwd: scratch,
      env: process.env,
      logFile: join(scratch, 'haproxy.log'),
      restart: false,
      ready: async () => (await fetch(url).catch(() => undefined))?.ok ?? false,
      ...balancer({ program, configFile }),
    },
    () => {},
  );
  running.start();
  await running.untilReady();
});

afterAll(async () => {
  await running?.stop();
  running?.close();
  for (const gateway of gateways ?? []) gateway.kill();
  rmSync(scratch, { recursive: true, force: true });
});

async function ask(path: string, options: RequestInit = {}): Promise<{ id: string; from: string }> {
  const answer = await fetch(`${url}${path}`, options);
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { id: string; from: string };
}

const VISITS = Array.from({ length: 60 }, (_, index) => `visit-${index}`);
const socket = (visit: string, more = '') => ask(`/socket.io/?visit=${visit}&EIO=4${more}`);

/** The gateway of each visit's sockets. */
async function homes(): Promise<string[]> {
  return Promise.all(VISITS.map(async (visit) => (await socket(visit)).id));
}

/** A tunnel, as a WebSocket is one to the balancer. */
async function upgraded(path: string): Promise<Duplex> {
  const headers = { connection: 'Upgrade', upgrade: 'raw' };
  const asked = request(`${url}${path}`, { headers });
  asked.end();
  const [, connection] = (await once(asked, 'upgrade')) as [unknown, Duplex];
  connection.on('error', () => {});
  connection.resume();
  return connection;
}

/** Sent in two parts: the second one when the first must have been seen. */
function inTwo(text: string): ReadableStream {
  return new ReadableStream({
    async start(controller) {
      const bytes = new TextEncoder().encode(text);
      controller.enqueue(bytes.subarray(0, 10));
      await delay(50);
      controller.enqueue(bytes.subarray(10));
      controller.close();
    },
  });
}

it('is accepted as it is shipped', async () => {
  const { stdout } = await promisify(execFile)(program, ['-c', '-f', file]);
  expect(stdout).toContain('valid');
});

describe('the balancer', () => {
  it('sends sockets, requests and the making of a visit to the same gateway, and shares visits out', async () => {
    const sockets = await homes();
    expect(new Set(sockets).size).toBe(3);
    const requests = VISITS.map(async (visit) => (await ask(`/v1/visits/${visit}/end`)).id);
    expect(await Promise.all(requests)).toEqual(sockets);
    const making = VISITS.map(async (visit) => {
      const body = inTwo(JSON.stringify({ kind: 'visit', visit }));
      return (await ask('/v1/visits', { method: 'POST', body, duplex: 'half' })).id;
    });
    expect(await Promise.all(making)).toEqual(sockets);
  });

  it('sends all of a clinic to the same gateway', async () => {
    const staff = VISITS.map(async () => (await ask('/socket.io/?EIO=4&clinic=c1')).id);
    expect(new Set(await Promise.all(staff)).size).toBe(1);
  });

  it('sends what names a gateway to that one, and what names none that is there as if it named none', async () => {
    for (const { id } of gateways) {
      expect((await socket('visit-1', `&gateway=${id}`)).id).toBe(id);
    }
    const unnamed = (await socket('visit-1')).id;
    expect((await socket('visit-1', '&gateway=other')).id).toBe(unnamed);
  });

  it('says which address a client has, whatever the client says', async () => {
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    expect((await ask('/', { headers })).from).toBe(host);
  });

  it('sends the visits of a gateway that is killed to others, the very next request too, and no other visit anywhere else', async () => {
    const before = await homes();
    const [victim] = gateways as [FakeGateway];
    victim.kill();
    const after = await homes();
    expect(after).not.toContain(victim.id);
    expect(
      after.filter((id, index) => before[index] !== victim.id && id !== before[index]),
    ).toEqual([]);
    expect((await socket('visit-1', `&gateway=${victim.id}`)).id).not.toBe(victim.id);
    await victim.start();
    await expect.poll(homes, { timeout: 20_000 }).toEqual(before);
  });

  it('sends nothing to a gateway that is not ready, unless none is', async () => {
    const before = await homes();
    const [first, ...others] = gateways as [FakeGateway, ...FakeGateway[]];
    first.ready = false;
    await expect.poll(homes, { timeout: 20_000 }).not.toContain(first.id);
    for (const gateway of others) gateway.ready = false;
    await expect.poll(homes, { timeout: 20_000 }).toEqual(before);
    for (const gateway of gateways) gateway.ready = true;
  });

  it('leaves the connections of a gateway that is not ready, and closes those of one that stands still', async () => {
    const [first] = gateways as [FakeGateway];
    const visit = VISITS[(await homes()).indexOf(first.id)];
    const connection = await upgraded(`/socket.io/?visit=${visit}`);
    let closed = false;
    const end = once(connection, 'close').then(() => {
      closed = true;
    });
    first.ready = false;
    await expect.poll(homes, { timeout: 20_000 }).not.toContain(first.id);
    expect((await socket('any', `&gateway=${first.id}`)).id).toBe(first.id);
    expect(closed).toBe(false);
    first.hung = true;
    await end;
    first.hung = false;
    first.ready = true;
  });
});
