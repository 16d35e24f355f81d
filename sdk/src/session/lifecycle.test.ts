import { BedsideError } from '@bedside/protocol';
import { describe, expect, it, vi } from 'vitest';
import { Lifecycle } from './lifecycle.ts';
import { initialState, type SessionState } from './machine.ts';

const state = (more: Partial<SessionState>): SessionState => ({ ...initialState, ...more });
const connecting = state({ phase: 'connecting' });
const connected = state({ phase: 'connected' });
const left = state({ phase: 'disconnected', reason: 'left' });
const failed = state({
  phase: 'disconnected',
  reason: 'failed',
  failure: { code: 'unauthorized', retryable: false },
});

function follow(life: Lifecycle, ...states: SessionState[]): string[] {
  const told: string[] = [];
  let previous = initialState;
  for (const next of states) {
    life.follow(next, previous, undefined, () => told.push(`${life.state} ${life.reason ?? ''}`));
    previous = next;
  }
  return told;
}

describe('Lifecycle', () => {
  it('begins idle', () => {
    const { state: first, reason, error } = new Lifecycle();
    expect([first, reason, error]).toEqual(['disconnected', 'idle', undefined]);
  });

  it('tells each state once, however many steps it takes', () => {
    const steps = [connecting, { ...connecting, ticket: 7 }, connected, left];
    expect(follow(new Lifecycle(), ...steps)).toEqual([
      'connecting ',
      'connected ',
      'disconnected left',
    ]);
  });

  it('lets go who waits once it is connected, after it was told', async () => {
    const life = new Lifecycle();
    const order: string[] = [];
    const waiting = life.connected().then(() => order.push('resolved'));
    life.follow(connected, connecting, undefined, () => order.push('told'));
    await waiting;
    expect(order).toEqual(['told', 'resolved']);
  });

  it('rejects who waits with the error behind the failure', async () => {
    const life = new Lifecycle();
    const waiting = life.connected();
    const error = new BedsideError('unauthorized', { retryAfterMs: 7 });
    life.follow(failed, connecting, error, () => {});
    await expect(waiting).rejects.toBe(error);
    expect(life.error).toBe(error);
  });

  it('has an error of the failure’s code where nobody threw one', () => {
    const life = new Lifecycle();
    follow(life, connecting, failed);
    expect(life.error?.code).toBe('unauthorized');
  });

  it.each([
    ['left', 'not-joined'],
    ['denied', 'removed'],
    ['token-expired', 'unauthorized'],
    ['visit-ended', 'visit-ended'],
  ] as const)('rejects who waits when it ends as %s with %s', async (reason, code) => {
    const life = new Lifecycle();
    const waiting = life.connected();
    follow(life, connecting, state({ phase: 'disconnected', reason }));
    await expect(waiting).rejects.toMatchObject({ code });
  });

  it('keeps who begins to wait while it is told for the next session', async () => {
    const life = new Lifecycle();
    const next = vi.fn();
    life.follow(left, connected, undefined, () => void life.connected().then(next, next));
    await Promise.resolve();
    expect(next).not.toHaveBeenCalled();
  });

  it('forgets how it ended when it begins again', () => {
    const life = new Lifecycle();
    follow(life, connecting, failed);
    life.follow(connecting, failed, undefined, () => {});
    expect([life.state, life.reason, life.error]).toEqual(['connecting', undefined, undefined]);
  });
});
