/**
 * `npm run bench:join`: from `visit.connect()` to the first decoded picture of somebody else, with
 * the whole product in the path: token check, Redis, visit actor, media plan, node. The joiner is a
 * Chromium of its own; the others publish camera (simulcast) and microphone from a second one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchChromium } from '../scripts/lib/chromium.mjs';
import type { Stack } from '../scripts/lib/stack.mjs';
import { servePage } from './lib/browser-page.ts';
import {
  type JoinTimes,
  loadSdk,
  measureJoin,
  prepare,
  publish,
  seesTracks,
  watchSteps,
} from './lib/join-probe.ts';
import { record, table } from './lib/results.ts';
import { p50p95 } from './lib/statistics.ts';
import { targetOf, withStack } from './lib/target.ts';
import { mintToken } from './lib/token.ts';

const { values } = parseArgs({
  options: {
    joins: { type: 'string', default: '20' },
    record: { type: 'boolean', default: false },
  },
});
const joins = Number(values.joins);
const DEADLINE_MS = 20_000;
/** Between two joins: a sender gives a key frame for the first picture once in 0.4 s, and nobody joins on the heels of another. */
const PAUSE_MS = 500;
const OTHERS = [1, 3];
const OTHER_ROLES = ['provider', 'interpreter', 'specialist'] as const;

/**
 * What the page has done before `connect()`: nothing but load the module; `Visit.prepare()`, as the
 * element does while the page is idle; or a whole visit before.
 */
const PAGES = ['cold', 'prepared', 'warm'] as const;
type PageState = (typeof PAGES)[number];

/** From field-notes.md and the issue, on a like machine: p50 / p95 by number of others. */
const REFERENCES = [
  ['LiveKit 1.13.5, own client', '402 / 524', '1281 / 2871'],
  ['bare spike, cold page', '235 / 362', '381 / 452'],
  ['bare spike, warm page', '113 / 188', '193 / 296'],
];

async function newPage(context: BrowserContext, origin: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  await page.addInitScript(watchSteps);
  await page.goto(origin);
  await page.evaluate(loadSdk);
  return page;
}

/** All joins into one visit with so many others, cold, prepared and warm by turns. */
async function measure(
  stack: Stack,
  origin: string,
  browsers: { joiner: Browser; others: Browser },
  others: number,
): Promise<Record<PageState, JoinTimes[]>> {
  const { gateway: url, tenant } = targetOf(stack);
  const visit = `join.${others}`;
  const context = await browsers.others.newContext();
  for (const role of OTHER_ROLES.slice(0, others)) {
    const page = await newPage(context, origin);
    await page.evaluate(publish, {
      url,
      token: await mintToken(tenant, { visit, participant: role, role }),
    });
  }
  // The last one to come sees what all the others send.
  const last = context.pages().at(-1);
  await last?.waitForFunction(seesTracks, 2 * (others - 1), { polling: 100 });

  const tracks = 2 * others;
  const join = async (page: Page) => {
    await sleep(PAUSE_MS);
    const token = await mintToken(tenant, { visit, participant: 'joiner', role: 'patient' });
    return page.evaluate(measureJoin, { options: { url, token }, tracks, deadlineMs: DEADLINE_MS });
  };
  const times: Record<PageState, JoinTimes[]> = { cold: [], prepared: [], warm: [] };
  for (let i = 0; i < joins; i += 1) {
    // A renderer process of its own, as a freshly opened tab has.
    const fresh = await browsers.joiner.newContext();
    const page = await newPage(fresh, origin);
    times.cold.push(await join(page));
    times.warm.push(await join(page));
    await page.close();
    const idle = await newPage(fresh, origin);
    await idle.evaluate(prepare);
    times.prepared.push(await join(idle));
    await fresh.close();
  }
  await context.close();
  return times;
}

function report(results: { others: number; times: Record<PageState, JoinTimes[]> }[]): string {
  const steps = ['welcome', 'joined', 'description', 'tracks', 'dtls', 'frame'] as const;
  const rows = results.flatMap(({ others, times }) =>
    PAGES.map((state) => [
      `${others} other${others > 1 ? 's' : ''}, ${state}`,
      ...steps.map((step) => p50p95(times[state].map((join) => join[step]))),
    ]),
  );
  return [
    `Milliseconds from \`connect()\`, p50 / p95 of ${joins} joins each. cold: a fresh page that has only loaded the SDK; prepared: a fresh page after \`Visit.prepare()\`, which \`<bedside-visit>\` calls while idle; warm: a page that was in a visit before. The joiner runs in one Chromium, the others in a second one, sending camera (simulcast) and microphone; everything on one machine.`,
    '',
    table(
      [
        '',
        'welcome',
        '`join` answered',
        'remote description',
        'all tracks',
        'DTLS',
        '**first frame**',
      ],
      rows,
    ),
    '',
    'Measured before on a like machine, first frame:',
    '',
    table(['', '1 other', '3 others'], REFERENCES),
  ].join('\n');
}

const page = await servePage();
const joiner = await launchChromium();
const others = await launchChromium();
try {
  const results = await withStack(
    {
      only: ['redis', 'node', 'gateway'],
      env: { gateway: { BEDSIDE_ALLOWED_ORIGINS: page.origin } },
    },
    async (stack) => {
      const measured = [];
      for (const count of OTHERS) {
        process.stderr.write(`Joins into a visit with ${count} other${count > 1 ? 's' : ''}\n`);
        measured.push({
          others: count,
          times: await measure(stack, page.origin, { joiner, others }, count),
        });
      }
      return measured;
    },
  );
  const body = report(results);
  process.stdout.write(`\n${body}\n`);
  if (values.record) record({ command: 'npm run bench:join', body });
} finally {
  await Promise.allSettled([joiner.close(), others.close()]);
  page.close();
}
