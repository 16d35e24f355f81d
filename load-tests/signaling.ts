/**
 * `npm run load:signaling`: the k6 scenario of k6/signaling.js against a stack of its own, or
 * against BEDSIDE_LOAD_GATEWAY. Ends with status 1 when a threshold is missed.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SUPPORTED_VERSIONS } from '@bedside/protocol';
import { record, table } from './lib/results.ts';
import { type Target, targetFromEnvironment, targetOf, withStack } from './lib/target.ts';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '100' },
    'visit-size': { type: 'string', default: '4' },
    /** Time at full load. */
    hold: { type: 'string', default: '60s' },
    'think-ms': { type: 'string', default: '1000' },
    record: { type: 'boolean', default: false },
  },
});
const users = Number(values.users);
const visitSize = Number(values['visit-size']);

interface Summary {
  metrics: Record<
    string,
    { values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> }
  >;
}

/** Runs k6 and reads its summary. */
async function load({ gateway, tenant }: Target): Promise<{ code: number; summary: Summary }> {
  const k6 = process.env.BEDSIDE_K6;
  if (!k6) throw new Error('BEDSIDE_K6 is not set; run this as `npm run load:signaling`.');
  const folder = mkdtempSync(join(tmpdir(), 'bedside-k6-'));
  const summaryFile = join(folder, 'summary.json');
  const config = {
    gateway,
    tenant,
    versions: SUPPORTED_VERSIONS,
    run: randomBytes(4).toString('hex'),
    users,
    visitSize,
    thinkMs: Number(values['think-ms']),
    deadlineMs: 10_000,
    maxErrorRate: 0.001,
    stages: [
      { duration: '20s', share: 1 },
      { duration: values.hold, share: 1 },
      { duration: '10s', share: 0 },
    ],
  };
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const script = fileURLToPath(new URL('./k6/signaling.js', import.meta.url));
      const child = spawn(
        k6,
        ['run', '--no-usage-report', ...(process.stderr.isTTY ? [] : ['--quiet']), script],
        {
          stdio: 'inherit',
          // By the environment: arguments, with the tenant's secret, would show in the process list.
          env: {
            ...process.env,
            BEDSIDE_LOAD: JSON.stringify(config),
            BEDSIDE_LOAD_SUMMARY: summaryFile,
          },
        },
      );
      child.once('error', reject);
      child.once('close', (status) => resolve(status ?? 1));
    });
    return { code, summary: JSON.parse(readFileSync(summaryFile, 'utf8')) as Summary };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report({ metrics }: Summary): string {
  const trend = (label: string, name: string) => {
    const found = metrics[name]?.values;
    const ms = (key: string) => (found?.[key] === undefined ? '–' : String(Math.round(found[key])));
    return [label, String(found?.count ?? 0), ms('med'), ms('p(95)'), ms('p(99)'), ms('max')];
  };
  const commands = Object.keys(metrics)
    .filter((name) => name.startsWith('bedside_command{'))
    .map((name) => trend(`\`${name.slice('bedside_command{command:'.length, -1)}\``, name));
  const calls = [trend('welcome', 'bedside_welcome'), trend('`join`', 'bedside_join'), ...commands];
  const total = calls.reduce((sum, [, count]) => sum + Number(count), 0);
  const rate = metrics.bedside_errors?.values.rate ?? 0;
  return [
    `${users} participants at a time in visits of ${visitSize}, everything (k6 too) on one machine: ${total} calls, error rate ${(rate * 100).toFixed(3)} %. Times in ms, from the page's side.`,
    '',
    table(['', 'count', 'p50', 'p95', 'p99', 'max'], calls),
  ].join('\n');
}

const given = targetFromEnvironment();
const { code, summary } = given
  ? await load(given)
  : await withStack({ only: ['redis', 'node', 'gateway'] }, (stack) => load(targetOf(stack)));
const body = report(summary);
process.stdout.write(`\n${body}\n`);
if (values.record) record({ command: 'npm run load:signaling', body });
process.exitCode = code;
