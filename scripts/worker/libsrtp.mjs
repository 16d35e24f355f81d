/**
 * libsrtp from its own source. Debian builds it with NSS, which costs 16 KB more memory a DTLS-SRTP
 * connection and a quarter more of the worker's CPU than the same source with OpenSSL does; see
 * docs/adr/0001-worker-build.md.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDir } from '../lib/paths.mjs';
import { step } from '../lib/progress.mjs';
import { capture, run } from '../lib/run.mjs';

const APT = '/etc/apt';
/** The public headers, as an installed libsrtp has them under include/srtp2. */
const HEADERS = [
  'include/srtp.h',
  'crypto/include/auth.h',
  'crypto/include/cipher.h',
  'crypto/include/crypto_types.h',
];

/** Where the source of the installed libsrtp lies in the cache; undefined where the system is not Debian's. */
function sourceFolder() {
  const version = capture('dpkg-query', ['-W', '-f', `\${source:Version}`, 'libsrtp2-dev']);
  return (
    version && { version, folder: join(cacheDir(), `libsrtp-${version.replaceAll(':', '_')}`) }
  );
}

/** What a worker that is built now has for libsrtp; part of its name in the cache. */
export function libsrtpKind() {
  const source = sourceFolder();
  if (source && existsSync(source.folder)) return `${source.version} with OpenSSL`;
  return capture('pkg-config', ['--modversion', 'libsrtp2']) ?? 'absent';
}

/**
 * Fetches the source package of the installed libsrtp, with the distribution's own patches. apt checks
 * it against the signed index. Where that is not possible the worker is built with the system's library.
 */
export async function fetchLibsrtp() {
  const source = sourceFolder();
  if (!source || existsSync(source.folder)) return;
  mkdirSync(cacheDir(), { recursive: true });
  const aside = mkdtempSync(join(cacheDir(), 'libsrtp-'));
  try {
    await step('Fetching the source of libsrtp', async () => {
      const options = ownApt(aside);
      // Another source of this system's may be out of reach: what counts is whether the package comes.
      await run('apt-get', [...options, 'update'], { cwd: aside }).catch(() => {});
      const wanted = `libsrtp2=${source.version}`;
      await run('apt-get', [...options, 'source', '--download-only', wanted], { cwd: aside });
      const dsc = readdirSync(aside).find((name) => name.endsWith('.dsc'));
      await run('dpkg-source', ['--no-check', '--extract', dsc, 'source'], { cwd: aside });
    });
    renameSync(join(aside, 'source'), source.folder);
  } catch (error) {
    process.stderr.write(
      `libsrtp's source is not within reach (${error.message.split('\n').at(-1)}); the worker uses the system's library.\n`,
    );
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Puts the source among Meson's subprojects, and its headers where the shim finds them. */
export function addLibsrtp(subprojects) {
  const source = sourceFolder();
  if (!source || !existsSync(source.folder)) return;
  cpSync(source.folder, join(subprojects, 'libsrtp2'), { recursive: true });
  const headers = join(subprojects, 'libsrtp3', 'include', 'srtp2');
  mkdirSync(headers, { recursive: true });
  for (const header of HEADERS)
    copyFileSync(join(source.folder, header), join(headers, basename(header)));
}

/** Options with which apt reads this system's sources as sources of source packages, and changes nothing of the system. */
function ownApt(folder) {
  const parts = join(folder, 'sources.list.d');
  for (const name of [parts, join(folder, 'lists', 'partial'), join(folder, 'cache')])
    mkdirSync(name, { recursive: true });
  const system = join(APT, 'sources.list.d');
  const files = existsSync(system) ? readdirSync(system).map((name) => join(system, name)) : [];
  for (const file of [join(APT, 'sources.list'), ...files]) {
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    const asSources = file.endsWith('.sources')
      ? text.replace(/^Types:.*$/gm, 'Types: deb-src')
      : text.replace(/^deb\s/gm, 'deb-src ');
    writeFileSync(join(parts, basename(file)), asSources);
  }
  return [
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', parts],
    ['Dir::State::lists', join(folder, 'lists')],
    ['Dir::Cache', join(folder, 'cache')],
    ['Acquire::Retries', '0'],
    ['Acquire::http::Timeout', '15'],
    ['Acquire::https::Timeout', '15'],
    // The folder is this user's own, which apt's user can't write to.
    ['APT::Sandbox::User', 'root'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}
