import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { token } from '../testing.ts';
import { TokenAhead } from './token-ahead.ts';

describe('TokenAhead', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function portal(...answers: (string | Error)[]) {
    const asked: number[] = [];
    const ahead = new TokenAhead(async () => {
      const answer = answers[asked.push(0) - 1] ?? 'one too many';
      if (answer instanceof Error) throw answer;
      return answer;
    });
    return { ahead, times: () => asked.length };
  }

  it('says who joins', async () => {
    const { ahead } = portal(token({ role: 'interpreter', name: 'Jonas' }));
    expect(await ahead.claims()).toMatchObject({ role: 'interpreter', name: 'Jonas' });
  });

  it('gives the first connection the token that was asked for ahead, and each later one its own', async () => {
    const [first, second] = [token({ jti: '1' }), token({ jti: '2' })];
    const { ahead, times } = portal(first, second);
    await ahead.claims();
    expect(await ahead.next()).toBe(first);
    expect(times()).toBe(1);
    expect(await ahead.next()).toBe(second);
  });

  it('asks once where joining does not wait for the first answer', async () => {
    const { ahead, times } = portal(token());
    const [, first] = await Promise.all([ahead.claims(), ahead.next()]);
    expect(first).toBe(token());
    expect(times()).toBe(1);
  });

  it('asks anew for somebody who took their time', async () => {
    const { ahead } = portal(token({ jti: '1' }), token({ jti: '2' }));
    await ahead.claims();
    vi.advanceTimersByTime(61_000);
    expect(await ahead.next()).toBe(token({ jti: '2' }));
  });

  it('asks again where the portal failed the first time, and fails where it fails again', async () => {
    const { ahead } = portal(new Error('1'), token(), new Error('3'), new Error('4'));
    expect(await ahead.claims()).toBeUndefined();
    expect(await ahead.next()).toBe(token());
    expect(await ahead.claims()).toBeUndefined();
    await expect(ahead.next()).rejects.toThrow('4');
  });

  it('knows nobody from what is no token', async () => {
    expect(await portal('nonsense').ahead.claims()).toBeUndefined();
  });
});
