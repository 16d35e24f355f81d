import { BedsideError } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IceGuard, RESTARTS_MAX, SETTLE_MS } from './ice-guard.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp() {
  const port = { canAsk: vi.fn(() => true), restart: vi.fn(async () => {}), giveUp: vi.fn() };
  const guard = new IceGuard(port);
  guard.stateChanged('connected');
  return { port, guard };
}

describe('IceGuard', () => {
  it('lets a short disconnection heal by itself', async () => {
    const { port, guard } = setUp();
    guard.stateChanged('disconnected');
    await vi.advanceTimersByTimeAsync(SETTLE_MS - 1);
    guard.stateChanged('connected');
    await vi.runAllTimersAsync();
    expect(port.restart).not.toHaveBeenCalled();
  });

  it('restarts what stays disconnected, and what failed at once', async () => {
    const { port, guard } = setUp();
    guard.stateChanged('disconnected');
    await vi.advanceTimersByTimeAsync(SETTLE_MS);
    expect(port.restart).toHaveBeenCalledOnce();
    guard.stateChanged('connected');
    guard.stateChanged('failed');
    expect(port.restart).toHaveBeenCalledTimes(2);
    guard.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('restarts when the node lost the path, though this side still sees it', () => {
    const { port, guard } = setUp();
    guard.peerFailed();
    guard.peerFailed();
    expect(port.restart).toHaveBeenCalledOnce();
  });

  it('gives up after a bounded number of restarts, once', async () => {
    const { port, guard } = setUp();
    guard.stateChanged('failed');
    await vi.runAllTimersAsync();
    expect(port.restart).toHaveBeenCalledTimes(RESTARTS_MAX);
    expect(port.giveUp).toHaveBeenCalledOnce();
  });

  it('gives up at once where the transport is gone', async () => {
    const { port, guard } = setUp();
    port.restart.mockRejectedValue(new BedsideError('not-found'));
    guard.stateChanged('failed');
    await vi.advanceTimersByTimeAsync(0);
    expect(port.giveUp).toHaveBeenCalledOnce();
  });

  it('waits for the gateway, and goes on when it is back', () => {
    const { port, guard } = setUp();
    port.canAsk.mockReturnValue(false);
    guard.stateChanged('failed');
    expect(port.restart).not.toHaveBeenCalled();
    port.canAsk.mockReturnValue(true);
    guard.check();
    expect(port.restart).toHaveBeenCalledOnce();
    guard.close();
  });
});
