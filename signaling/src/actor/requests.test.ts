import { BedsideError, LIMITS } from '@bedside/protocol';
import { expect, test, vi } from 'vitest';
import { RequestMemory } from './requests.ts';

test('the same key twice runs once, and both get the same answer', async () => {
  const memory = new RequestMemory();
  const run = vi.fn(async () => ({}));
  const [one, other] = await Promise.all([
    memory.once('k', true, run),
    memory.once('k', true, run),
  ]);
  expect(await memory.once('k', true, run)).toBe(one);
  expect(other).toBe(one);
  expect(run).toHaveBeenCalledTimes(1);
});

test('what is not to be kept runs once while it is under way, and again afterwards', async () => {
  const memory = new RequestMemory();
  const run = vi.fn(async () => ({}));
  await Promise.all([memory.once('k', false, run), memory.once('k', false, run)]);
  expect(run).toHaveBeenCalledTimes(1);
  await memory.once('k', false, run);
  expect(run).toHaveBeenCalledTimes(2);
});

test('an error that may pass is forgotten, one that stays is answered again', async () => {
  const memory = new RequestMemory();
  const passing = vi.fn(async () => {
    throw new BedsideError('media-unavailable');
  });
  const staying = vi.fn(async () => {
    throw new BedsideError('forbidden');
  });
  for (const _ of [1, 2]) {
    await expect(memory.once('passing', true, passing)).rejects.toMatchObject({
      code: 'media-unavailable',
    });
    await expect(memory.once('staying', true, staying)).rejects.toMatchObject({
      code: 'forbidden',
    });
  }
  expect(passing).toHaveBeenCalledTimes(2);
  expect(staying).toHaveBeenCalledTimes(1);
});

test('only the latest answers are kept', async () => {
  const memory = new RequestMemory();
  const run = vi.fn(async () => ({}));
  for (let n = 0; n <= LIMITS.rememberedRequests; n++) await memory.once(`k${n}`, true, run);
  run.mockClear();
  await memory.once(`k${LIMITS.rememberedRequests}`, true, run);
  await memory.once('k1', true, run);
  expect(run).not.toHaveBeenCalled();
  await memory.once('k0', true, run);
  expect(run).toHaveBeenCalledTimes(1);
});

test('a request that is under way is not forgotten, however many are answered meanwhile', async () => {
  const memory = new RequestMemory();
  const gate = Promise.withResolvers<object>();
  const slow = vi.fn(() => gate.promise);
  const first = memory.once('slow', true, slow);
  for (let n = 0; n < 2 * LIMITS.rememberedRequests; n++)
    await memory.once(`k${n}`, true, async () => ({}));
  const second = memory.once('slow', true, slow);
  gate.resolve({});
  expect(await second).toBe(await first);
  expect(slow).toHaveBeenCalledTimes(1);
});
