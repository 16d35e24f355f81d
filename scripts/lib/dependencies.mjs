import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

const stampFile = join(root, 'node_modules', '.bedside-stamp');

/**
 * Makes node_modules equal to package-lock.json. Install scripts are not run: npm withholds them
 * unless they are allowed one by one, and nothing here needs one (esbuild, Biome, TypeScript and
 * node-datachannel come as platform packages, uWebSockets.js carries its binaries, the worker and
 * Node 22 are provided by this set-up).
 */
export async function ensureDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const wanted = createHash('sha256').update(lock).digest('hex');
  if (read(stampFile) === wanted) return;

  if (!matchesInstalled(lock)) {
    await step('Installing npm dependencies', install);
  }
  // Written last and at once: an interrupted installation has no stamp.
  writeFileSync(`${stampFile}.tmp`, wanted);
  renameSync(`${stampFile}.tmp`, stampFile);
}

function install() {
  return run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    env: outsideEnv(),
  });
}

/**
 * The environment for npm itself. Without the project's bin folder, because `npm ci` removes the
 * Node that lives there, and without the outer npm's settings.
 */
export function outsideEnv() {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!name.startsWith('npm_')) env[name] = value;
  }
  env.PATH = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes(join('node_modules', '.bin')))
    .join(delimiter);
  return env;
}

/**
 * True when npm's own record of what it installed, which it writes last, holds every package of the
 * lock file at the same version. Then somebody has run `npm install`, and a second installation
 * would only cost time.
 */
function matchesInstalled(lock) {
  const record = read(join(root, 'node_modules', '.package-lock.json'));
  if (record === undefined) return false;
  try {
    const installed = JSON.parse(record).packages;
    return Object.entries(JSON.parse(lock).packages).every(([path, entry]) => {
      if (path === '') return true;
      const found = installed[path];
      // Packages for other platforms are in the lock file and not on the disk.
      if (found === undefined) return entry.optional === true || entry.peer === true;
      if (!existsSync(join(root, path))) return false;
      return found.version === entry.version && found.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
