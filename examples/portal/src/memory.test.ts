import { expect, test } from 'vitest';
import { Memory } from './memory.ts';

test('what is past its time is forgotten', () => {
  let now = 0;
  const memory = new Memory<string, number>(10, () => now);
  memory.set('a', 1, 100);
  memory.set('b', 2, 200);
  now = 100;
  expect(memory.get('a')).toBeUndefined();
  expect(memory.values()).toEqual([2]);
});

test('there are never more than the limit: the oldest go', () => {
  const memory = new Memory<string, number>(2, () => 0);
  memory.set('a', 1, 100);
  memory.set('b', 2, 100);
  memory.set('a', 3, 100);
  memory.set('c', 4, 100);
  expect(memory.values()).toEqual([3, 4]);
});

test('what is past its time makes room before the oldest', () => {
  let now = 0;
  const memory = new Memory<string, number>(2, () => now);
  memory.set('a', 1, 1000);
  memory.set('b', 2, 10);
  now = 20;
  memory.set('c', 3, 1000);
  expect(memory.values()).toEqual([1, 3]);
});

test('what is taken is there once', () => {
  const memory = new Memory<string, number>(2, () => 0);
  memory.set('a', 1, 100);
  expect(memory.take('a')).toBe(1);
  expect(memory.take('a')).toBeUndefined();
});
