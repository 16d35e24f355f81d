/**
 * Which worker is taken, and when one is built. The sources, shims and patches are the real ones;
 * compiler and build tools are stand-ins that write down that they were called.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from '../lib/paths.mjs';
import { which } from '../lib/run.mjs';
import { runs } from './binary.mjs';

let folder;
let bin;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-resolve-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const tool of ['git', 'mkdir', 'cat', 'sleep']) symlinkSync(which(tool), join(bin, tool));
  for (const tool of ['flatc', 'c++']) standIn(tool, '');
  standIn('pkg-config', 'echo 1.0');
  standIn('meson', `mkdir -p "$5"\n: > "$5/build.ninja"`);
  compiles('sleep 0.3');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function standIn(tool, script) {
  const file = join(bin, tool);
  writeFileSync(file, `#!/bin/sh\necho ${tool} >> ${join(folder, 'calls')}\n${script}\n`);
  chmodSync(file, 0o755);
}

/** From now on the compiler does this, and then there is a worker. */
function compiles(first) {
  standIn(
    'ninja',
    `${first}
printf '#!/bin/sh\\nexit 41\\n' > "$2/mediasoup-worker"
/bin/chmod +x "$2/mediasoup-worker"`,
  );
}

const calls = (tool) =>
  existsSync(join(folder, 'calls'))
    ? readFileSync(join(folder, 'calls'), 'utf8')
        .split('\n')
        .filter((line) => line === tool).length
    : 0;

/** Resolves the worker in a process of its own. */
function start(env = {}) {
  const module = pathToFileURL(join(root, 'scripts', 'worker', 'resolve.mjs')).href;
  const script = `import { resolveWorker } from '${module}';
    process.stdout.write(await resolveWorker());`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: {
      PATH: bin,
      BEDSIDE_CACHE_DIR: folder,
      // Nobody listens there: no download.
      MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL: 'http://127.0.0.1:1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let worker = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    worker += text;
  });
  const done = once(child, 'close').then(([code]) => ({ code, worker }));
  return { child, done };
}

async function resolve(env) {
  const { code, worker } = await start(env).done;
  expect(code).toBe(0);
  return worker;
}

const cached = () => readdirSync(join(folder, 'bedside'));

describe('resolveWorker()', () => {
  it('builds a worker once, and leaves nothing else behind', async () => {
    const worker = await resolve();
    expect(runs(worker)).toBe(true);
    expect(await resolve()).toBe(worker);
    expect(calls('ninja')).toBe(1);
    expect(cached()).toHaveLength(1);
  });

  it('builds one anew where the cached one does not run', async () => {
    const worker = await resolve();
    writeFileSync(worker, 'half a worker');
    expect(await resolve()).toBe(worker);
    expect(runs(worker)).toBe(true);
  });

  it('builds another for other libraries', async () => {
    const worker = await resolve();
    standIn('pkg-config', 'echo 2.0');
    expect(await resolve()).not.toBe(worker);
    expect(calls('ninja')).toBe(2);
  });

  it('builds once for two who ask at the same time', async () => {
    const [one, other] = await Promise.all([resolve(), resolve()]);
    expect(one).toBe(other);
    expect(calls('ninja')).toBe(1);
  });

  it('takes nothing half-built for whole, and goes on where it was', async () => {
    compiles('exit 1');
    expect((await start().done).code).not.toBe(0);
    expect(cached().filter((name) => name.startsWith('mediasoup-worker'))).toEqual([]);
    compiles('');
    expect(runs(await resolve())).toBe(true);
    expect(calls('meson')).toBe(1);
  });

  it('goes on after it was killed', async () => {
    compiles('sleep 5');
    const { child, done } = start();
    await expect.poll(() => calls('ninja'), { timeout: 20_000 }).toBe(1);
    child.kill('SIGKILL');
    await done;
    compiles('');
    expect(runs(await resolve())).toBe(true);
  });

  it('takes no build that does not run', async () => {
    standIn('ninja', `printf '#!/bin/sh\\nexit 1\\n' > "$2/mediasoup-worker"`);
    expect((await start().done).code).not.toBe(0);
    expect(cached().filter((name) => name.startsWith('mediasoup-worker'))).toEqual([]);
  });

  it('takes what MEDIASOUP_WORKER_BIN names', async () => {
    const named = join(bin, 'flatc');
    expect(await resolve({ MEDIASOUP_WORKER_BIN: named })).toBe(named);
    const absent = start({ MEDIASOUP_WORKER_BIN: join(bin, 'absent') });
    expect((await absent.done).code).not.toBe(0);
    expect(calls('ninja')).toBe(0);
  });
});
