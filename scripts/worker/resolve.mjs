import { join } from 'node:path';
import { cacheDir } from '../lib/paths.mjs';
import { isExecutable, SetupError } from '../lib/run.mjs';
import { ensureSystemPackages } from '../lib/system-packages.mjs';
import { runs } from './binary.mjs';
import { buildWorker } from './build.mjs';
import { buildKey, mediasoupVersion, prebuiltKey } from './key.mjs';
import { fetchLibsrtp } from './libsrtp.mjs';
import { downloadWorker } from './prebuilt.mjs';

/**
 * The mediasoup worker to use: the one that MEDIASOUP_WORKER_BIN names, else the cached one, else
 * mediasoup's prebuilt one, else one that is built here.
 *
 * @returns {Promise<string>} path of an executable
 * @throws {SetupError}
 */
export async function resolveWorker(env = process.env) {
  const named = env.MEDIASOUP_WORKER_BIN;
  if (named) {
    if (!isExecutable(named)) {
      throw new SetupError(`MEDIASOUP_WORKER_BIN names ${named}, which is not an executable file.`);
    }
    return named;
  }

  const cached = (key) => join(cacheDir(env), `mediasoup-worker-${key}`);
  const prebuilt = cached(prebuiltKey());
  for (const file of [cached(buildKey()), prebuilt]) {
    // A library that was removed, or a cache from another machine: then it is made anew.
    if (runs(file)) return file;
  }

  const refused = await downloadWorker(prebuilt);
  if (refused === undefined) return prebuilt;
  process.stderr.write(
    `mediasoup ${mediasoupVersion()} has no prebuilt worker within reach (${refused.split('\n')[0]}); it is built here instead.\n`,
  );

  await ensureSystemPackages(['worker']);
  await fetchLibsrtp();
  // Only now: what was just installed and fetched is part of the key.
  const built = cached(buildKey());
  if (!runs(built)) await buildWorker(built);
  return built;
}
