import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Look, watch } from './watchdog.ts';

const forever = () => new Promise<never>(() => {});
const settings = { intervalMs: 1, hungMs: 40, look: (): Look => 'running' };

describe('watch', () => {
  test('a worker that stops answering is reported once, and the watch ends', async () => {
    let probes = 0;
    let hung = 0;
    await watch({
      ...settings,
      probe: () => {
        probes += 1;
        return probes < 3 ? Promise.resolve(probes) : forever();
      },
      onSample: () => {},
      onHung: () => {
        hung += 1;
      },
      signal: new AbortController().signal,
    });
    expect(probes).toBe(3);
    expect(hung).toBe(1);
  });

  test('an answer that waits while this process stands still counts', async () => {
    const end = new AbortController();
    let hung = false;
    await watch({
      ...settings,
      probe: async () => {
        const answer = sleep(5);
        // Far longer than a worker may be silent, but the fault is ours.
        const until = performance.now() + settings.hungMs * 3;
        while (performance.now() < until);
        await answer;
      },
      onSample: () => end.abort(),
      onHung: () => {
        hung = true;
      },
      signal: end.signal,
    });
    expect(hung).toBe(false);
  });

  test('a worker that stands still though it is asked is hung at once, one that works gets its time, and one that waits for its turn more', async () => {
    const looksUntilHung = async (look: () => Look) => {
      let looks = 0;
      await watch({
        ...settings,
        probe: forever,
        look: () => {
          looks += 1;
          return look();
        },
        onSample: () => {},
        onHung: () => {},
        signal: new AbortController().signal,
      });
      return looks;
    };
    let turn = 0;
    const whole = await looksUntilHung(() => 'running');
    expect(await looksUntilHung(() => (++turn % 3 === 0 ? 'running' : 'still'))).toBe(whole);
    expect(await looksUntilHung(() => 'still')).toBe(whole / 3);
    expect(await looksUntilHung(() => 'starved')).toBe(whole * 3);
  });

  test('a worker that is dead is not hung', async () => {
    const end = new AbortController();
    let hung = false;
    await watch({
      ...settings,
      probe: () => {
        end.abort();
        return Promise.reject(new Error('closed'));
      },
      onSample: () => {},
      onHung: () => {
        hung = true;
      },
      signal: end.signal,
    });
    expect(hung).toBe(false);
  });

  test('a worker that lives and can not be asked is as good as hung', async () => {
    let hung = 0;
    await watch({
      ...settings,
      probe: () => Promise.reject(new Error('object serialization must not be nested')),
      onSample: () => {},
      onHung: () => {
        hung += 1;
      },
      signal: new AbortController().signal,
    });
    expect(hung).toBe(1);
  });

  test('a watch that is ended says nothing', async () => {
    const end = new AbortController();
    let hung = false;
    const watching = watch({
      ...settings,
      probe: forever,
      onSample: () => {},
      onHung: () => {
        hung = true;
      },
      signal: end.signal,
    });
    end.abort();
    await watching;
    expect(hung).toBe(false);
  });
});
