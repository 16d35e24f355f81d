import { expect, test, vi } from 'vitest';
import { type Broken, run, told } from '../test/simulation/run.ts';
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

const without = (check: string) => ({
  script: (source: string) => source.replace(check, ''),
});
const CHECKS = [
  "if stored > epoch then return 'stale' end",
  "if seen >= tonumber(ARGV[4]) then return 'repeated' end",
] as const;

test.each<[string, Broken]>([
  ['a commit that does not look at the epoch', without(CHECKS[0])],
  ['a commit that writes what it has written', without(CHECKS[1])],
  ['a node that says to hold what it does not hold', { node: 'believes anybody' }],
  ['a node that tells the next owner nothing', { node: 'holds nothing' }],
  ['a node that does not close what a visit has left there', { node: 'closes no visit' }],
])(
  '%s is found',
  async (_, broken) => {
    for (const check of CHECKS) expect(COMMIT.source).toContain(check);
    let found = false;
    for (let seed = 1; !found && seed <= 300; seed++)
      found = (await run(seed, broken)).violations.length > 0;
    expect(found).toBe(true);
  },
  600_000,
);

test('whatever delays, stops, dies, loses or forgets: what was acknowledged is there once, no epoch has two owners, and pages, gateways, nodes and Redis agree in the end', async () => {
  const failed: string[] = [];
  let [commits, stale, done, kept, moves] = [0, 0, 0, 0, 0];
  for (const seed of seeds) {
    const outcome = await run(seed);
    commits += outcome.commits;
    stale += outcome.stale;
    done += outcome.operations.filter((operation) => operation.outcome === 'done').length;
    kept += outcome.operations.filter((operation) => operation.kept).length;
    moves += outcome.moves;
    if (outcome.violations.length > 0) failed.push(told(outcome, only ? undefined : 40));
  }
  expect(failed.slice(0, 5).join('\n')).toBe('');
  // A run in which nothing happens proves nothing.
  expect(done).toBeGreaterThan(50 * seeds.length);
  expect(commits).toBeGreaterThan(50 * seeds.length);
  if (only) return;
  expect(stale).toBeGreaterThan(seeds.length / 20);
  expect(kept).toBeGreaterThan(seeds.length);
  expect(moves).toBeGreaterThan(seeds.length / 2);
}, 3_600_000);
