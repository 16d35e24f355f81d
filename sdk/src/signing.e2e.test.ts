import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '@bedside/protocol';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Distance, openDistance } from '../../load-tests/lib/far-browser.ts';
import { loadSdk } from '../../load-tests/lib/join-probe.ts';
import { type Part, seen, takePart, told } from '../../load-tests/lib/signing-probe.ts';
import { mintToken } from '../../load-tests/lib/token.ts';
import { until } from '../../load-tests/lib/wait.ts';
import { networkProblem } from '../../scripts/lib/namespaces.mjs';
import { type Stack, startStack } from '../../scripts/lib/stack.mjs';
import type { QualityEvidence } from './types.ts';

const problem = networkProblem({ limited: true });
if (problem) process.stderr.write(`Skipped, a signed conversation on a cut line: ${problem}\n`);

/** EN 301 549, 6.5: frames a second, and the shorter side of QVGA. */
const FLOOR = { frames: 20, side: 240 };
/** A picture keeps its place with so much of its frames; one with so little has given way. */
const KEPT = 0.8;
const GIVEN_WAY = 0.2;
/** Over how long frames are counted. */
const WINDOW_MS = 4_000;
/** In kbit/s: a line on which signing goes on, and one below what it needs. */
const NARROW = 500;
const TOO_NARROW = 100;
/** Each step has a minute; on a machine with nothing else to do all take less than one. */
vi.setConfig({ testTimeout: 480_000 });

interface Watched {
  /** Frames a second. */
  rate: number;
  side: number;
}

describe.skipIf(problem)('a signed conversation, on a line that is cut', () => {
  let distance: Distance;
  let stack: Stack;

  beforeAll(async () => {
    // The camera of a test gives 20 frames a second otherwise.
    distance = await openDistance(['--use-fake-device-for-media-stream=fps=30']);
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
      only: ['redis', 'node', 'gateway'],
      env: distance.env,
    });
  });
  afterAll(async () => {
    await distance?.close();
    await stack?.stop();
  });

  const visit = randomUUID();
  async function join(browser: Browser, role: Role, part: Partial<Part>): Promise<Page> {
    const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
    const page = await context.newPage();
    await page.goto(distance.origin);
    await page.evaluate(loadSdk);
    const token = await mintToken(stack.secrets.tenant, { visit, participant: role, role });
    const url = `http://${distance.address}:${stack.ports.gateway}`;
    const options = { ...part.options, url, token };
    await page.evaluate(takePart, { microphone: false, camera: true, ...part, options });
    return page;
  }

  /** What a page shows of each of the others from now on. */
  async function watch(page: Page): Promise<Record<string, Watched>> {
    const before = await page.evaluate(seen);
    await sleep(WINDOW_MS);
    const after = await page.evaluate(seen);
    return Object.fromEntries(
      after.map(({ participant, at, frames, shortSide }) => {
        const first = before.find((each) => each.participant === participant);
        const seconds = (at - (first?.at ?? 0)) / 1_000;
        return [participant, { rate: (frames - (first?.frames ?? 0)) / seconds, side: shortSide }];
      }),
    );
  }

  it('the signed picture keeps its frames, in a smaller picture, and all others give way; what is too little for it is told; all comes back', async () => {
    // Cameras that are not signed to may be small: there is one machine for all of them.
    const small = { options: { video: { width: 320, height: 180 } } as Part['options'] };
    const { near, far, link } = distance;
    await join(near, 'interpreter', { microphone: true, languages: { speaks: ['ase', 'en'] } });
    const provider = await join(near, 'provider', small);
    await join(near, 'specialist', small);
    const patient = await join(far, 'patient', {
      ...small,
      languages: { speaks: ['ase'], signs: true },
    });

    const isWhole = ({ interpreter, provider, specialist }: Record<string, Watched>) =>
      (interpreter?.side ?? 0) > FLOOR.side &&
      [interpreter, provider, specialist].every((each) => (each?.rate ?? 0) > FLOOR.frames);
    const before = await until('all pictures', () => watch(patient), isWhole);
    const share = (now: Record<string, Watched>, participant: string) =>
      (now[participant]?.rate ?? 0) / (before[participant]?.rate ?? 0);

    await link.limit(NARROW);
    const narrow = await until(
      'the signed picture in its place, and others gone',
      () => watch(patient),
      (now) => share(now, 'interpreter') > KEPT && share(now, 'provider') < GIVEN_WAY,
    );
    expect(share(narrow, 'specialist')).toBeLessThan(GIVEN_WAY);
    expect(narrow.interpreter?.side).toBeLessThan(before.interpreter?.side ?? 0);
    expect(narrow.interpreter?.side).toBeGreaterThanOrEqual(FLOOR.side);

    const isTold = (page: Page, breached: boolean, remote: boolean, after: number) =>
      until(
        `${breached ? 'a breach' : 'its end'} told`,
        () => page.evaluate(told),
        (all) =>
          all
            .slice(after)
            .some(
              (each) =>
                each.what === 'frame-rate' &&
                each.participantId === 'interpreter' &&
                each.breached === breached &&
                each.remote === remote,
            ),
      );
    // What the cut itself did is over.
    await until(
      'no breach',
      () => patient.evaluate(told),
      (all) => all.findLast(({ what }) => what === 'frame-rate')?.breached !== true,
    );
    const known = { patient: (await patient.evaluate(told)).length, provider: 0 };
    known.provider = (await provider.evaluate(told)).length;
    await link.limit(TOO_NARROW);
    await isTold(patient, true, false, known.patient);
    await isTold(provider, true, true, known.provider);
    // Frames go last: what is left is as large as it has to be.
    expect((await watch(patient)).interpreter?.side).toBeGreaterThanOrEqual(FLOOR.side);

    await link.limit(undefined);
    await isTold(patient, false, false, known.patient);
    await isTold(provider, false, true, known.provider);
    await until(
      'all pictures again',
      () => watch(patient),
      (now) => isWhole(now) && share(now, 'interpreter') > KEPT,
    );

    const answer = await fetch(`${stack.urls.gateway}/v1/visits/${visit}/evidence`, {
      headers: { authorization: `Bearer ${stack.secrets.apiKey}` },
    });
    const { evidence } = (await answer.json()) as {
      evidence: (QualityEvidence & { viewer: string })[];
    };
    const seenByPatient = evidence.find(({ viewer }) => viewer === 'patient');
    expect(seenByPatient).toMatchObject({ participantId: 'interpreter' });
    expect(seenByPatient?.framesPerSecond.min).toBeLessThan(FLOOR.frames);
    expect(seenByPatient?.framesPerSecond.max).toBeGreaterThan(FLOOR.frames);
    expect(seenByPatient?.shortSide.min).toBeLessThan(before.interpreter?.side ?? 0);
    expect(seenByPatient?.secondsBreached['frame-rate']).toBeGreaterThan(0);
    expect(seenByPatient?.secondsBreached['frame-rate']).toBeLessThan(seenByPatient?.seconds ?? 0);
  });
});
