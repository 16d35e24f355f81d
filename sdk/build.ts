/**
 * Builds what a portal embeds: `dist/bedside.mjs` (ES module) with its types in `dist/bedside.d.mts`,
 * `dist/bedside.js` (one file for a script tag, everything of a visit in it) with `dist/bedside.d.ts`,
 * and `dist/bedside-clinic.js` for pages of a clinic's staff. Each of them stands alone.
 * `dist/integrity.json` has the hashes of the scripts.
 * Fails where the script grows over its budget, and where the types would need another package.
 *
 * `node build.ts [folder]`: another folder in this checkout, in place of `dist`.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { clinicPlugins, plugins } from './bundle-plugins.ts';
import { flattenTypes } from './flatten-types.ts';

/** Bytes, gzipped, of the scripts: what a patient on a slow line waits for, and what the staff does. */
const BUDGETS_BYTES = { 'bedside.js': 100_000, 'bedside-clinic.js': 40_000 };
const TYPES_DEADLINE_MS = 120_000;

const here = dirname(fileURLToPath(import.meta.url));
const dist = resolve(process.argv[2] ?? join(here, 'dist'));
// Built aside, then renamed: who serves dist/ meanwhile never sees half of it.
const next = join(here, '..', '.bedside', `sdk-dist-${process.pid}`);

const shared: BuildOptions = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  // Private by convention in the packages; what has to keep its name begins otherwise.
  mangleProps: /^_[a-z]/,
  // TypeScript's private members are reached for by a quoted name, too.
  mangleQuoted: true,
  sourcemap: 'linked',
  platform: 'browser',
  target: ['chrome109', 'edge109', 'firefox115', 'safari16.4'],
  legalComments: 'linked',
  plugins,
  logLevel: 'warning',
};

/** Gives the names that the ES module exports. */
async function buildScripts(): Promise<string[]> {
  const [module] = await Promise.all([
    build({
      ...shared,
      entryPoints: ['src/module.ts'],
      format: 'esm',
      outfile: join(next, 'bedside.mjs'),
      metafile: true,
    }),
    build({
      ...shared,
      entryPoints: ['src/script.ts'],
      format: 'iife',
      outfile: join(next, 'bedside.js'),
    }),
    build({
      ...shared,
      entryPoints: ['src/clinic/script.ts'],
      plugins: clinicPlugins,
      format: 'iife',
      outfile: join(next, 'bedside-clinic.js'),
    }),
  ]);
  const outputs = Object.values(module.metafile.outputs);
  refuseSchemas(module.metafile);
  return outputs.flatMap((output) => output.exports);
}

/** @throws Error where zod is in a script: a page needs the shapes of messages alone, see src/wire. */
function refuseSchemas({ inputs, outputs }: Metafile): void {
  const contained = Object.values(outputs).flatMap((output) =>
    Object.entries(output.inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [file] : [],
    ),
  );
  const isZod = (file: string) => file.includes('node_modules/zod/');
  if (!contained.some(isZod)) return;
  const importers = contained.filter(
    (file) => !isZod(file) && inputs[file]?.imports.some(({ path }) => isZod(path)),
  );
  throw new Error(`zod is in bedside.js, by a value that is imported from ${importers.join(', ')}`);
}

/** What a page that loads the scripts has: the module's exports, under one name. */
const SCRIPT_TYPES = `import type * as Module from './bedside.mjs' with { 'resolution-mode': 'import' };

declare global {
  /** What \`bedside.js\` brings, and \`bedside-clinic.js\` for \`Queue\` and \`OnCall\`; \`window.Bedside\`, too. */
  var Bedside: typeof Module;
}
`;

/** The declarations of sdk and protocol, file by file; gives a tsconfig.json for reading them. */
async function emitTypes(): Promise<string> {
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
  const config = join(types, 'tsconfig.json');
  const compilerOptions = {
    allowImportingTsExtensions: true,
    module: 'nodenext',
    noEmit: true,
    paths: { '@bedside/protocol': ['./protocol/src/index.d.ts'] },
    strict: true,
    target: 'es2024',
    types: [],
  };
  await writeFile(config, JSON.stringify({ compilerOptions, files: ['sdk/src/module.d.ts'] }));
  return config;
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
  // One after the other: a failure of one would leave the other writing into a removed folder.
  const exported = await buildScripts();
  const emitted = await emitTypes();
  await writeFile(join(next, 'bedside.d.mts'), flattenTypes(emitted, exported));
  await writeFile(join(next, 'bedside.d.ts'), SCRIPT_TYPES);
  await rm(join(next, 'types'), { recursive: true });
  const files = {
    'bedside.js': await measure('bedside.js'),
    'bedside-clinic.js': await measure('bedside-clinic.js'),
    'bedside.mjs': await measure('bedside.mjs'),
  };
  await writeFile(join(next, 'integrity.json'), `${JSON.stringify(files, undefined, 2)}\n`);
  for (const [name, { bytes, gzipped, integrity }] of Object.entries(files)) {
    const sizes = `${(gzipped / 1000).toFixed(1)} KB gzipped (${(bytes / 1000).toFixed(1)} KB)`;
    process.stdout.write(`${name}  ${sizes}  ${integrity}\n`);
  }
  for (const [name, budget] of Object.entries(BUDGETS_BYTES)) {
    const { gzipped } = files[name as keyof typeof BUDGETS_BYTES];
    if (gzipped > budget)
      throw new Error(`${name} has ${gzipped} bytes gzipped; its budget is ${budget}`);
  }
  await rm(dist, { recursive: true, force: true });
  await rename(next, dist);
} catch (error) {
  await rm(next, { recursive: true, force: true });
  const output = (error as { stdout?: string }).stdout;
  process.stderr.write(`${output ? `${output}\n` : ''}${(error as Error).message}\n`);
  process.exitCode = 1;
}
