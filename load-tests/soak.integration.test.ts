import type { Role } from '@bedside/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../scripts/lib/stack.mjs';
import { scrape, sum } from './lib/metrics.ts';
import { redisCommand, redisKeys } from './lib/redis.ts';
import { ONE_SOURCE, targetOf } from './lib/target.ts';
import { mintToken } from './lib/token.ts';
import { eachOf, until } from './lib/wait.ts';
import { NativeParticipant } from './native/participant.ts';

const JOINS = 200;
const VISIT_SIZE = 4;
const WIDTH = 8;
const ROLES: readonly Role[] = ['provider', 'patient', 'interpreter', 'specialist'];

let stack: Stack;

beforeAll(async () => {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  if (!workerBin) throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through `npm test`.');
  stack = await startStack({
    node22: process.execPath,
    workerBin,
    restart: false,
    only: ['redis', 'node', 'gateway'],
    ports: {
      redis: 26_390,
      gateway: 27_000,
      gatewayOps: 27_001,
      node: 27_100,
      nodeOps: 27_101,
      media: 27_200,
    },
    // What is kept for those who come back is kept for a short time here.
    env: {
      gateway: { ...ONE_SOURCE, BEDSIDE_GRACE_MS: '200' },
      node: { BEDSIDE_EMPTY_VISIT_MS: '500' },
    },
  });
});

afterAll(async () => {
  await stack?.stop();
});

/** What must be back to where it was. */
async function held() {
  const [gateway, node] = await Promise.all([
    scrape(stack.urls.gatewayOps),
    scrape(stack.urls.nodeOps),
  ]);
  const timers = (samples: typeof gateway, service: string) =>
    sum(samples, `bedside_${service}_nodejs_active_resources`, { type: 'Timeout' });
  return {
    transports: sum(node, 'bedside_node_transports'),
    producers: sum(node, 'bedside_node_producers'),
    consumers: sum(node, 'bedside_node_consumers'),
    routers: sum(node, 'bedside_node_routers'),
    sockets: sum(gateway, 'bedside_gateway_sockets'),
    visits: sum(gateway, 'bedside_gateway_visits'),
    participants: sum(gateway, 'bedside_gateway_participants'),
    unwritten: sum(gateway, 'bedside_gateway_unwritten_changes'),
    gatewayTimers: timers(gateway, 'gateway'),
    nodeTimers: timers(node, 'node'),
  };
}

/** One participant's stay: media announced by all, DTLS by every fourth; every fifth is gone without a word. */
async function stay(visit: string, index: number, role: Role): Promise<NativeParticipant> {
  const { gateway: url, tenant } = targetOf(stack);
  const token = await mintToken(tenant, { visit, participant: `p.${index}`, role });
  const participant = await NativeParticipant.connect({ url, visit, token });
  await participant.join();
  if (index % 4 === 0) await participant.connectMedia();
  await participant.produce('microphone');
  await participant.produce('camera');
  return participant;
}

/** Visits one after the other, each with all its participants at once; the provider ends every other one. */
async function visits(label: string, count: number) {
  const indexes = Array.from({ length: count }, (_, index) => index);
  await eachOf(indexes, WIDTH / VISIT_SIZE, async (visitIndex) => {
    const visit = `${label}.${visitIndex}`;
    const participants = await Promise.all(
      ROLES.slice(0, VISIT_SIZE).map((role, i) => stay(visit, visitIndex * VISIT_SIZE + i, role)),
    );
    if (visitIndex % 2 === 0) await participants[0]?.command('end', {});
    for (const [i, participant] of participants.entries()) {
      if (visitIndex % 2 === 0 || (visitIndex * VISIT_SIZE + i) % 5 === 0) participant.close();
      else await participant.leave();
    }
  });
}

test(`${JOINS} joins and leaves leave no transport, router, timer or Redis key behind`, {
  timeout: 300_000,
}, async () => {
  // What is made once and kept (script caches, pools) is made before the first look.
  await visits('warm', 2);
  const empty = {
    transports: 0,
    producers: 0,
    consumers: 0,
    routers: 0,
    sockets: 0,
    participants: 0,
    unwritten: 0,
  };
  const isEmpty = (now: Awaited<ReturnType<typeof held>>) =>
    Object.keys(empty).every((name) => now[name as keyof typeof empty] === 0);
  const before = await until('the warm-up to be gone', held, isEmpty);
  const keysBefore = await redisKeys(stack.urls.redis);

  await visits('soak', JOINS / VISIT_SIZE);

  const after = await until(
    'everything to be back where it was',
    held,
    (now) =>
      isEmpty(now) &&
      now.gatewayTimers <= before.gatewayTimers &&
      now.nodeTimers <= before.nodeTimers,
  );
  expect(after).toMatchObject(empty);

  // The visits themselves are remembered for a while: each such key goes by itself.
  const known = new Set(keysBefore);
  const left = (await redisKeys(stack.urls.redis)).filter((key) => !known.has(key));
  for (const key of left) {
    expect(await redisCommand(stack.urls.redis, 'PTTL', key), `expiry of ${key}`).toBeGreaterThan(
      0,
    );
  }
});
