/**
 * `npm run bench:admit`: from a provider's `visit.admit()` to the first decoded picture at the patient who
 * waited, with the whole product in the path. Provider and patient are a Chromium each; the patient waits
 * with both transports connected, and sees the provider's camera (simulcast).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { BrowserContext, Page } from 'playwright-core';
import { launchChromium } from '../scripts/lib/chromium.mjs';
import type { Stack } from '../scripts/lib/stack.mjs';
import { servePage } from './lib/browser-page.ts';
import {
  admitEverybody,
  firstPicture,
  leave,
  loadSdk,
  publish,
  waitToBeAdmitted,
} from './lib/join-probe.ts';
import { record, table } from './lib/results.ts';
import { p50p95 } from './lib/statistics.ts';
import { targetOf, withStack } from './lib/target.ts';
import { mintToken } from './lib/token.ts';

const { values } = parseArgs({
  options: {
    admissions: { type: 'string', default: '20' },
    record: { type: 'boolean', default: false },
  },
});
const admissions = Number(values.admissions);
const DEADLINE_MS = 20_000;
/** For how long the patient has waited. */
const WAIT_MS = 1_000;

async function newPage(context: BrowserContext, origin: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(origin);
  await page.evaluate(loadSdk);
  return page;
}

/** Milliseconds of each admission: until it was acknowledged, and until the first picture. */
async function measure(stack: Stack, origin: string) {
  const { gateway: url, tenant } = targetOf(stack);
  const browsers = await Promise.all([launchChromium(), launchChromium()]);
  const [here, there] = browsers;
  try {
    const provider = await newPage(await here.newContext(), origin);
    const times: { acknowledged: number; picture: number }[] = [];
    for (let i = 0; i < admissions; i += 1) {
      const visit = `admit.${i}`;
      const created = await fetch(`${url}/v1/visits`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${stack.secrets.apiKey}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ visit, admission: 'on-admit' }),
      });
      if (!created.ok) throw new Error(await created.text());
      const tokenOf = (role: 'provider' | 'patient') =>
        mintToken(tenant, { visit, participant: role, role });
      await provider.evaluate(publish, { url, token: await tokenOf('provider') });
      const context = await there.newContext();
      const patient = await newPage(context, origin);
      await patient.evaluate(waitToBeAdmitted, { url, token: await tokenOf('patient') });
      await sleep(WAIT_MS);
      const shown = patient.evaluate(firstPicture, DEADLINE_MS);
      const { asked, acknowledged } = await provider.evaluate(admitEverybody);
      times.push({ acknowledged: acknowledged - asked, picture: (await shown) - asked });
      await context.close();
      await provider.evaluate(leave);
    }
    return times;
  } finally {
    await Promise.allSettled(browsers.map((browser) => browser.close()));
  }
}

const page = await servePage();
try {
  const times = await withStack(
    {
      only: ['redis', 'node', 'gateway'],
      env: { gateway: { BEDSIDE_ALLOWED_ORIGINS: page.origin } },
    },
    (stack) => measure(stack, page.origin),
  );
  const body = [
    `Milliseconds from the provider's \`visit.admit()\`, p50 / p95 of ${admissions} admissions, each of a fresh page that has waited for ${WAIT_MS / 1000} s in a visit of its own. Goal: first picture 300 / 1000 (clinical quality).`,
    '',
    table(
      ['', 'acknowledged', '**first picture at the patient**'],
      [
        [
          'one patient',
          p50p95(times.map(({ acknowledged }) => acknowledged)),
          p50p95(times.map(({ picture }) => picture)),
        ],
      ],
    ),
  ].join('\n');
  process.stdout.write(`\n${body}\n`);
  if (values.record) record({ command: 'npm run bench:admit', body });
} finally {
  page.close();
}
