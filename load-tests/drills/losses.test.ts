import { expect, test } from 'vitest';
import { Losses } from './losses.ts';

const after = (...numbers: number[]) => {
  const losses = new Losses();
  for (const number of numbers) losses.arrived('flow', number);
  return losses;
};

test('what has not come is lost, whatever came late or twice is not', () => {
  expect(after(5, 6, 7).lost('flow')).toBe(0);
  expect(after(5, 8, 7, 8, 9).lost('flow')).toBe(1);
  expect(after(5, 8, 7, 6, 9).lost('flow')).toBe(0);
  expect(after(5).lost('another')).toBe(0);
});

test('what was lost before the beginning does not count', () => {
  const losses = after(1, 3);
  losses.begin();
  losses.arrived('flow', 4);
  expect(losses.lost('flow')).toBe(0);
  losses.arrived('flow', 7);
  expect(losses.lost('flow')).toBe(2);
  expect(losses.numbered('flow')).toBe(4);
});
