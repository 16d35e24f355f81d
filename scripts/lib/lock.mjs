import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { step } from './progress.mjs';

/**
 * Runs `work` while no other process does under the same file. A lock whose owner is gone is taken
 * over, so an interrupted run leaves nothing to clean up by hand.
 *
 * @template T
 * @param {string} file
 * @param {string} what for the person who waits
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, what, work) {
  mkdirSync(dirname(file), { recursive: true });
  if (!take(file)) {
    await step(`Waiting for another process: ${what}`, async () => {
      while (!take(file)) await new Promise((resolve) => setTimeout(resolve, 200));
    });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const owner = readOwner(file);
  if (owner !== undefined && !isAlive(owner)) rmSync(file, { force: true });
  return false;
}

function readOwner(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // Created and not yet written to: its owner is about to.
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
