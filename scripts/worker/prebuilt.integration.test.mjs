import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mediasoupVersion } from './key.mjs';
import { downloadWorker, prebuiltUrl } from './prebuilt.mjs';

let folder;
let target;
let server;
/** What the server does with a request. */
let serve;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-prebuilt-'));
  target = join(folder, 'cache', 'worker');
  server = createServer((request, response) => serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  vi.stubEnv('MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL', base);
  // A proxy of the machine has no part in this.
  vi.stubEnv('NO_PROXY', '127.0.0.1');
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An archive as mediasoup publishes it, with this script for a worker. */
function archiveOf(script) {
  const file = join(folder, 'mediasoup-worker');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  execFileSync('tar', ['-czf', join(folder, 'worker.tgz'), '-C', folder, 'mediasoup-worker']);
  return readFileSync(join(folder, 'worker.tgz'));
}

describe('downloadWorker()', () => {
  it('puts the worker in its place', async () => {
    const archive = archiveOf('exit 41');
    let asked;
    serve = (request, response) => {
      asked = request.url;
      response.end(archive);
    };
    expect(await downloadWorker(target)).toBeUndefined();
    expect(existsSync(target)).toBe(true);
    expect(asked).toBe(new URL(prebuiltUrl()).pathname);
    expect(asked).toContain(`/${mediasoupVersion()}/mediasoup-worker-`);
  });

  it.each([
    ['is not there', (_, response) => response.writeHead(404).end(), '404'],
    ['is no archive', (_, response) => response.end('<html>log in first</html>'), 'tar'],
    [
      'breaks off',
      (_, response) => response.writeHead(200, { 'content-length': 99 }).destroy(),
      '',
    ],
    ['never comes', () => {}, 'no download within'],
    ['never ends', (_, response) => response.write('a little'), 'no download within'],
  ])('says why where it %s, and leaves nothing', async (_, how, reason) => {
    serve = how;
    expect(await downloadWorker(target, 1_000)).toContain(reason);
    expect(existsSync(target)).toBe(false);
  });

  it('takes no worker that does not run here', async () => {
    const archive = archiveOf('exit 127');
    serve = (_, response) => response.end(archive);
    expect(await downloadWorker(target)).toContain('does not run');
    expect(existsSync(target)).toBe(false);
  });
});
