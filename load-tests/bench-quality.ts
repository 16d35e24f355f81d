/**
 * `npm run bench:quality`: what a deaf patient sees and hears of their interpreter, with the whole product in
 * the path, beside the thresholds of clinical quality. The patient's Chromium is in a network namespace of
 * its own, so that the line to it can be cut (Linux, as root); all others are in a second one. The
 * interpreter's picture and sound carry the time at which they were sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { networkProblem } from '../scripts/lib/namespaces.mjs';
import type { Stack } from '../scripts/lib/stack.mjs';
import {
  hearSweep,
  marksSent,
  receiveCoded,
  sendCoded,
  sendSweep,
  soundDelays,
  takeReceived,
  upperLimit,
} from './lib/coded-media.ts';
import { type Distance, openDistance } from './lib/far-browser.ts';
import { loadSdk } from './lib/join-probe.ts';
import { record, table } from './lib/results.ts';
import { type Part, type Seen, seen, takePart } from './lib/signing-probe.ts';
import { p50p95, percentile } from './lib/statistics.ts';
import { targetOf, withStack } from './lib/target.ts';
import { mintToken } from './lib/token.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '40' },
    record: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
/** In kbit/s. */
const LINES = [undefined, 500, 150];
/** From a change of the line to the first figure. */
const SETTLE_MS = 20_000;
const SAMPLE_MS = 2_000;
const SAMPLE_RATE = 48_000;
/** A sweep takes a second less, on either side. */
const SWEEP_MS = 23_000;

interface Measured {
  line: number | undefined;
  /** Milliseconds from sent to received. */
  picture: number[];
  sound: number[];
  /** Of two seconds each. */
  framesPerSecond: number[];
  shortSide: number[];
  freezes: number;
  frozenSeconds: number;
  /** Frames a second of the cameras that nobody signs to. */
  others: number[];
}

async function join(
  { stack, distance, browser }: { stack: Stack; distance: Distance; browser: Browser },
  role: 'interpreter' | 'provider' | 'specialist' | 'patient',
  part: Partial<Part>,
  before?: () => void,
): Promise<Page> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  await page.goto(distance.origin);
  await page.evaluate(loadSdk);
  if (before) await page.evaluate(before);
  const { tenant } = targetOf(stack);
  const token = await mintToken(tenant, { visit: 'quality', participant: role, role });
  const url = `http://${distance.address}:${stack.ports.gateway}`;
  const options = { ...part.options, url, token };
  await page.evaluate(takePart, { microphone: false, camera: true, ...part, options });
  return page;
}

const cameraOf = (all: readonly Seen[], participant: string): Seen | undefined =>
  all.find((each) => each.participant === participant);

function framesBetween(before: readonly Seen[], after: readonly Seen[], participant: string) {
  const [first, last] = [cameraOf(before, participant), cameraOf(after, participant)];
  if (!first || !last) return [];
  return [((last.frames - first.frames) * 1_000) / (last.at - first.at)];
}

async function measureLine(
  { interpreter, patient, distance }: { interpreter: Page; patient: Page; distance: Distance },
  line: number | undefined,
): Promise<Measured> {
  process.stderr.write(`Line of ${line ?? 'any'} kbit/s\n`);
  await distance.link.limit(line);
  await sleep(SETTLE_MS);
  await patient.evaluate(takeReceived);
  const samples = [await patient.evaluate(seen)];
  for (let ms = 0; ms < 1_000 * seconds; ms += SAMPLE_MS) {
    await sleep(SAMPLE_MS);
    samples.push(await patient.evaluate(seen));
  }
  const { pictures, heard } = await patient.evaluate(takeReceived);
  const marks = await interpreter.evaluate(marksSent);
  const spans = samples.slice(1).map((after, at) => [samples[at] ?? [], after] as const);
  const of = (participant: string) =>
    spans.flatMap(([before, after]) => framesBetween(before, after, participant));
  const [first, last] = [samples[0] ?? [], samples.at(-1) ?? []].map((all) =>
    cameraOf(all, 'interpreter'),
  );
  return {
    line,
    picture: pictures,
    sound: soundDelays(marks, heard),
    framesPerSecond: of('interpreter'),
    shortSide: samples.map((all) => cameraOf(all, 'interpreter')?.shortSide ?? 0),
    freezes: (last?.freezes ?? 0) - (first?.freezes ?? 0),
    frozenSeconds: (last?.frozenSeconds ?? 0) - (first?.frozenSeconds ?? 0),
    others: [...of('provider'), ...of('specialist')],
  };
}

async function measure(stack: Stack, distance: Distance) {
  const { near, far } = distance;
  const at = (browser: Browser) => ({ stack, distance, browser });
  const small = { options: { video: { width: 320, height: 180 } } as Part['options'] };
  const interpreter = await join(
    at(near),
    'interpreter',
    { microphone: true, languages: { speaks: ['ase', 'en'] } },
    sendCoded,
  );
  await join(at(near), 'provider', small);
  await join(at(near), 'specialist', small);
  const patient = await join(at(far), 'patient', {
    ...small,
    languages: { speaks: ['ase'], signs: true },
  });
  // Tracks may still be under way.
  await patient.waitForFunction(() => document.querySelectorAll('video').length === 3, undefined, {
    polling: 100,
  });
  await patient.evaluate(receiveCoded, 'interpreter');
  const lines: Measured[] = [];
  for (const line of LINES) lines.push(await measureLine({ interpreter, patient, distance }, line));

  process.stderr.write('Sweep\n');
  await distance.link.limit(undefined);
  await sleep(SETTLE_MS);
  const [received, sent] = await Promise.all([
    patient.evaluate(hearSweep, { participant: 'interpreter', ms: SWEEP_MS }),
    interpreter.evaluate(sendSweep),
  ]);
  const limitAt = (db: number) => upperLimit(sent, received, SAMPLE_RATE, db) / 1_000;
  return { lines, kHz: { atMinus3: limitAt(3), atMinus10: limitAt(10) } };
}

type Figures = Awaited<ReturnType<typeof measure>>;

const median = (of: readonly number[]) => percentile(of, 0.5);
/** By how much the sound is heard after the picture of the same moment, milliseconds. */
const offset = ({ picture, sound }: Measured) => median(sound) - median(picture);

function report({ lines, kHz }: Figures): string {
  const name = (line: number | undefined) => (line === undefined ? 'uncut' : `${line} kbit/s`);
  const verdict = (meets: boolean) => (meets ? 'met' : '**missed**');
  const each = (figure: (measured: Measured) => string, meets: (measured: Measured) => boolean) =>
    lines.map((measured) => `${figure(measured)} ${verdict(meets(measured))}`);
  const rows = [
    [
      'one-way delay of the picture, ms p50 / p95',
      'p95 <= 150',
      ...each(
        ({ picture }) => p50p95(picture),
        ({ picture }) => percentile(picture, 0.95) <= 150,
      ),
    ],
    [
      'one-way delay of the sound, ms p50 / p95',
      'p95 <= 150',
      ...each(
        ({ sound }) => p50p95(sound),
        ({ sound }) => percentile(sound, 0.95) <= 150,
      ),
    ],
    [
      'sound after picture, ms',
      'within 100',
      ...each(
        (measured) => offset(measured).toFixed(0),
        (measured) => Math.abs(offset(measured)) <= 100,
      ),
    ],
    [
      'frames a second, p5 / p50',
      '>= 20, 30 preferred',
      ...each(
        ({ framesPerSecond }) =>
          `${percentile(framesPerSecond, 0.05).toFixed(0)} / ${median(framesPerSecond).toFixed(0)}`,
        ({ framesPerSecond }) => percentile(framesPerSecond, 0.05) >= 20,
      ),
    ],
    [
      'shorter side in pixels, least / p50',
      '>= 240, 480 preferred',
      ...each(
        ({ shortSide }) => `${Math.min(...shortSide)} / ${median(shortSide)}`,
        ({ shortSide }) => Math.min(...shortSide) >= 240,
      ),
    ],
    [
      'freezes',
      'none',
      ...each(
        ({ freezes, frozenSeconds }) => `${freezes} (${frozenSeconds.toFixed(1)} s)`,
        ({ freezes }) => freezes === 0,
      ),
    ],
    [
      'frames a second of other cameras, p50',
      '–',
      ...lines.map(({ others }) => median(others).toFixed(0)),
    ],
  ];
  return [
    `What a deaf patient sees and hears of their interpreter while two more cameras are on, for ${seconds} s from ${SETTLE_MS / 1_000} s after the line to the patient is cut. Both browsers, and all of the product, are on one machine: no distance is in the delays. Delay of the picture: from drawing it into the sent canvas to its frame callback, with encoder, node, jitter buffer and decoder, without camera and screen. Delay of the sound: from the sent Web Audio graph to a received one, with Opus, node and jitter buffer, without microphone, its processing and loudspeaker; it is read in steps of what the graphs render at once, some 10 ms. The sound is a voice that never pauses.`,
    '',
    table(['', 'threshold', ...lines.map(({ line }) => name(line))], rows),
    '',
    `Upper limit of the sound through the whole path, by a sweep: ${kHz.atMinus3.toFixed(1)} kHz at -3 dB, ${kHz.atMinus10.toFixed(1)} kHz at -10 dB (threshold 7 kHz: ${verdict(kHz.atMinus3 >= 7)}).`,
  ].join('\n');
}

const problem = networkProblem({ limited: true });
if (problem) throw new Error(`bench:quality can not run: ${problem}`);
const distance = await openDistance(['--use-fake-device-for-media-stream=fps=30']);
try {
  const figures = await withStack(
    { only: ['redis', 'node', 'gateway'], workers: 1, env: distance.env },
    (stack) => measure(stack, distance),
  );
  const body = report(figures);
  process.stdout.write(`\n${body}\n`);
  if (values.record) record({ command: 'npm run bench:quality', body });
} finally {
  await distance.close();
}
