import { LIMITS } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { layerForSize } from './media/encodings.ts';
import { Preferences } from './preferences.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp() {
  const consumers = new Map([
    ['a', { consumerIds: ['ca'], isProtected: false }],
    ['b', { consumerIds: ['cb'], isProtected: false }],
  ]);
  const send = vi.fn(async (_: unknown) => ({}));
  const preferences = new Preferences((id) => consumers.get(id) as never, send);
  const size = (id: string, width: number, height: number) =>
    preferences.setSize(id as never, 'camera', width, height, 1);
  return { preferences, send, size, consumers };
}

describe('Preferences', () => {
  it('tells the last size of all tiles in one command', async () => {
    const { send, size } = setUp();
    size('a', 1280, 720);
    size('a', 160, 90);
    size('b', 0, 0);
    await vi.runAllTimersAsync();
    expect(send.mock.calls).toEqual([
      [
        [
          { consumerId: 'ca', paused: false, spatialLayer: 0 },
          { consumerId: 'cb', paused: true },
        ],
      ],
    ]);
  });

  it('tells of no more in one command than one may have', async () => {
    const { send, size, consumers } = setUp();
    const most = LIMITS.participantsPerVisit * 2;
    for (let n = 0; n <= most; n += 1) {
      consumers.set(`p${n}`, { consumerIds: [`c${n}`], isProtected: false });
      size(`p${n}`, 160, 90);
    }
    await vi.runAllTimersAsync();
    expect(send.mock.calls.map(([some]) => (some as unknown[]).length)).toEqual([most, 1]);
  });

  it('says nothing that the gateway knows already', async () => {
    const { send, size } = setUp();
    size('a', 160, 90);
    await vi.runAllTimersAsync();
    size('a', 161, 91);
    await vi.runAllTimersAsync();
    expect(send).toHaveBeenCalledOnce();
  });

  it('remembers a size for the consumer that comes later', async () => {
    const { preferences, send, size, consumers } = setUp();
    size('z', 160, 90);
    await vi.runAllTimersAsync();
    expect(send).not.toHaveBeenCalled();
    consumers.set('z', { consumerIds: ['cz'], isProtected: false });
    preferences.touch('z' as never, 'camera');
    await vi.runAllTimersAsync();
    expect(send).toHaveBeenCalledWith([{ consumerId: 'cz', paused: false, spatialLayer: 0 }]);
  });

  it('tells of both consumers of what is received over two paths', async () => {
    const { preferences, send, size, consumers } = setUp();
    size('a', 160, 90);
    await vi.runAllTimersAsync();
    consumers.set('a', { consumerIds: ['ca', 'ca2'], isProtected: false });
    preferences.touch('a' as never, 'camera');
    await vi.runAllTimersAsync();
    expect(send.mock.lastCall).toEqual([[{ consumerId: 'ca2', paused: false, spatialLayer: 0 }]]);
  });

  it('says again what was not heard', async () => {
    const { preferences, send, size } = setUp();
    send.mockRejectedValueOnce(new Error('deadline'));
    size('a', 160, 90);
    await vi.runAllTimersAsync();
    preferences.touch('a' as never, 'camera');
    await vi.runAllTimersAsync();
    expect(send).toHaveBeenCalledTimes(2);
  });

  it('a protected picture is asked for whole, however small or hidden its tile is', async () => {
    const { preferences, send, size, consumers } = setUp();
    size('a', 160, 90);
    await vi.runAllTimersAsync();
    consumers.set('a', { consumerIds: ['ca'], isProtected: true });
    preferences.touch('a' as never, 'camera');
    await vi.runAllTimersAsync();
    const whole = { consumerId: 'ca', paused: false, spatialLayer: 2 };
    expect(send.mock.lastCall).toEqual([[whole]]);
    size('a', 0, 0);
    await vi.runAllTimersAsync();
    expect(send).toHaveBeenCalledTimes(2);
    consumers.set('a', { consumerIds: ['ca'], isProtected: false });
    preferences.touch('a' as never, 'camera');
    await vi.runAllTimersAsync();
    expect(send.mock.lastCall).toEqual([[{ consumerId: 'ca', paused: true }]]);
  });

  it('says every wish again after a resume, heard before or not', async () => {
    const { preferences, send, size } = setUp();
    size('a', 160, 90);
    await vi.runAllTimersAsync();
    send.mockRejectedValueOnce(new Error('deadline'));
    size('b', 0, 0);
    await vi.runAllTimersAsync();
    preferences.repeat();
    await vi.runAllTimersAsync();
    expect(send.mock.lastCall).toEqual([
      [
        { consumerId: 'ca', paused: false, spatialLayer: 0 },
        { consumerId: 'cb', paused: true },
      ],
    ]);
  });
});

describe('layerForSize', () => {
  it.each([
    [160, 90, 1, 0],
    [400, 225, 1, 0],
    [400, 225, 2, 1],
    [640, 360, 1, 1],
    [1280, 720, 1, 2],
    [360, 640, 1, 2],
  ])('%i x %i at ratio %i is layer %i', (width, height, ratio, layer) => {
    expect(layerForSize(width, height, ratio)).toBe(layer);
  });
});
