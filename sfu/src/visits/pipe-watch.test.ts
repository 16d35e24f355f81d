import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PipeCounts, watchPipe } from './pipe-watch.ts';

type Step = 'nothing' | 'sent' | 'answered' | 'unknown';

/** At which of these looks at it the pipe is reported as silent; between two looks the one thing happens. */
async function reports(steps: readonly Step[]): Promise<number[]> {
  const end = new AbortController();
  let counts: PipeCounts = { sent: 0, received: 0 };
  let look = -1;
  const reported: number[] = [];
  await watchPipe({
    silenceMs: 1,
    signal: end.signal,
    counts: async () => {
      const step = look === -1 ? 'nothing' : steps[look];
      look += 1;
      if (step === undefined) end.abort();
      if (step === 'unknown') throw new Error('its worker is late');
      if (step === 'sent' || step === 'answered') counts = { ...counts, sent: counts.sent + 1 };
      if (step === 'answered') counts = { ...counts, received: counts.received + 1 };
      return counts;
    },
    onSilent: () => reported.push(look),
  });
  return reported;
}

test('what is sent and not answered twice in a row goes nowhere, until an answer comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom<Step>('nothing', 'sent', 'answered', 'unknown'), { maxLength: 12 }),
      async (steps) => {
        const expected = steps.flatMap((step, index) => {
          const since = steps.slice(0, index + 1);
          const silent = since.slice(since.lastIndexOf('answered') + 1);
          const isSilent = silent.filter((one) => one === 'sent').length >= 2;
          return isSilent && step !== 'unknown' ? [index + 1] : [];
        });
        expect(await reports(steps)).toEqual(expected);
      },
    ),
  );
});

test('a pipe that is closed is looked at no more', async () => {
  const end = new AbortController();
  let looks = 0;
  await watchPipe({
    silenceMs: 1,
    signal: end.signal,
    counts: () => {
      looks += 1;
      end.abort();
      return Promise.reject(new Error('closed'));
    },
    onSilent: () => expect.unreachable(),
  });
  expect(looks).toBe(1);
});
