import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { untilAskedToStop } from './demo.mjs';

describe('untilAskedToStop()', () => {
  let host;
  let time;
  let stopped;
  let running;
  const stop = vi.fn(() => new Promise((resolve) => (stopped = resolve)));

  beforeEach(() => {
    stop.mockClear();
    host = Object.assign(new EventEmitter(), { exit: vi.fn() });
    time = 0;
    running = untilAskedToStop(
      async () => ({ stop }),
      host,
      () => time,
    );
  });

  it('stops in order, once, at a Ctrl-C that npm passes on besides', async () => {
    host.emit('SIGINT');
    time = 30;
    host.emit('SIGINT');
    await vi.waitFor(() => expect(stop).toHaveBeenCalledOnce());
    stopped();
    await running;
    expect(host.exit).not.toHaveBeenCalled();
  });

  it('waits no longer for that where it is asked again', async () => {
    host.emit('SIGINT');
    await vi.waitFor(() => expect(stop).toHaveBeenCalledOnce());
    time = 2_000;
    host.emit('SIGINT');
    expect(host.exit).toHaveBeenCalledWith(130);
    stopped();
    await running;
  });
});
