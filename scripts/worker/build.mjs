/**
 * Builds the mediasoup worker from the sources in mediasoup's npm package against the system's
 * libraries, without the network. docs/adr/0001-worker-build.md says why.
 *
 * By hand: `node scripts/worker/build.mjs <file to write>`.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withLock } from '../lib/lock.mjs';
import { cacheDir } from '../lib/paths.mjs';
import { step } from '../lib/progress.mjs';
import { run } from '../lib/run.mjs';
import { adopt, runs } from './binary.mjs';
import { buildKey, mediasoupDir, mesonArgs, patchesDir, shimsDir } from './key.mjs';
import { addLibsrtp, fetchLibsrtp } from './libsrtp.mjs';

/** What one compiler process may need: C++20 with Abseil takes up to 700 MB. */
const BYTES_PER_JOB = 1024 ** 3;

/**
 * Builds the worker and puts it at `target` in one move. The build folder is kept until it is
 * done, so an interrupted build goes on where it was.
 *
 * @param {string} target
 */
export async function buildWorker(target) {
  const folder = join(cacheDir(), `build-${buildKey()}`);
  await withLock(`${folder}.lock`, 'it builds the mediasoup worker', async () => {
    if (runs(target)) return;
    await step('Building the mediasoup worker (once, some minutes)', async (detail) => {
      await prepare(folder);
      const out = join(folder, 'out');
      // Objects of an earlier build folder are found by ccache whatever that folder was called.
      const env = { ...process.env, CCACHE_BASEDIR: folder, CCACHE_NOHASHDIR: '1' };
      if (!existsSync(join(out, 'build.ninja'))) {
        rmSync(out, { recursive: true, force: true });
        await run('meson', ['setup', ...mesonArgs, out], {
          cwd: folder,
          env,
        });
      }
      await run('ninja', ['-C', out, '-j', String(jobs()), 'mediasoup-worker'], {
        env,
        onLine: (line) => {
          const at = /^\[(\d+)\/(\d+)\]/.exec(line);
          if (at) detail(`${at[1]} of ${at[2]} files`);
        },
      });
      adopt(join(out, 'mediasoup-worker'), target);
      rmSync(folder, { recursive: true, force: true });
    });
  });
}

/** Sources, shims and patches in one folder, which appears in one move. */
async function prepare(folder) {
  if (existsSync(folder)) return;
  const aside = `${folder}.tmp`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(dirname(aside), { recursive: true });
  cpSync(join(mediasoupDir(), 'worker'), aside, { recursive: true });
  // mediasoup's own subprojects are downloads; ours resolve to the system's libraries.
  rmSync(join(aside, 'subprojects'), { recursive: true });
  cpSync(shimsDir, join(aside, 'subprojects'), { recursive: true });
  addLibsrtp(join(aside, 'subprojects'));
  for (const patch of readdirSync(patchesDir).sort()) {
    await run('git', ['apply', join(patchesDir, patch)], {
      cwd: aside,
      // Inside some repository `git apply` would skip, without a word, what that one doesn't own.
      env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(aside) },
    });
  }
  renameSync(aside, folder);
}

function jobs() {
  const set = Number(process.env.BEDSIDE_BUILD_JOBS);
  if (Number.isInteger(set) && set > 0) return set;
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_JOB)));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const target = process.argv[2];
  if (!target) {
    process.stderr.write('usage: node scripts/worker/build.mjs <file to write>\n');
    process.exitCode = 64;
  } else {
    rmSync(target, { force: true });
    await fetchLibsrtp();
    await buildWorker(target);
  }
}
