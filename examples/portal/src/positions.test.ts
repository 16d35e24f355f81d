import type { VisitId, Wait } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { Positions } from './positions.ts';

const visits = (...names: string[]) => names as VisitId[];

function told() {
  const shared: [VisitId, Wait][] = [];
  const gateway = { isThere: true };
  const positions = new Positions({
    share: async (visit, wait) => {
      shared.push([visit, wait]);
      if (!gateway.isThere) throw new Error('no answer');
    },
  });
  return { positions, gateway, take: () => shared.splice(0) };
}

test('who waits is told how many are before them, and again only where that changes', async () => {
  const { positions, take } = told();
  await positions.share(visits('a', 'b', 'c'));
  expect(take()).toEqual([
    ['a', { ahead: 0 }],
    ['b', { ahead: 1 }],
    ['c', { ahead: 2 }],
  ]);
  await positions.share(visits('a', 'b', 'c'));
  expect(take()).toEqual([]);
  await positions.share(visits('a', 'c'));
  expect(take()).toEqual([['c', { ahead: 1 }]]);
});

test('who could not be told is told with the next change', async () => {
  const { positions, gateway, take } = told();
  gateway.isThere = false;
  await positions.share(visits('a'));
  take();
  gateway.isThere = true;
  await positions.share(visits('a'));
  expect(take()).toEqual([['a', { ahead: 0 }]]);
});
