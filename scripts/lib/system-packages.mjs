import { existsSync, readFileSync } from 'node:fs';
import { step } from './progress.mjs';
import { capture, run, SetupError, which } from './run.mjs';

/**
 * What the project needs from the system, per kind of use, and how to see whether it is there. The
 * names differ per package manager; an absent list means that it has no such package.
 */
const groups = {
  redis: {
    what: 'redis-server',
    present: () => which('redis-server') !== undefined,
    apt: ['redis-server'],
    dnf: ['redis'],
    brew: ['redis'],
  },
  balancer: {
    what: 'HAProxy',
    present: () => haproxy() !== undefined,
    apt: ['haproxy'],
    dnf: ['haproxy'],
    brew: ['haproxy'],
  },
  chromium: {
    what: 'Chromium',
    present: () => chromium() !== undefined,
    apt: ['chromium'],
    dnf: ['chromium'],
    brew: ['--cask', 'chromium'],
  },
  network: {
    what: 'iproute2',
    // Tests that need it are skipped where it could not do anything.
    present: () =>
      process.platform !== 'linux' ||
      process.getuid?.() !== 0 ||
      ['ip', 'tc'].every((tool) => which(tool)),
    apt: ['iproute2'],
    dnf: ['iproute', 'iproute-tc'],
  },
  worker: {
    what: 'the libraries and tools to build the mediasoup worker',
    present: () =>
      ['meson', 'ninja', 'pkg-config', 'flatc', 'c++'].every((tool) => which(tool)) &&
      ['libsrtp2', 'libuv', 'openssl', 'absl_strings'].every(
        (library) => capture('pkg-config', ['--exists', library]) !== undefined,
      ),
    apt: [
      'dpkg-dev',
      'libsrtp2-dev',
      'libuv1-dev',
      'libssl-dev',
      'libabsl-dev',
      'libflatbuffers-dev',
      'flatbuffers-compiler',
      'meson',
      'ninja-build',
      'pkg-config',
      'g++',
      'ccache',
    ],
    dnf: [
      'libsrtp-devel',
      'libuv-devel',
      'openssl-devel',
      'abseil-cpp-devel',
      'flatbuffers-devel',
      'flatbuffers-compiler',
      'meson',
      'ninja-build',
      'pkgconf-pkg-config',
      'gcc-c++',
      'ccache',
    ],
    brew: [
      'srtp',
      'libuv',
      'openssl@3',
      'abseil',
      'flatbuffers',
      'meson',
      'ninja',
      'pkgconf',
      'ccache',
    ],
  },
};

/** Path of a Chromium, or undefined. BEDSIDE_CHROMIUM names one that is not on PATH. */
export function chromium() {
  const named = process.env.BEDSIDE_CHROMIUM;
  if (named) return existsSync(named) ? named : undefined;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']) {
    const found = which(name);
    if (found) return found;
  }
  return [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ].find((path) => existsSync(path));
}

/** Path of HAProxy, or undefined. Debian has it where only root looks. */
export const haproxy = () =>
  which('haproxy') ??
  ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find((path) => existsSync(path));

/**
 * Installs the groups that are missing where that is possible without asking, else stops with the
 * one command that does it.
 *
 * @param {(keyof typeof groups)[]} names
 */
export async function ensureSystemPackages(names) {
  const missing = names.map((name) => groups[name]).filter((group) => !group.present());
  if (missing.length === 0) return;

  const manager = packageManager();
  const what = missing.map((group) => group.what).join(', ');
  const packages = missing.flatMap((group) => group[manager] ?? []);
  const prefix = manager === 'apt' ? privilege() : undefined;
  if (prefix === undefined) throw new SetupError(instructions(what, manager, packages));

  const apt = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=300',
    '-q',
  ];
  await step(`Installing system packages (${what})`, async (detail) => {
    const onLine = (line) => /^(Get:|Unpacking|Setting up)/.test(line) && detail(line);
    // The lists' own lock has no timeout option: another apt may hold it, and an old list will do
    // unless the installation says otherwise.
    const updated = await run(apt[0], [...apt.slice(1), 'update'], { onLine }).catch(
      (error) => error,
    );
    try {
      await run(
        apt[0],
        [...apt.slice(1), 'install', '-y', '--no-install-recommends', ...packages],
        { onLine },
      );
    } catch (error) {
      throw updated ?? error;
    }
  });

  const still = missing.filter((group) => !group.present());
  if (still.length > 0) {
    throw new SetupError(
      `Installed ${packages.join(' ')}, but still missing: ${still.map((g) => g.what).join(', ')}.` +
        (still.includes(groups.chromium)
          ? '\nInstall Chromium or Google Chrome yourself and name it in BEDSIDE_CHROMIUM.'
          : ''),
    );
  }
}

/** @returns {'apt' | 'dnf' | 'brew' | undefined} */
export function packageManager(platform = process.platform, osRelease = readOsRelease()) {
  if (platform === 'darwin') return 'brew';
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((m) =>
    m[1].split(' '),
  );
  if (ids.includes('debian') || ids.includes('ubuntu')) return 'apt';
  if (ids.includes('fedora') || ids.includes('rhel')) return 'dnf';
  return undefined;
}

/** The one command for a person to run. */
export function instructions(what, manager, packages) {
  const list = packages.join(' ');
  const command = {
    apt: `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${list}`,
    dnf: `sudo dnf install -y ${list}`,
    // A cask and formulas can't share one `brew install`.
    brew: list.startsWith('--cask')
      ? `brew install ${list}`
      : `brew install ${list.replace(' --cask ', ' && brew install --cask ')}`,
  }[manager];
  return command
    ? `Missing: ${what}. Install by\n\n  ${command}\n\nand run this again.`
    : `Missing: ${what}. Install it with this system's package manager (on Debian: ${groups.worker.apt.join(' ')} redis-server haproxy chromium) and run this again.`;
}

/** How to become root without being asked: nothing to add, sudo, or undefined when that can't be. */
function privilege() {
  if (process.getuid?.() === 0) return [];
  return capture('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

function readOsRelease() {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
