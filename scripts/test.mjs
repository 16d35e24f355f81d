/**
 * `npm test`: installs what is missing, then runs every check. `npm test -- unit types` runs the
 * named stages only; other arguments go to vitest (`npm test -- unit protocol/src/errors.test.ts`).
 *
 * Ends with a line `N passed, N failed`. A stage that fails without a failed test (lint, types, a
 * suite that can't be loaded) counts as one failure.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { node22, root, stateDir } from './lib/paths.mjs';
import { ensure } from './setup.mjs';

const started = performance.now();
// In a log of CI colours are only noise.
const plain = !process.stdout.isTTY;
const env = { ...(await ensure({ forTests: true })), ...(plain ? { NO_COLOR: '1' } : {}) };

const bin = (...path) => [node22, join(root, 'node_modules', ...path)];
const all = [
  stage('lint', [
    ...bin('@biomejs', 'biome', 'bin', 'biome'),
    'ci',
    ...(plain ? ['--colors=off'] : []),
    '--error-on-warnings',
    '.',
  ]),
  stage('types', [...bin('typescript', 'bin', 'tsc'), '--noEmit']),
  stage('imports', [node22, join(root, 'scripts', 'check-imports.mjs')]),
  ...sdkBuild(),
  ...['unit', 'integration', 'e2e'].map(suite),
];

const names = new Set(all.map(({ name }) => name));
const asked = process.argv.slice(2);
const wanted = asked.filter((argument) => names.has(argument));
const forVitest = asked.filter((argument) => !names.has(argument));
const stages = all.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

let passed = 0;
let failed = 0;
say(`set-up: ${elapsed(started)}`);
for (const { name, run } of stages) {
  say(`\n${name}`);
  const began = performance.now();
  const result = await run();
  passed += result.passed;
  failed += result.failed;
  say(`${name}: ${result.failed > 0 ? 'FAILED' : 'passed'} in ${elapsed(began)}`);
  if (result.failed > 0) {
    say(`\nStopped at the first stage that failed: ${name} (all took ${elapsed(started)})`);
    break;
  }
}
if (failed === 0) say(`\nAll stages passed in ${elapsed(started)}`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

/** A stage that passes or fails as a whole and has no tests to count. */
function stage(name, command, cwd = root) {
  return {
    name,
    run: async () => ({ passed: 0, failed: (await exitCode(command, cwd)) === 0 ? 0 : 1 }),
  };
}

function sdkBuild() {
  const script = join(root, 'sdk', 'build.ts');
  return existsSync(script) ? [stage('build', [node22, script], join(root, 'sdk'))] : [];
}

function suite(name) {
  return {
    name,
    run: async () => {
      const results = join(stateDir, 'test', `${name}.json`);
      mkdirSync(join(stateDir, 'test'), { recursive: true });
      rmSync(results, { force: true });
      const code = await exitCode(
        [
          ...bin('vitest', 'vitest.mjs'),
          'run',
          `--project=${name}`,
          '--passWithNoTests',
          '--reporter=default',
          '--reporter=json',
          `--outputFile.json=${results}`,
          ...forVitest,
        ],
        root,
      );
      const counted = count(results);
      return { ...counted, failed: code === 0 ? counted.failed : Math.max(1, counted.failed) };
    },
  };
}

function count(file) {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(file, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

function exitCode([command, ...args], cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    child.once('error', (error) => {
      say(error.message);
      resolve(1);
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function elapsed(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
