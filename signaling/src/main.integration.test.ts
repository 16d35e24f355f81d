import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { redisCommand } from '../../load-tests/lib/redis.ts';
import { RedisServer } from '../../load-tests/lib/redis-server.ts';
import { type Stack, startStack } from '../../scripts/lib/stack.mjs';
import { GatewayProcess } from '../test/gateway-process.ts';
import { clientOf, eventOf, handshake, mintToken } from '../test/harness.ts';
import type { Environment } from './config.ts';

const running: GatewayProcess[] = [];
afterEach(async () => {
  for (const gateway of running.splice(0)) {
    gateway.kill('SIGKILL');
    await gateway.ended;
  }
});

async function spawn(environment: Environment = {}): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.spawn(environment);
  running.push(gateway);
  return gateway;
}
const untilAnswers = (gateway: GatewayProcess, path: '/livez' | '/readyz', status: number) =>
  vi.waitFor(async () => expect(await gateway.ask(path)).toMatchObject({ status }), {
    timeout: 20_000,
  });

describe('a wrong environment', () => {
  test('ends the process with 78 and one line for each variable, without any value', async () => {
    const gateway = await spawn({
      BEDSIDE_GATEWAY_PORT: 'MARKED-port',
      BEDSIDE_REDIS_URL: 'http://user:MARKED-password@redis.example.org',
      BEDSIDE_CONTROL_SECRET: 'MARKED-secret',
      BEDSIDE_TENANTS: '[{"id":"clinic","secrets":[{"kid":"k1","secret":"MARKED"}]}]',
    });
    expect(await gateway.ended).toEqual({ code: 78, signal: null });
    for (const name of ['GATEWAY_PORT', 'REDIS_URL', 'CONTROL_SECRET', 'TENANTS'])
      expect(gateway.output).toMatch(new RegExp(`^ +BEDSIDE_${name} `, 'm'));
    expect(gateway.output).not.toContain('MARKED');
  });

  test('that is only empty does, too', async () => {
    const gateway = await spawn({ BEDSIDE_TENANTS: '' });
    expect(await gateway.ended).toEqual({ code: 78, signal: null });
  });
});

/** Nobody listens there. */
const NOWHERE = { BEDSIDE_REDIS_URL: 'redis://127.0.0.1:1', BEDSIDE_NODES: 'ws://127.0.0.1:1' };

test('a Redis that is full: the gateway lives, and says why it is not ready', async () => {
  const redis = await RedisServer.start('--maxmemory', '1');
  try {
    const gateway = await spawn({ ...NOWHERE, BEDSIDE_REDIS_URL: redis.url });
    await vi.waitFor(() => expect(gateway.output).toContain('"msg":"started"'), 20_000);
    const { status, body } = await gateway.ask('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body).reasons).toContain('Redis is out of memory');
    expect((await gateway.ask('/livez')).status).toBe(200);
    await redisCommand(redis.url, 'CONFIG', 'SET', 'maxmemory', '0');
    await vi.waitFor(
      async () =>
        expect(JSON.parse((await gateway.ask('/readyz')).body).reasons).toEqual([
          'no node is linked',
        ]),
      20_000,
    );
  } finally {
    await redis.stop();
  }
});

describe('without Redis and nodes', () => {
  test('the gateway is alive from the beginning, and not ready', async () => {
    const gateway = await spawn(NOWHERE);
    await untilAnswers(gateway, '/livez', 200);
    expect(await gateway.ask('/readyz')).toEqual({
      status: 503,
      body: '{"ready":false,"reasons":["starting"]}\n',
    });
    await vi.waitFor(() => expect(gateway.output).toContain('"msg":"started"'), 20_000);
    const { status, body } = await gateway.ask('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body).reasons).toHaveLength(2);
    expect((await gateway.ask('/livez')).status).toBe(200);
  });

  test('SIGTERM ends it while it starts, with 0', async () => {
    const gateway = await spawn(NOWHERE);
    await untilAnswers(gateway, '/livez', 200);
    gateway.kill('SIGTERM');
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
    expect(gateway.output).not.toContain('"msg":"started"');
  });

  test('a port that is taken ends a second gateway, and the first keeps all of its clients', async () => {
    const first = await spawn(NOWHERE);
    await vi.waitFor(() => expect(first.output).toContain('"msg":"started"'), 20_000);
    const second = await spawn({ ...NOWHERE, BEDSIDE_GATEWAY_PORT: new URL(first.url).port });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.output).toContain('EADDRINUSE');
    expect(second.output).toContain('can not listen on the port of BEDSIDE_GATEWAY_PORT"');
    expect((await fetch(`${first.url}/v1/openapi.json`)).status).toBe(200);
  });
});

describe('with Redis and a node', () => {
  let stack: Stack;

  beforeAll(async () => {
    const workerBin = process.env.MEDIASOUP_WORKER_BIN;
    if (!workerBin)
      throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through `npm test`.');
    stack = await startStack({
      node22: process.execPath,
      workerBin,
      workers: 1,
      restart: false,
      only: ['redis', 'node'],
      ports: { redis: 28_390, node: 28_100, nodeOps: 28_101, media: 28_200 },
    });
  });
  afterAll(async () => {
    await stack?.stop();
  });

  async function ready(environment: Environment = {}): Promise<GatewayProcess> {
    const gateway = await spawn({
      BEDSIDE_REDIS_URL: stack.urls.redis,
      BEDSIDE_NODES: stack.urls.node,
      BEDSIDE_CONTROL_SECRET: stack.secrets.control,
      ...environment,
    });
    await untilAnswers(gateway, '/readyz', 200);
    return gateway;
  }

  async function page(gateway: GatewayProcess, visit: string) {
    const socket = clientOf(gateway.url, handshake(await mintToken({ visit })), { visit });
    const welcome = eventOf(socket, 'welcome');
    socket.connect();
    await welcome;
    return socket;
  }

  test('SIGTERM tells every page to come back, and ends the process with 0', async () => {
    const gateway = await ready();
    const pages = await Promise.all(['a', 'b', 'c'].map((visit) => page(gateway, visit)));
    const closing = pages.map((socket) => eventOf(socket, 'closing'));
    const gone = pages.map((socket) => eventOf(socket, 'disconnect'));
    gateway.kill('SIGTERM');
    for (const said of await Promise.all(closing)) {
      expect(said).toEqual({ reason: 'shutting-down', retryAfterMs: expect.any(Number) });
    }
    await Promise.all(gone);
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
    expect(gateway.output).not.toMatch(/"level":"(error|fatal)"/);
  });

  test('while it stops it is alive, not ready, and lets nobody in, whatever signals come', async () => {
    const gateway = await ready({ BEDSIDE_SHUTDOWN_MS: '4000' });
    const socket = await page(gateway, 'd');
    const closing = eventOf(socket, 'closing');
    stack.processes.redis.kill('SIGSTOP');
    try {
      gateway.kill('SIGTERM');
      await closing;
      expect(await gateway.ask('/readyz')).toEqual({
        status: 503,
        body: '{"ready":false,"reasons":["stopping"]}\n',
      });
      expect((await gateway.ask('/livez')).status).toBe(200);
      await expect(fetch(`${gateway.url}/v1/openapi.json`)).rejects.toThrow('fetch failed');
      gateway.kill('SIGTERM');
      gateway.kill('SIGINT');
      expect((await gateway.ask('/livez')).status).toBe(200);
      expect(await gateway.ended).toEqual({ code: 0, signal: null });
      expect(gateway.output.match(/"msg":"stopping"/g)).toHaveLength(1);
    } finally {
      stack.processes.redis.kill('SIGCONT');
    }
  });

  test('it ends in time though Redis hangs: with 0, and not by its last deadline', async () => {
    const gateway = await ready({ BEDSIDE_SHUTDOWN_MS: '1500' });
    await page(gateway, 'f');
    stack.processes.redis.kill('SIGSTOP');
    try {
      gateway.kill('SIGTERM');
      expect(await gateway.ended).toEqual({ code: 0, signal: null });
      expect(gateway.output).toContain('visits not stopped in order');
    } finally {
      stack.processes.redis.kill('SIGCONT');
    }
  });

  test('Redis away: alive, not ready, pages stay; Redis back: ready, by itself', async () => {
    const gateway = await ready();
    const socket = await page(gateway, 'e');
    await stack.processes.redis.stop();
    await untilAnswers(gateway, '/readyz', 503);
    expect((await gateway.ask('/readyz')).body).toContain('Redis');
    expect((await gateway.ask('/livez')).status).toBe(200);
    expect((await gateway.ask('/metrics')).status).toBe(200);
    expect(socket.connected).toBe(true);
    stack.processes.redis.start();
    await untilAnswers(gateway, '/readyz', 200);
    expect(socket.connected).toBe(true);
    socket.disconnect();
  });
});
