/** The command line, as it is run, with real Redis. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MEMBERSHIP_KEYS } from '@bedside/service';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { redisCommand } from '../../../load-tests/lib/redis.ts';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const PASSWORD = 'password-of-this-test';

let server: RedisServer;
beforeEach(async () => {
  server = await RedisServer.start('--requirepass', PASSWORD);
  const member = { kind: 'node', id: 'node-1', boot: 'b', version: '1.0.0', region: 'here' };
  const there = { ...member, state: 'ready', address: 'ws://198.51.100.7:7100' };
  const url = server.url.replace('//', `//:${PASSWORD}@`);
  await redisCommand(url, 'HSET', MEMBERSHIP_KEYS[0], 'node:node-1', JSON.stringify(there));
});
afterEach(() => server.stop());

/** What it prints, and its exit status. */
async function bedside(words: string[], env: Record<string, string>) {
  const run = promisify(execFile)(process.execPath, [MAIN, ...words], {
    env: { PATH: process.env.PATH, BEDSIDE_REDIS_URL: server.url, ...env },
  });
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) =>
      ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
  );
}

test('finds the members by the variables that gateways have', async () => {
  const found = await bedside(['members'], { BEDSIDE_REDIS_PASSWORD: PASSWORD });
  expect(found).toMatchObject({ code: 0, stderr: '' });
  expect(found.stdout).toMatch(/^node +node-1 +ready +here/m);
});

test('says what is the matter with Redis, and what is wrong in the environment, with no value', async () => {
  const refused = await bedside(['members'], { BEDSIDE_REDIS_PASSWORD: 'MARKED-password' });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/^Redis refuses the password\./);
  const wrong = await bedside(['members'], {
    BEDSIDE_REDIS_CLUSTER: 'redis://MARKED',
    BEDSIDE_CONTROL_SECRET: 'MARKED-secret',
  });
  expect(wrong.code).toBe(78);
  for (const name of ['REDIS_CLUSTER', 'CONTROL_SECRET'])
    expect(wrong.stderr).toMatch(new RegExp(`^ +BEDSIDE_${name} `, 'm'));
  expect(refused.stderr + wrong.stderr).not.toContain('MARKED');
});

test('shows the built-in secret to no node elsewhere', async () => {
  const refused = await bedside(['drain', 'node-1'], { BEDSIDE_REDIS_PASSWORD: PASSWORD });
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('The built-in control secret is for one machine only.'),
  });
});
