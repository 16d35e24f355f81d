import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from '../../scripts/lib/paths.mjs';
import { step } from '../../scripts/lib/progress.mjs';
import { isExecutable, run, SetupError, which } from '../../scripts/lib/run.mjs';

const VERSION = 'v1.8.1';

/**
 * Path of k6: the one on PATH, else the cached one, else built through the Go module proxy (about
 * two minutes).
 *
 * @throws {SetupError} when there is neither k6 nor Go
 */
export async function ensureK6() {
  const installed = which('k6');
  if (installed) return installed;
  const folder = join(cacheDir(), `k6-${VERSION}`);
  const binary = join(folder, 'k6');
  if (isExecutable(binary)) return binary;

  const go = which('go');
  if (!go) {
    throw new SetupError(
      'k6 is missing. Install k6 (https://grafana.com/docs/k6), or Go >= 1.24 to build it.',
    );
  }
  mkdirSync(folder, { recursive: true });
  // Built aside, then renamed: an interrupted build is never taken for a whole one.
  const aside = mkdtempSync(join(folder, 'build-'));
  try {
    await step(`Building k6 ${VERSION}`, (detail) =>
      run(go, ['install', `go.k6.io/k6@${VERSION}`], {
        env: { ...process.env, GOBIN: aside },
        onLine: (line) => detail(line.replace(/^go: /, '')),
      }),
    );
    renameSync(join(aside, 'k6'), binary);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return binary;
}
