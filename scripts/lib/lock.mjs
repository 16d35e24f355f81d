import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  // Written aside and put in place whole: nobody finds a lock that does not say whose it is.
  const aside = `${file}.${process.pid}`;
  try {
    writeFileSync(aside, identity(process.pid));
    linkSync(aside, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
  if (isAbandoned(file)) rmSync(file, { force: true });
  return false;
}

function isAbandoned(file) {
  let owner;
  try {
    owner = readFileSync(file, 'utf8');
  } catch {
    return false;
  }
  const pid = Number.parseInt(owner, 10);
  return !(pid > 0) || !isAlive(pid) || identity(pid) !== owner;
}

/**
 * Names a process beyond its end: numbers come again, in containers the same ones at each start. By
 * the time at which it started, where the system tells.
 */
function identity(pid) {
  try {
    // Field 22 of proc(5); the second is a name, which may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return String(pid);
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
