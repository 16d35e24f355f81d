import { join } from 'node:path';
import { build } from 'esbuild';

/** The fixture as one classic script. */
export async function bundleFixture(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'fixture.ts')],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    charset: 'utf8',
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}
