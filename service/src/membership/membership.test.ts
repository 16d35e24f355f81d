import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { RedisCalls } from '../redis/calls.ts';
import { Member } from './member.ts';
import { Membership } from './membership.ts';

const MEMBER: Member = {
  kind: 'node',
  id: '1',
  boot: 'boot-1',
  version: '1.0.0',
  region: 'here',
  state: 'ready',
  address: 'ws://127.0.0.1:1',
};

/** A process of a cluster, and what it tells Redis: the operation, and the member as it says it is. */
function setUp() {
  const self = { ...MEMBER };
  const told: [operation: string, state: string][] = [];
  const calls = {
    run: async (operation: string, _script: unknown, _keys: unknown, args: unknown[]) => {
      told.push([operation, (JSON.parse(String(args[1])) as Member).state]);
      return [Buffer.from('1'), Buffer.from('1')];
    },
  } as unknown as RedisCalls;
  const membership = new Membership({
    calls,
    self: () => self,
    clock: { now: () => 0, after: () => () => {} },
    log: pino({ level: 'silent' }),
  });
  return { membership, self, told };
}

test('who leaves takes back what was said last, whatever has become of it since', async () => {
  const { membership, self, told } = setUp();
  await membership.start();
  self.state = 'draining';
  await membership.stop();
  expect(told).toEqual([
    ['heartbeat', 'ready'],
    ['leave', 'ready'],
  ]);
});

test('who has left says nothing more', async () => {
  const { membership, told } = setUp();
  await membership.start();
  await membership.stop();
  await membership.beat();
  expect(told.map(([operation]) => operation)).toEqual(['heartbeat', 'leave']);
});

test('who never came does not leave', async () => {
  const { membership, told } = setUp();
  await membership.stop();
  expect(told).toEqual([]);
});

test('a member is reached at a URL; what this version does not know of it is passed over', () => {
  expect(Member.parse({ ...MEMBER, colour: 'blue' })).toEqual(MEMBER);
  expect(Member.safeParse({ ...MEMBER, address: 'nowhere' }).success).toBe(false);
});
