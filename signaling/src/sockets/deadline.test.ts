import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withDeadline } from './deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = () => new Promise<never>(() => {});

test('gives what comes in time', async () => {
  expect(await withDeadline(Promise.resolve(7), 100)).toBe(7);
});

test('throws what is thrown in time', async () => {
  await expect(withDeadline(Promise.reject(new Error('theirs')), 100)).rejects.toThrow('theirs');
});

test('throws `deadline` when the time is up, and not before', async () => {
  const outcome = vi.fn();
  withDeadline(never(), 100).catch(outcome);
  await vi.advanceTimersByTimeAsync(99);
  expect(outcome).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'deadline' }));
});

test('leaves no timer behind', async () => {
  await withDeadline(Promise.resolve(), 100);
  await withDeadline(Promise.reject(new Error('theirs')), 100).catch(() => undefined);
  expect(vi.getTimerCount()).toBe(0);
});

test('a failure that comes too late is nobody’s unhandled rejection', async () => {
  let fail = (_error: Error) => {};
  const late = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const outcome = expect(withDeadline(late, 100)).rejects.toMatchObject({ code: 'deadline' });
  await vi.advanceTimersByTimeAsync(100);
  await outcome;
  fail(new Error('late'));
});
