import { expect, test } from 'vitest';
import { Gaps } from './gaps.ts';

test('the longest silence counts, the one that lasts included, and none from before the beginning', () => {
  const gaps = new Gaps();
  for (const at of [0, 500, 520, 540]) gaps.arrived('flow', at);
  expect(gaps.longest('flow', 541)).toBe(500);
  gaps.begin();
  expect(gaps.longest('flow', 600)).toBe(60);
  gaps.arrived('flow', 900);
  gaps.arrived('flow', 920);
  expect([gaps.longest('flow', 930), gaps.silent('flow', 930)]).toEqual([360, 10]);
});

test('what never came is silent for ever', () => {
  expect(new Gaps().longest('flow', 1)).toBe(Number.POSITIVE_INFINITY);
});
