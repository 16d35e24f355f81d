import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../lib/paths.mjs';
import { capture } from '../lib/run.mjs';
import { libsrtpKind } from './libsrtp.mjs';

const here = dirname(fileURLToPath(import.meta.url));

export const shimsDir = join(here, 'shims');
export const patchesDir = join(here, 'patches');

/** Where the mediasoup package lies. */
export function mediasoupDir() {
  // Its package.json is not exported; its entry is node/lib/index.js.
  const entry = createRequire(join(root, 'sfu', 'package.json')).resolve('mediasoup');
  return dirname(dirname(dirname(entry)));
}

export function mediasoupVersion() {
  return JSON.parse(readFileSync(join(mediasoupDir(), 'package.json'), 'utf8')).version;
}

/** How Meson configures the worker: mediasoup's own release settings (worker/tasks.py). */
export const mesonArgs = ['--buildtype', 'release', '-Db_ndebug=true'];

/** pkg-config's names of what the built worker links to, besides libsrtp. */
const libraries = ['libuv', 'openssl', 'absl_strings', 'flatbuffers'];

/**
 * Names a built worker: it is good for exactly this mediasoup, these patches, shims and build
 * arguments, these system libraries and this architecture.
 */
export function buildKey(versions = libraryVersions()) {
  const hash = createHash('sha256');
  for (const file of [...files(patchesDir), ...files(shimsDir)]) {
    hash
      .update(`${relative(here, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  hash.update(JSON.stringify([mesonArgs, versions]));
  return `${mediasoupVersion()}-${platform()}-${arch()}-${hash.digest('hex').slice(0, 16)}`;
}

/** Names a downloaded worker, which links statically to its libraries. */
export function prebuiltKey() {
  return `${mediasoupVersion()}-${platform()}-${arch()}-prebuilt`;
}

function libraryVersions() {
  return [
    ['libsrtp', libsrtpKind()],
    ...libraries.map((name) => [name, capture('pkg-config', ['--modversion', name]) ?? 'absent']),
  ];
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? files(path) : [path];
    });
}
