import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, expect, test, vi } from 'vitest';
import { Clocks } from '../lib/clocks.ts';
import { redisCommand } from '../lib/redis.ts';
import { until } from '../lib/wait.ts';
import { Caller } from '../native/caller.ts';
import { Cluster } from './cluster.ts';

const HOUR_MS = 3_600_000;

vi.setConfig({ testTimeout: 120_000 });

/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

test.skipIf(process.platform !== 'linux')(
  'the wall clock of a process is shifted, and no other one; time that passes is not',
  async () => {
    const clocks = new Clocks();
    open.push(() => clocks.close());
    clocks.shift('ahead', HOUR_MS);
    const script = 'console.log(Date.now() - 60_000, new Date().getTime(), performance.now())';
    const ask = async (id: string) => {
      const env = { ...process.env, ...clocks.serviceEnv, BEDSIDE_NODE_ID: id };
      const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { env });
      return stdout.trim().split(' ').map(Number);
    };
    const [now = 0, date = 0, passed = Number.POSITIVE_INFINITY] = await ask('ahead');
    expect(now).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    expect(date).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    expect(passed).toBeLessThan(HOUR_MS / 2);
    expect((await ask('another'))[1]).toBeLessThan(Date.now() + HOUR_MS / 2);
  },
);

test.skipIf(process.platform !== 'linux')(
  'the clocks of gateway, node and Redis jump an hour ahead and two back: sound goes on, commands are carried out, and the visit stays where it is',
  async () => {
    const cluster = await Cluster.start({ gateways: 1, clocks: true });
    open.push(() => cluster.stop());
    let packets = 0;
    let lost = 0;
    const callers: Caller[] = [];
    for (const participant of ['patient', 'provider'])
      callers.push(
        await Caller.enter({
          url: cluster.url,
          token: await cluster.token({ visit: 'jump', participant, role: 'provider' }),
          onArrival: () => {
            packets += 1;
          },
          onMediaLost: () => {
            lost += 1;
          },
        }),
      );
    open.push(() => Promise.all(callers.map((caller) => caller.leave())));
    const arrive = (more: number) => {
      const goal = packets + more;
      return until(
        'packets',
        async () => packets,
        (count) => count >= goal,
      );
    };
    await arrive(20);
    const lease = await cluster.lease('jump');
    const secondsOfRedis = async () =>
      Number(((await redisCommand(cluster.redisUrl, 'TIME')) as string[])[0]);
    for (const id of ['gateway-1', 'node-1', 'redis'])
      for (const shiftMs of [HOUR_MS, -HOUR_MS, 0]) {
        cluster.shiftClock(id, shiftMs);
        if (id === 'redis' && shiftMs > 0)
          expect((await secondsOfRedis()) * 1_000).toBeGreaterThan(Date.now() + HOUR_MS / 2);
        // Some heartbeats, pings and renewals.
        await arrive(250);
        await callers[0]?.command('raise-hand', { raised: shiftMs > 0 });
      }
    expect(lost).toBe(0);
    expect(await cluster.lease('jump')).toEqual(lease);
  },
);
