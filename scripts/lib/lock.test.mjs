import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.mjs';

let folder;
let file;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-lock-'));
  file = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('withLock()', () => {
  it('lets one work at a time, and leaves no file', async () => {
    let working = 0;
    let most = 0;
    const work = async () => {
      working += 1;
      most = Math.max(most, working);
      await new Promise((resolve) => setTimeout(resolve, 5));
      working -= 1;
    };
    await Promise.all([1, 2, 3].map(() => withLock(file, 'a test', work)));
    expect(most).toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  it('is free again after work that failed', async () => {
    const fails = () => Promise.reject(new Error('no'));
    await expect(withLock(file, 'a test', fails)).rejects.toThrow('no');
    expect(await withLock(file, 'a test', async () => 'done')).toBe('done');
  });

  it('is taken over from a process that is gone', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(file, `${pid} 1`);
    expect(await withLock(file, 'a test', async () => 'done')).toBe('done');
  });

  it('is taken over where its file is empty, as an older version could leave it', async () => {
    writeFileSync(file, '');
    expect(await withLock(file, 'a test', async () => 'done')).toBe('done');
  });

  it.runIf(process.platform === 'linux')(
    'is taken over from a process whose number another one has now',
    async () => {
      writeFileSync(file, `${process.pid} 1`);
      expect(await withLock(file, 'a test', async () => 'done')).toBe('done');
    },
  );
});
