import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PipeCounts, watchPipe } from './pipe-watch.ts';

type Step = 'nothing' | 'sent' | 'answered';

/** Whether the pipe is reported as silent while these things happen between the looks at it. */
async function isReported(steps: readonly Step[]): Promise<boolean> {
  const end = new AbortController();
  const rest = [...steps];
  let counts: PipeCounts = { sent: 0, received: 0 };
  let looks = 0;
  let reported = false;
  await watchPipe({
    silenceMs: 1,
    signal: end.signal,
    counts: async () => {
      if (looks++ === 0) return counts;
      const step = rest.shift();
      if (step === undefined) end.abort();
      if (step === 'sent' || step === 'answered') counts = { ...counts, sent: counts.sent + 1 };
      if (step === 'answered') counts = { ...counts, received: counts.received + 1 };
      return counts;
    },
    onSilent: () => {
      reported = true;
    },
  });
  return reported;
}

test('what is sent and not answered twice in a row goes nowhere; what is not sent says nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom<Step>('nothing', 'sent', 'answered'), { maxLength: 12 }),
      async (steps) => {
        const said = steps.filter((step) => step !== 'nothing').join(' ');
        expect(await isReported(steps)).toBe(said.includes('sent sent'));
      },
    ),
  );
});

test('a pipe that is closed meanwhile is not silent', async () => {
  const end = new AbortController();
  let reported = false;
  await watchPipe({
    silenceMs: 1,
    signal: end.signal,
    counts: () => Promise.reject(new Error('closed')),
    onSilent: () => {
      reported = true;
    },
  });
  expect(reported).toBe(false);
});
