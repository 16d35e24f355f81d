import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QualityMeter, QualityMonitor, type Reading } from './evidence.ts';
import type { QualityChange, VisitStats } from './types.ts';

/** A picture that goes on for two seconds at a time. */
function setUp() {
  const meter = new QualityMeter();
  let now: Reading = {
    at: 0,
    framesDecoded: 0,
    freezeCount: 0,
    frozenSeconds: 0,
    shortSide: 480,
    offsetMs: 10,
  };
  meter.add(now);
  const next = (rate: number, more: Partial<Reading> = {}, seconds = 2) => {
    now = {
      ...now,
      at: now.at + seconds * 1000,
      framesDecoded: now.framesDecoded + rate * seconds,
      ...more,
    };
    return meter.add(now).map(({ what, breached }) => `${breached ? '' : 'no more '}${what}`);
  };
  return { meter, next };
}

describe('QualityMeter', () => {
  it('one bad sample is no breach, the second one is, and is told once', () => {
    const { next } = setUp();
    expect([12, 30, 12, 19.5, 12].map((rate) => next(rate))).toEqual([
      [],
      [],
      [],
      ['frame-rate'],
      [],
    ]);
  });

  it('it takes three good samples in a row to restore', () => {
    const { next } = setUp();
    for (const rate of [12, 12]) next(rate);
    expect([20, 30, 12, 20, 20, 20].map((rate) => next(rate))).toEqual([
      [],
      [],
      [],
      [],
      [],
      ['no more frame-rate'],
    ]);
  });

  it.each([
    ['resolution', { shortSide: 180 }, { shortSide: 240 }],
    ['sync', { offsetMs: -101 }, { offsetMs: 100 }],
  ])('%s has a threshold of its own', (what, bad, good) => {
    const { next } = setUp();
    expect([good, good, bad, bad].map((more) => next(30, more))).toEqual([[], [], [], [what]]);
  });

  it('repeated freezes are a breach', () => {
    const { next, meter } = setUp();
    expect(next(25, { freezeCount: 1, frozenSeconds: 0.4 })).toEqual([]);
    expect(next(25, { freezeCount: 3, frozenSeconds: 1.5 })).toEqual(['freezes']);
    expect(meter.evidence).toMatchObject({ freezes: 3, frozenSeconds: 1.5 });
  });

  it('says nothing of what it can not tell', () => {
    const { next, meter } = setUp();
    for (let i = 0; i < 3; i++)
      expect(next(30, { shortSide: undefined, offsetMs: undefined })).toEqual([]);
    expect(meter.evidence.shortSide.samples + meter.evidence.offsetMs.samples).toBe(0);
  });

  it('a page that slept, and a consumer that is new, are where to count from', () => {
    const { next, meter } = setUp();
    expect(next(30, {}, 60)).toEqual([]);
    expect(next(0, { framesDecoded: 0 })).toEqual([]);
    expect(meter.evidence.seconds).toBe(0);
    expect(next(30)).toEqual([]);
    expect(meter.evidence).toMatchObject({ seconds: 2, framesPerSecond: { samples: 1, min: 30 } });
  });

  it('a breach ends with the picture', () => {
    const { next, meter } = setUp();
    for (const rate of [5, 5]) next(rate);
    expect(meter.pause().map(({ what, breached }) => [what, breached])).toEqual([
      ['frame-rate', false],
    ]);
    expect(meter.pause()).toEqual([]);
  });

  it('keeps numbers of the whole session', () => {
    const { next, meter } = setUp();
    for (let i = 0; i < 96; i++) next(30);
    for (const rate of [5, 10, 15, 18]) next(rate, { shortSide: 360 });
    const { framesPerSecond, shortSide, seconds, secondsBreached } = meter.evidence;
    expect(framesPerSecond).toEqual({ samples: 100, min: 5, p5: 30, median: 30, p95: 30, max: 30 });
    expect([shortSide.min, shortSide.median, seconds]).toEqual([360, 480, 200]);
    expect(secondsBreached).toEqual({ 'frame-rate': 8, resolution: 0, sync: 0, freezes: 0 });
  });
});

describe('QualityMonitor', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function monitored() {
    const watched = new Map<never, { heard: boolean }>();
    const changes: [QualityChange, boolean][] = [];
    const due = vi.fn();
    const inbound = (source: string, more: object) => ({ participantId: 'a', source, ...more });
    let framesDecoded = 0;
    const stats = vi.fn(async () => {
      framesDecoded += 20;
      return {
        inbound: [
          inbound('camera', { framesDecoded, frameWidth: 640, frameHeight: 480, playoutAt: 1_000 }),
          inbound('microphone', { playoutAt: 1_070 }),
        ],
      } as unknown as VisitStats;
    });
    const monitor = new QualityMonitor({
      watched: () => watched,
      stats,
      due,
      changed: (change, breached) => changes.push([change, breached]),
    });
    return { monitor, watched, changes, due, stats };
  }

  it('measures nothing while no picture is protected', async () => {
    const { monitor, watched, stats } = monitored();
    monitor.follow();
    await vi.advanceTimersByTimeAsync(60_000);
    watched.set('a' as never, { heard: true });
    monitor.follow();
    watched.clear();
    monitor.follow();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(stats).not.toHaveBeenCalled();
  });

  it('tells of a breach with its numbers, and of its end when the picture goes', async () => {
    const { monitor, watched, changes, stats } = monitored();
    watched.set('a' as never, { heard: true });
    monitor.follow();
    await vi.advanceTimersByTimeAsync(10_000);
    const breach = { participantId: 'a', what: 'frame-rate', threshold: 20 };
    expect(changes).toEqual([[{ ...breach, value: 10 }, true]]);
    watched.clear();
    monitor.follow();
    expect(changes[1]).toEqual([{ ...breach, value: 20 }, false]);
    const measured = stats.mock.calls.length;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stats).toHaveBeenCalledTimes(measured);
    expect(monitor.evidence).toMatchObject([
      { participantId: 'a', offsetMs: { max: 70 }, shortSide: { min: 480 } },
    ]);
  });

  it('the sums are due every half minute', async () => {
    const { monitor, watched, due } = monitored();
    watched.set('a' as never, { heard: true });
    monitor.follow();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(due).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(32_000);
    expect(due).toHaveBeenCalledTimes(2);
  });

  it('compares with no sound that is not to be heard', async () => {
    const { monitor, watched } = monitored();
    watched.set('a' as never, { heard: false });
    monitor.follow();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(monitor.evidence[0]?.offsetMs.samples).toBe(0);
  });
});
