/**
 * Makes a fresh machine able to run Bedside: npm dependencies, Node 22, redis-server, the mediasoup
 * worker, and for tests Chromium. Needs Node >= 20 and npm, nothing else. Running it again costs
 * what it takes to look.
 *
 * By hand: `node scripts/setup.mjs [--tests]`.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureDependencies } from './lib/dependencies.mjs';
import { withLock } from './lib/lock.mjs';
import { ensureNode22, onNode22, reexec } from './lib/node22.mjs';
import { node22, stateDir } from './lib/paths.mjs';
import { SetupError } from './lib/run.mjs';
import { chromium, ensureSystemPackages } from './lib/system-packages.mjs';
import { resolveWorker } from './worker/resolve.mjs';

/**
 * Provides what is missing. When this process is not on the project's Node yet, it runs itself
 * again there and does not return.
 *
 * @param {{ forTests?: boolean, uses?: string[] }} [options] `uses`: more groups of system packages
 * @returns {Promise<NodeJS.ProcessEnv>} the environment for child processes
 */
export async function ensure({ forTests = false, uses = [] } = {}) {
  try {
    const locked = (work) =>
      withLock(join(stateDir, 'setup.lock'), 'it sets up this checkout', work);
    await locked(async () => {
      await ensureDependencies();
      await ensureNode22();
    });
    if (!onNode22()) await reexec(process.env);

    return await locked(async () => {
      const tested = forTests ? ['balancer', 'chromium', 'network'] : [];
      await ensureSystemPackages([...new Set(['redis', ...tested, ...uses])]);
      const worker = await resolveWorker();
      const browser = chromium();
      return {
        ...process.env,
        MEDIASOUP_WORKER_BIN: worker,
        ...(browser ? { BEDSIDE_CHROMIUM: browser } : {}),
      };
    });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`\n${error.message}\n`);
    process.exit(1);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const env = await ensure({ forTests: process.argv.includes('--tests') });
  process.stdout.write(`Node    ${node22}\nworker  ${env.MEDIASOUP_WORKER_BIN}\n`);
}
