import { type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';

const moduleOf = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
/** A process that is told to end while one line is being written, and another waits. */
const SCRIPT = `
import { createLog } from ${moduleOf('./log.ts')};
import { exitWith } from ${moduleOf('./exit.ts')};
const log = createLog('gateway', 'info');
process.on('SIGTERM', () => {
  log.info('stopping');
  log.info('stopped');
  exitWith(3);
});
log.info('started');
setInterval(() => {}, 1_000);
`;

const spawned = (stdio: StdioOptions) => {
  const args = ['--input-type=module-typescript', '-e', SCRIPT];
  const child = spawn(process.execPath, args, { stdio });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
};

async function started() {
  const child = spawned(['ignore', 'pipe', 'inherit']);
  if (!child.stdout) throw new Error('no output');
  const { stdout } = child;
  const written = once(stdout, 'data');
  const ended = once(child, 'exit');
  await written;
  return { child, stdout, ended };
}

test('a process ends with its code, and the last line is written', async () => {
  const { child, stdout, ended } = await started();
  let text = '';
  stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.kill('SIGTERM');
  expect(await ended).toEqual([3, null]);
  expect(text).toContain('stopped');
});

test('a process whose log nobody reads any more ends, too', async () => {
  const { child, stdout, ended } = await started();
  stdout.destroy();
  await once(stdout, 'close');
  child.kill('SIGTERM');
  expect(await ended).toEqual([3, null]);
});

test.skipIf(process.platform !== 'linux')(
  'a process whose log is on a full disk lives, says so elsewhere, and ends when it is told to',
  async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawned(['ignore', full, 'pipe']);
    closeSync(full);
    const ended = once(child, 'exit');
    const [said] = await once(child.stderr as NodeJS.ReadableStream, 'data');
    expect(String(said)).toContain('ENOSPC');
    child.kill('SIGTERM');
    expect(await ended).toEqual([3, null]);
  },
);
