import { describe, expect, it, vi } from 'vitest';
import { Emitter } from './emitter.ts';

class Bell extends Emitter<{ rang: (times: number) => void }> {
  ring(times: number): void {
    this.emit('rang', times);
  }
}

describe('Emitter', () => {
  it('calls every listener, until it is taken off', () => {
    const bell = new Bell();
    const listener = vi.fn();
    bell.on('rang', listener).ring(1);
    bell.off('rang', listener).ring(2);
    expect(listener.mock.calls).toEqual([[1]]);
  });

  it('a listener that throws does not keep others from hearing, and its error is not lost', () => {
    const reported: (() => void)[] = [];
    const queue = vi
      .spyOn(globalThis, 'queueMicrotask')
      .mockImplementation((task) => void reported.push(task));
    const bell = new Bell();
    const listener = vi.fn();
    bell.on('rang', () => {
      throw new Error('listener');
    });
    bell.on('rang', listener).ring(1);
    queue.mockRestore();
    expect(listener).toHaveBeenCalledOnce();
    expect(reported[0]).toThrow('listener');
  });
});
