/**
 * Holds the direction of dependencies: protocol <- service <- sfu, signaling; protocol <- sdk; those three
 * never import each other; load-tests and examples stand on top and nothing stands on them.
 *
 * By hand: `node scripts/check-imports.mjs`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './lib/paths.mjs';

/** For each package the ones that it may import. */
export const allowed = {
  protocol: [],
  service: ['protocol'],
  sfu: ['protocol', 'service'],
  signaling: ['protocol', 'service'],
  sdk: ['protocol'],
  'examples/portal': ['sdk', 'protocol'],
  // Benchmarks of what is pure run it by itself.
  'load-tests': ['protocol', 'sdk', 'signaling'],
};

/**
 * What tests may import besides: the native WebRTC peer of load-tests stands in for a browser. It
 * is never shipped with what is tested. So is what tests share, in folders called `test` and `testing`.
 */
const allowedInTests = ['load-tests'];

const byName = {
  '@bedside/protocol': 'protocol',
  '@bedside/service': 'service',
  '@bedside/sfu': 'sfu',
  '@bedside/signaling': 'signaling',
  '@bedside/sdk': 'sdk',
  '@bedside/example-portal': 'examples/portal',
  '@bedside/load-tests': 'load-tests',
};

const importing =
  /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*|\brequire\.resolve\s*\(\s*)(['"`])([^'"`\n]+)\1/g;

/**
 * @param {string} file relative to the checkout's root
 * @param {string} source
 * @returns {{ file: string, line: number, specifier: string, rule: string }[]}
 */
export function violations(file, source) {
  const home = packageOf(file);
  if (home === undefined) return [];
  const permitted = /\.test\.[cm]?[jt]s$|\/test(?:ing)?\//.test(file)
    ? [...allowed[home], ...allowedInTests]
    : allowed[home];
  const found = [];
  for (const match of source.matchAll(importing)) {
    const specifier = match[2];
    const target = targetOf(file, specifier);
    if (target === undefined || target === home || permitted.includes(target)) continue;
    found.push({
      file,
      line: source.slice(0, match.index).split('\n').length,
      specifier,
      rule: `${home} may import ${permitted.join(', ') || 'no other package'}, not ${target}`,
    });
  }
  return found;
}

/** The package that an import leads to; undefined when it is none of ours. */
function targetOf(file, specifier) {
  if (specifier.startsWith('.')) return packageOf(normalize(join(dirname(file), specifier)));
  const name = Object.keys(byName).find((n) => specifier === n || specifier.startsWith(`${n}/`));
  return name && byName[name];
}

function packageOf(file) {
  const path = file.split(sep).join('/');
  return Object.keys(allowed).find((name) => path === name || path.startsWith(`${name}/`));
}

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (['node_modules', 'dist'].includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.[cm]?[jt]sx?$/.test(entry.name)) yield path;
  }
}

/** Every violation in the checkout. */
export function checkImports() {
  return Object.keys(allowed).flatMap((name) =>
    [...sources(join(root, name))].flatMap((path) =>
      violations(relative(root, path), readFileSync(path, 'utf8')),
    ),
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = checkImports();
  for (const { file, line, specifier, rule } of found) {
    process.stderr.write(`${file}:${line} imports ${specifier}: ${rule}\n`);
  }
  process.exitCode = found.length > 0 ? 1 : 0;
}
