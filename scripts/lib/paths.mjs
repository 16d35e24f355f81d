import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What a run leaves behind in the checkout: logs, test results, locks. Ignored by git. */
export const stateDir = join(root, '.bedside');

/**
 * Where logs of the processes of `npm start` go: beside those of another one that still writes its own,
 * which has the usual port of the portal.
 */
export const logDir = (portalPort, usualPort) =>
  join(stateDir, portalPort === usualPort ? 'logs' : `logs-${portalPort}`);

/** Outside the checkout, so that a new clone does not build the worker again. */
export function cacheDir(env = process.env) {
  return join(env.BEDSIDE_CACHE_DIR || env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bedside');
}

/** Node 22 as the project's own dependency installs it. */
export const node22 = join(root, 'node_modules', '.bin', 'node');
