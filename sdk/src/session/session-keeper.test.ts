import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SessionKeeper } from './session-keeper.ts';

const guest = { jti: 'j1', isGuest: true };
let stored: Map<string, string>;

beforeEach(() => {
  stored = new Map();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
});
afterEach(() => vi.unstubAllGlobals());

function kept(token: Parameters<SessionKeeper['identify']>[0]): SessionKeeper {
  const keeper = new SessionKeeper();
  keeper.identify(token);
  keeper.keep('s1' as never);
  return keeper;
}
function afterReload(token: Parameters<SessionKeeper['identify']>[0]): string | undefined {
  const keeper = new SessionKeeper();
  keeper.identify(token);
  return keeper.id;
}

describe('SessionKeeper', () => {
  it('gives the session of an invitation back after a reload, to that invitation alone', () => {
    kept(guest);
    expect(afterReload(guest)).toBe('s1');
    expect(afterReload({ ...guest, jti: 'j2' })).toBeUndefined();
  });

  it('stores nothing of a session that a portal’s token began', () => {
    const keeper = kept({ ...guest, isGuest: false });
    expect(keeper.id).toBe('s1');
    expect(stored.size).toBe(0);
  });

  it('forgets for good', () => {
    kept(guest).forget();
    expect(afterReload(guest)).toBeUndefined();
  });

  it('believes its own session before a stored one', () => {
    const keeper = kept(guest);
    stored.set('bedside:j1', 'older');
    keeper.identify(guest);
    expect(keeper.id).toBe('s1');
  });

  it('keeps the session of this page where the browser gives no storage', () => {
    vi.stubGlobal('sessionStorage', undefined);
    expect(kept(guest).id).toBe('s1');
  });
});
