import { describe, expect, test } from 'vitest';
import { Lane } from './lane.ts';

describe('Lane', () => {
  test('runs tasks one at a time, in order', async () => {
    const lane = new Lane(10);
    const seen: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = lane.run(async () => {
      seen.push('first begins');
      await gate.promise;
      seen.push('first ends');
    });
    const second = lane.run(async () => seen.push('second'));
    gate.resolve();
    await Promise.all([first, second]);
    expect(seen).toEqual(['first begins', 'first ends', 'second']);
  });

  test('a task that fails does not stop the next', async () => {
    const lane = new Lane(10);
    const failing = lane.run(() => Promise.reject(new Error('no')));
    const next = lane.run(async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('yes');
  });

  test('refuses what goes over its limit, and takes tasks again once it is free', async () => {
    const lane = new Lane(1);
    const gate = Promise.withResolvers<void>();
    const first = lane.run(() => gate.promise);
    await expect(lane.run(async () => {})).rejects.toMatchObject({ code: 'media-unavailable' });
    gate.resolve();
    await first;
    await Promise.resolve();
    expect(lane.idle).toBe(true);
    await expect(lane.run(async () => 'yes')).resolves.toBe('yes');
  });
});
