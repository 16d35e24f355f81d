import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ANSWER_MS, FlowWatch, LOOK_MS } from './flow-watch.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A path on which `flow` bytes a second come, and a node that answers to ICE or does not. */
function setUp() {
  const path = { expected: true, flow: 100, answers: true, canAsk: true };
  const since = performance.now();
  let [media, answers] = [0, 0];
  const port = {
    isExpected: () => path.expected,
    arrived: vi.fn(async () => {
      media += path.flow;
      return { media, answers };
    }),
    restart: vi.fn(async () => {
      if (path.answers) answers += 1;
      return path.canAsk;
    }),
    giveUp: vi.fn(() => performance.now() - since),
  };
  const watch = new FlowWatch(port);
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  return { path, port, watch, pass };
}

describe('FlowWatch', () => {
  it('does nothing while something comes', async () => {
    const { port, pass } = setUp();
    await pass(20 * LOOK_MS);
    expect(port.restart).not.toHaveBeenCalled();
  });

  it('has ICE restarted as soon as nothing comes, and gives up where the node does not answer to it', async () => {
    const { path, port, pass } = setUp();
    await pass(2 * LOOK_MS);
    Object.assign(path, { flow: 0, answers: false });
    await pass(LOOK_MS);
    expect(port.restart).toHaveBeenCalledOnce();
    expect(port.giveUp).not.toHaveBeenCalled();
    await pass(ANSWER_MS);
    expect(port.giveUp).toHaveBeenCalledOnce();
  });

  it('asks once where the node is there: it is who is to be heard that is not', async () => {
    const { path, port, pass } = setUp();
    await pass(2 * LOOK_MS);
    path.flow = 0;
    await pass(30 * LOOK_MS);
    expect(port.restart).toHaveBeenCalledOnce();
    expect(port.giveUp).not.toHaveBeenCalled();
    path.flow = 100;
    await pass(2 * LOOK_MS);
    Object.assign(path, { flow: 0, answers: false });
    await pass(2 * LOOK_MS + ANSWER_MS);
    expect(port.giveUp).toHaveBeenCalledOnce();
  });

  it('does not look where nobody is to be heard', async () => {
    const { path, port, pass } = setUp();
    Object.assign(path, { flow: 0, expected: false });
    await pass(10 * LOOK_MS);
    expect(port.arrived).not.toHaveBeenCalled();
  });

  it('leaves the path alone while the gateway can not be asked', async () => {
    const { path, port, pass } = setUp();
    Object.assign(path, { flow: 0, answers: false, canAsk: false });
    await pass(30 * LOOK_MS);
    expect(port.giveUp).not.toHaveBeenCalled();
  });

  it('is still once it is closed', async () => {
    const { path, port, watch, pass } = setUp();
    await pass(2 * LOOK_MS);
    Object.assign(path, { flow: 0, answers: false });
    await pass(LOOK_MS);
    watch.close();
    await pass(30 * LOOK_MS);
    expect(port.giveUp).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
