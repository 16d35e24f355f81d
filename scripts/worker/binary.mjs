import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { isExecutable, SetupError } from '../lib/run.mjs';

/** What the worker answers when nobody told it which mediasoup it belongs to (worker/src/main.cpp). */
const NO_VERSION_EXIT_CODE = 41;

/** True when the file is a mediasoup worker that this system can load and start. */
export function runs(binary) {
  if (!isExecutable(binary)) return false;
  const { status } = spawnSync(binary, [], { env: {}, stdio: 'ignore', timeout: 10_000 });
  return status === NO_VERSION_EXIT_CODE;
}

/**
 * Puts a finished binary at `target` in one move, after it has proven that it runs here.
 *
 * @throws {SetupError}
 */
export function adopt(binary, target) {
  mkdirSync(dirname(target), { recursive: true });
  const aside = `${target}.${process.pid}.tmp`;
  copyFileSync(binary, aside);
  chmodSync(aside, 0o755);
  if (!runs(aside)) {
    rmSync(aside, { force: true });
    throw new SetupError('This mediasoup worker does not run on this system.');
  }
  renameSync(aside, target);
}
