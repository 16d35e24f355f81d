import { expect, test, vi } from 'vitest';
import { run, told } from '../test/simulation/run.ts';
import { COMMIT } from './store/scripts.ts';

/*
 * Gateways as they are, on simulated Redis, nodes, pages and time. BEDSIDE_SIMULATION_RUNS says how many
 * seeds are tried, BEDSIDE_SIMULATION_SEED runs one alone and tells its whole history.
 */

vi.mock('node:crypto', async (original) => {
  const { randomBytes, randomUUID } = await import('../test/simulation/world.ts');
  return { ...(await original<typeof import('node:crypto')>()), randomBytes, randomUUID };
});

const { BEDSIDE_SIMULATION_SEED: only, BEDSIDE_SIMULATION_RUNS: runs = '300' } = process.env;
const seeds = only ? [Number(only)] : Array.from({ length: Number(runs) }, (_, index) => index + 1);

test('a seed that is run again gives the same history', async () => {
  const [one, other] = [await run(1), await run(1)];
  expect(other.history).toEqual(one.history);
  expect(one.history.length).toBeGreaterThan(100);
}, 120_000);

test.each([
  ['does not look at the epoch', "if stored > epoch then return 'stale' end"],
  ['writes what it has written', "if seen >= tonumber(ARGV[4]) then return 'repeated' end"],
])(
  'a commit that %s is found',
  async (_, check) => {
    expect(COMMIT.source).toContain(check);
    let found = false;
    for (let seed = 1; !found && seed <= 100; seed++) {
      const { violations } = await run(seed, (source) => source.replace(check, ''));
      found = violations.length > 0;
    }
    expect(found).toBe(true);
  },
  600_000,
);

test('whatever delays, stops, dies, loses or forgets: what was acknowledged is there once, no epoch has two owners, and pages, gateways, nodes and Redis agree in the end', async () => {
  const failed: string[] = [];
  let [commits, stale, done] = [0, 0, 0];
  for (const seed of seeds) {
    const outcome = await run(seed);
    commits += outcome.commits;
    stale += outcome.stale;
    done += outcome.operations.filter((operation) => operation.outcome === 'done').length;
    if (outcome.violations.length > 0) failed.push(told(outcome, only ? undefined : 40));
  }
  expect(failed.slice(0, 5).join('\n')).toBe('');
  // A run in which nothing happens proves nothing.
  expect(done).toBeGreaterThan(50 * seeds.length);
  expect(commits).toBeGreaterThan(50 * seeds.length);
  if (!only) expect(stale).toBeGreaterThan(seeds.length / 20);
}, 3_600_000);
