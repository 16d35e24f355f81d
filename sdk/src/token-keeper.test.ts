import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TokenKeeper } from './token-keeper.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('TokenKeeper', () => {
  it('renews through the provider before the token expires, again and again', async () => {
    let count = 0;
    const announce = vi.fn(async () => ({ expiresInMs: 100_000 }));
    const keeper = new TokenKeeper({ tokenProvider: () => `t${++count}` }, announce);
    expect(await keeper.fetch()).toBe('t1');
    keeper.expiresIn(100_000);
    await vi.advanceTimersByTimeAsync(99_999);
    expect(announce.mock.calls).toEqual([['t2']]);
    await vi.advanceTimersByTimeAsync(99_999);
    expect(announce).toHaveBeenLastCalledWith('t3');
    keeper.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries again while the old token lasts', async () => {
    const announce = vi.fn(async () => ({ expiresInMs: 100_000 }));
    const tokenProvider = vi.fn<() => string>().mockImplementationOnce(() => {
      throw new Error('portal away');
    });
    tokenProvider.mockReturnValue('later');
    const keeper = new TokenKeeper({ tokenProvider }, announce);
    keeper.expiresIn(100_000);
    await vi.advanceTimersByTimeAsync(99_999);
    expect(announce).toHaveBeenCalledWith('later');
    keeper.stop();
  });

  it('renews at once where it is asked to, and in time after that', async () => {
    let count = 0;
    const announce = vi.fn(async () => ({ expiresInMs: 50_000 }));
    const keeper = new TokenKeeper({ tokenProvider: () => `t${++count}` }, announce);
    keeper.expiresIn(100_000);
    await keeper.renew();
    expect(announce.mock.calls).toEqual([['t1']]);
    await vi.advanceTimersByTimeAsync(49_999);
    expect(announce.mock.calls).toEqual([['t1'], ['t2']]);
    announce.mockRejectedValueOnce(new Error('limit-reached'));
    await expect(keeper.renew()).rejects.toThrow('limit-reached');
    keeper.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('never renews a token that no provider stands behind', async () => {
    const keeper = new TokenKeeper({ token: 'only' }, vi.fn());
    expect(await keeper.fetch()).toBe('only');
    keeper.expiresIn(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no'))],
    ['gives nothing', () => ''],
    ['never answers', () => new Promise<string>(() => {})],
  ])('a provider that %s is token-unavailable', async (_, tokenProvider) => {
    const fetching = new TokenKeeper({ tokenProvider }, vi.fn()).fetch();
    const outcome = expect(fetching).rejects.toMatchObject({ code: 'token-unavailable' });
    await vi.advanceTimersByTimeAsync(60_000);
    await outcome;
  });
});
