import { afterEach, describe, expect, it, vi } from 'vitest';
import { watchNetwork } from './network.ts';

afterEach(() => vi.unstubAllGlobals());

function setUp(type?: string) {
  const window = new EventTarget();
  const connection = Object.assign(new EventTarget(), { type });
  vi.stubGlobal('window', window);
  vi.stubGlobal('navigator', { connection });
  const networkChanged = vi.fn();
  const stop = watchNetwork({ networkChanged, devicesChanged: () => {} });
  const change = (next?: string) => {
    connection.type = next;
    connection.dispatchEvent(new Event('change'));
  };
  return { window, change, networkChanged, stop };
}

describe('watchNetwork', () => {
  it('tells a change of network, not of an estimate', () => {
    const { change, networkChanged } = setUp('wifi');
    change('wifi');
    expect(networkChanged).not.toHaveBeenCalled();
    change('cellular');
    change('cellular');
    expect(networkChanged).toHaveBeenCalledTimes(1);
    change('wifi');
    expect(networkChanged).toHaveBeenCalledTimes(2);
  });

  it('ignores the estimates of a browser that names no type', () => {
    const { change, networkChanged } = setUp();
    change();
    expect(networkChanged).not.toHaveBeenCalled();
  });

  it('tells that the page is online again, until it is stopped', () => {
    const { window, networkChanged, stop } = setUp();
    window.dispatchEvent(new Event('online'));
    expect(networkChanged).toHaveBeenCalledTimes(1);
    stop();
    window.dispatchEvent(new Event('online'));
    expect(networkChanged).toHaveBeenCalledTimes(1);
  });
});
