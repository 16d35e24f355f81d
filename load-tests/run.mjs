/**
 * `node load-tests/run.mjs <script> [arguments]`: provides what a fresh machine lacks, then runs
 * load-tests/<script>.ts on the project's own Node.
 */
import { ensure } from '../scripts/setup.mjs';
import { ensureK6 } from './lib/k6.mjs';

const [script, ...rest] = process.argv.slice(2);
const env = await ensure({ forTests: true });
if (script === 'signaling') env.BEDSIDE_K6 = await ensureK6();
Object.assign(process.env, env);
process.argv.splice(2, process.argv.length, ...rest);
await import(new URL(`./${script}.ts`, import.meta.url).href);
