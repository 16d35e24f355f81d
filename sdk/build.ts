/**
 * Builds what a portal embeds: `dist/bedside.mjs` (ES module) with its types, and `dist/bedside.js`
 * (one file for a script tag, everything in it) with its integrity hash in `dist/integrity.json`.
 * Fails where the script grows over its budget.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build, type Plugin, transform } from 'esbuild';

/** Bytes, gzipped, of the one script: what a patient on a slow line waits for. */
const BUDGET_BYTES = 100_000;
const TYPES_DEADLINE_MS = 120_000;

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
// Built aside, then renamed: who serves dist/ meanwhile never sees half of it.
const next = join(here, '..', '.bedside', `sdk-dist-${process.pid}`);

/**
 * Parts of mediasoup-client that no page runs: it is CommonJS, so that they would be bundled unseen.
 * Its handlers for React Native and for its own tests; and `debug`, which would also write RTP
 * parameters of a visit to the console of whoever sets a key in localStorage.
 */
const LEFT_OUT = [
  /mediasoup-client\/lib\/handlers\/(ReactNative106|FakeHandler)\.js$/,
  /mediasoup-client\/lib\/test\/fakeParameters\.js$/,
  /\/fake-mediastreamtrack\/lib\/index\.js$/,
];
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onLoad }) {
    for (const filter of LEFT_OUT) onLoad({ filter }, () => ({ contents: 'module.exports = {};' }));
    onLoad({ filter: /\/debug\/src\/browser\.js$/ }, () => ({
      contents: 'module.exports = () => Object.assign(() => {}, { enabled: false });',
    }));
  },
};

/** The element's styles stand in a template literal, which a bundler leaves as it is. */
const minifyStyles: Plugin = {
  name: 'minify-styles',
  setup({ onLoad }) {
    onLoad({ filter: /\/element\/styles\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const styles = /css`([^`]+)`/.exec(source)?.[1];
      if (styles === undefined) throw new Error('element/styles.ts has no css`…` in it');
      const { code } = await transform(styles, { loader: 'css', minify: true, target: TARGET });
      return { contents: source.replace(styles, () => code.trim()), loader: 'ts' };
    });
  },
};

const TARGET = ['chrome109', 'edge109', 'firefox115', 'safari16.4'];

const shared: BuildOptions = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  sourcemap: 'linked',
  platform: 'browser',
  target: TARGET,
  legalComments: 'linked',
  plugins: [leaveOut, minifyStyles],
  logLevel: 'warning',
};

async function buildScripts(): Promise<void> {
  await Promise.all([
    build({
      ...shared,
      entryPoints: ['src/module.ts'],
      format: 'esm',
      outfile: join(next, 'bedside.mjs'),
    }),
    build({
      ...shared,
      entryPoints: ['src/script.ts'],
      format: 'iife',
      outfile: join(next, 'bedside.js'),
    }),
  ]);
}

/** The declarations of sdk and protocol, made to stand alone: relative imports only, besides npm packages. */
async function buildTypes(): Promise<void> {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json');
  const types = join(next, 'types');
  await promisify(execFile)(
    process.execPath,
    [
      join(dirname(typescript), 'bin', 'tsc'),
      '-p',
      join(here, 'tsconfig.types.json'),
      '--outDir',
      types,
    ],
    { timeout: TYPES_DEADLINE_MS },
  );
  for (const name of await readdir(types, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(types, name);
    const protocol = relative(dirname(file), join(types, 'protocol', 'src', 'index.js'))
      .split(sep)
      .join('/');
    const text = (await readFile(file, 'utf8'))
      .replace(/(['"])(\.{1,2}\/[^'"]+)\.ts\1/g, '$1$2.js$1')
      .replace(
        /(['"])@bedside\/protocol\1/g,
        `$1${protocol.startsWith('.') ? protocol : `./${protocol}`}$1`,
      );
    await writeFile(file, text);
  }
  await writeFile(join(next, 'bedside.d.mts'), "export * from './types/sdk/src/module.js';\n");
}

interface Built {
  bytes: number;
  gzipped: number;
  integrity: string;
}

async function measure(name: string): Promise<Built> {
  const content = await readFile(join(next, name));
  return {
    bytes: content.length,
    gzipped: gzipSync(content, { level: 9 }).length,
    integrity: `sha384-${createHash('sha384').update(content).digest('base64')}`,
  };
}

await rm(next, { recursive: true, force: true });
await mkdir(next, { recursive: true });
try {
  await Promise.all([buildScripts(), buildTypes()]);
  const files = {
    'bedside.js': await measure('bedside.js'),
    'bedside.mjs': await measure('bedside.mjs'),
  };
  await writeFile(join(next, 'integrity.json'), `${JSON.stringify(files, undefined, 2)}\n`);
  for (const [name, { bytes, gzipped, integrity }] of Object.entries(files)) {
    const sizes = `${(gzipped / 1000).toFixed(1)} KB gzipped (${(bytes / 1000).toFixed(1)} KB)`;
    process.stdout.write(`${name}  ${sizes}  ${integrity}\n`);
  }
  const { gzipped } = files['bedside.js'];
  if (gzipped > BUDGET_BYTES) {
    throw new Error(`bedside.js has ${gzipped} bytes gzipped; its budget is ${BUDGET_BYTES}`);
  }
  await rm(dist, { recursive: true, force: true });
  await rename(next, dist);
} catch (error) {
  await rm(next, { recursive: true, force: true });
  const output = (error as { stdout?: string }).stdout;
  process.stderr.write(`${output ? `${output}\n` : ''}${(error as Error).message}\n`);
  process.exitCode = 1;
}
