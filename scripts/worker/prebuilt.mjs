/**
 * mediasoup's own prebuilt worker. As a program (`prebuilt.mjs <address> <file>`) it downloads, so
 * that the deadline is a process that can be ended, and so that Node's proxy support can be
 * switched on for it alone.
 */

import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { arch, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { node22 } from '../lib/paths.mjs';
import { step } from '../lib/progress.mjs';
import { isExecutable, run } from '../lib/run.mjs';
import { adopt } from './binary.mjs';
import { mediasoupDir, mediasoupVersion } from './key.mjs';

/** In ms. Behind a proxy that drops packets nothing else would end a download. */
const DEADLINE_MS = 15_000;

/**
 * Downloads the worker to `target`. Any failure is an answer: the caller builds.
 *
 * @param {string} target
 * @param {number} [deadlineMs] for the whole download
 * @returns {Promise<string | undefined>} why not, or undefined when it is there
 */
export async function downloadWorker(target, deadlineMs = DEADLINE_MS) {
  const folder = mkdtempSync(join(tmpdir(), 'bedside-worker-'));
  try {
    return await step("Downloading mediasoup's prebuilt worker", async () => {
      const archive = join(folder, 'worker.tgz');
      const failure = await fetchWithDeadline(prebuiltUrl(), archive, deadlineMs);
      if (failure) return failure;
      await run('tar', ['-xzf', archive, '-C', folder]);
      adopt(join(folder, 'mediasoup-worker'), target);
      return undefined;
    });
  } catch (error) {
    return error.message;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The address by mediasoup's rule (getWorkerPrebuildTarName in its npm-scripts.mjs). */
export function prebuiltUrl() {
  const { repository } = JSON.parse(readFileSync(join(mediasoupDir(), 'package.json'), 'utf8'));
  const base =
    process.env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL ||
    `${repository.url.replace(/^git\+/, '').replace(/\.git$/, '')}/releases/download`;
  const version = mediasoupVersion();
  const kernel = platform() === 'linux' ? `-kernel${Number(release().split('.')[0])}` : '';
  return `${base}/${version}/mediasoup-worker-${version}-${platform()}-${arch()}${kernel}.tgz`;
}

function fetchWithDeadline(url, file, deadlineMs) {
  return new Promise((resolve) => {
    const child = spawn(
      isExecutable(node22) ? node22 : process.execPath,
      [fileURLToPath(import.meta.url), url, file],
      // Hospital networks reach the outside by HTTPS_PROXY.
      { env: { ...process.env, NODE_USE_ENV_PROXY: '1' }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, deadlineMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve(error.message);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      if (late) resolve(`no download within ${deadlineMs / 1000} s`);
      else resolve(code === 0 ? undefined : said.trim() || `exit code ${code}`);
    });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [url, file] = process.argv.slice(2);
  try {
    const answer = await fetch(url);
    if (!answer.ok || !answer.body) throw new Error(`the server answered ${answer.status}`);
    await pipeline(Readable.fromWeb(answer.body), createWriteStream(file));
  } catch (error) {
    process.stderr.write(`${error.cause?.message ?? error.message}\n`);
    process.exitCode = 1;
  }
}
