import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AudioRenderer } from './playback.ts';

/** Whether the browser lets this page play. */
let mayPlay: boolean;

class FakeAudio {
  srcObject: unknown = null;
  volume = 1;
  muted = false;
  playing = false;
  async play(): Promise<void> {
    if (!mayPlay) throw new DOMException('', 'NotAllowedError');
    this.playing = true;
  }
  pause(): void {
    this.playing = false;
  }
}

let elements: FakeAudio[];
beforeEach(() => {
  mayPlay = false;
  elements = [];
  vi.stubGlobal('MediaStream', class {});
  vi.stubGlobal(
    'Audio',
    class extends FakeAudio {
      constructor() {
        super();
        elements.push(this);
      }
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

async function blocked() {
  const told: boolean[] = [];
  const renderer = new AudioRenderer((allowed) => told.push(allowed));
  for (const key of ['a', 'b']) renderer.add(key, {} as MediaStreamTrack, 1);
  await vi.waitUntil(() => told.length > 0, { interval: 1 });
  expect([renderer.allowed, told]).toEqual([false, [false]]);
  return { renderer, told };
}

describe('AudioRenderer', () => {
  it('is allowed again once nothing that was blocked is left', async () => {
    const { renderer, told } = await blocked();
    renderer.remove('a');
    expect(renderer.allowed).toBe(false);
    renderer.clear();
    expect([renderer.allowed, told]).toEqual([true, [false, true]]);
  });

  it('plays what was blocked as soon as another sound is let through', async () => {
    const { renderer, told } = await blocked();
    mayPlay = true;
    renderer.add('c', {} as MediaStreamTrack, 1);
    await vi.waitUntil(() => renderer.allowed, { interval: 1 });
    expect(elements.map(({ playing }) => playing)).toEqual([true, true, true]);
    expect(told).toEqual([false, true]);
  });

  it('start() names what blocks it, and plays everything once allowed', async () => {
    const { renderer, told } = await blocked();
    await expect(renderer.start()).rejects.toMatchObject({ code: 'autoplay-blocked' });
    mayPlay = true;
    await renderer.start();
    expect([renderer.allowed, told]).toEqual([true, [false, true]]);
  });

  it('changes the volume step by step where there is no graph, and mutes at 0', () => {
    vi.useFakeTimers();
    try {
      const renderer = new AudioRenderer(() => {});
      renderer.add('a', {} as MediaStreamTrack, 1);
      const [element] = elements;
      renderer.setGain('a', 0);
      const volumes: number[] = [];
      while (vi.getTimerCount() > 0) {
        vi.advanceTimersToNextTimer();
        volumes.push(element?.volume ?? -1);
      }
      expect(volumes).toEqual([7, 6, 5, 4, 3, 2, 1, 0].map((eighths) => eighths / 8));
      expect(element?.muted).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a voice that was silent needs the browser\u2019s leave to be heard', async () => {
    mayPlay = true;
    const told: boolean[] = [];
    const renderer = new AudioRenderer((allowed) => told.push(allowed));
    renderer.add('a', {} as MediaStreamTrack, 0);
    await vi.waitUntil(() => elements[0]?.playing, { interval: 1 });
    expect(elements[0]?.muted).toBe(true);
    mayPlay = false;
    renderer.setGain('a', 1);
    await vi.waitUntil(() => !renderer.allowed, { interval: 1 });
    expect(told).toEqual([false]);
    renderer.clear();
  });

  it('a voice that is silenced while it has only begun to be heard is muted again', () => {
    mayPlay = true;
    const renderer = new AudioRenderer(() => {});
    renderer.add('a', {} as MediaStreamTrack, 0);
    renderer.setGain('a', 1);
    expect(elements[0]?.muted).toBe(false);
    renderer.setGain('a', 0);
    expect(elements[0]?.muted).toBe(true);
    renderer.clear();
  });
});
