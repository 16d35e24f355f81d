import { readFileSync } from 'node:fs';

const manifest = new URL('../package.json', import.meta.url);
/** Of this software, the same for all its parts. */
export const VERSION: string = JSON.parse(readFileSync(manifest, 'utf8')).version;
