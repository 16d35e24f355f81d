import { describe, expect, it } from 'vitest';
import { type Received, Steadiness } from './steadiness.ts';

/** Counters a second after the start, and how much of them comes each 250 ms. */
type Stream = Received & { each: number };

/** Two paths looked at every 250 ms until `ms`: what is received of each source, or nothing of it. */
function after(ms: number, old: Record<string, Stream>, next: Record<string, Stream>): Steadiness {
  const steadiness = new Steadiness();
  const at = (streams: Record<string, Stream>, steps: number) =>
    new Map(
      Object.entries(streams).map(([key, { each, packets, frames, ...rest }]) => [
        key,
        {
          ...rest,
          packets: packets + Math.floor(each * steps),
          frames: frames === undefined ? undefined : frames + each * steps,
        },
      ]),
    );
  for (let steps = 0; steps * 250 <= ms; steps++)
    steadiness.add(steps * 250, at(old, steps), at(next, steps));
  return steadiness;
}

const sound = (each: number, more: Partial<Received> = {}): Stream => ({
  packets: 0,
  samples: 100,
  each,
  ...more,
});
const picture = (each: number, more: Partial<Received> = {}): Stream => ({
  packets: 0,
  frames: 0,
  height: 360,
  each,
  ...more,
});

describe('Steadiness', () => {
  it('is reached once sound is played and the picture has run for ten frames', () => {
    const [old, next] = [
      { mic: sound(12), cam: picture(6) },
      { mic: sound(12), cam: picture(2) },
    ];
    expect(after(1_000, old, next).isReached).toBe(false);
    expect(after(1_250, old, next).isReached).toBe(true);
  });

  it.each([
    ['nothing of a source comes', { mic: sound(12) }],
    ['sound comes but is not played', { mic: sound(12, { samples: 0 }), cam: picture(6) }],
    ['the picture stands', { mic: sound(12), cam: { ...picture(0), frames: 20 } }],
    ['the picture is smaller than it was', { mic: sound(12), cam: picture(6, { height: 180 }) }],
  ])('is not reached where %s on the new path', (_, next) => {
    expect(after(3_000, { mic: sound(12), cam: picture(6) }, next).isReached).toBe(false);
  });

  it('takes a smaller picture after a while: the line may carry no more', () => {
    const next = { cam: picture(6, { height: 180 }) };
    expect(after(4_000, { cam: picture(6) }, next).isReached).toBe(false);
    expect(after(4_500, { cam: picture(6) }, next).isReached).toBe(true);
  });

  it('waits for no source that does not flow on the old path', () => {
    const old = { mic: sound(0), cam: picture(6), screen: picture(0) };
    expect(after(1_250, old, { cam: picture(6) }).isReached).toBe(true);
    expect(after(1_250, {}, {}).isReached).toBe(true);
  });

  it('waits for one that begins to flow meanwhile', () => {
    const old = { mic: sound(12), cam: picture(6) };
    const next = { cam: picture(6) };
    expect(after(1_500, old, next).isReachedBy('cam')).toBe(true);
    expect(after(1_500, old, next).isReachedBy('mic')).toBe(false);
  });

  it('does not look for ten frames where a screen stands still', () => {
    const still = { screen: { ...picture(0.5), frames: 1 } };
    expect(after(1_250, still, still).isReached).toBe(false);
    expect(after(1_750, still, still).isReached).toBe(true);
  });

  it('knows silence, of which a packet comes every 400 ms, from nothing', () => {
    const dtx = { mic: sound(0.4) };
    expect(after(1_750, dtx, {}).isReached).toBe(false);
    expect(after(1_750, dtx, dtx).isReached).toBe(true);
  });
});
