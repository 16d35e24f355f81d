import { spawn } from 'node:child_process';
import { once } from 'node:events';
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

async function started() {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', SCRIPT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const written = once(child.stdout, 'data');
  const ended = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  await written;
  return { child, ended };
}

test('a process ends with its code, and the last line is written', async () => {
  const { child, ended } = await started();
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.kill('SIGTERM');
  expect(await ended).toEqual([3, null]);
  expect(text).toContain('stopped');
});

test('a process whose log nobody reads any more ends, too', async () => {
  const { child, ended } = await started();
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.kill('SIGTERM');
  expect(await ended).toEqual([3, null]);
});
