import { accessSync, constants, statSync } from 'node:fs';
import { workerBin as defaultWorkerBin } from 'mediasoup';
import { type Config, ConfigError } from '../config.ts';

/**
 * Looks once, before anything starts: mediasoup would say no more than ENOENT, for every worker. Says
 * the path, which is no secret.
 * @throws ConfigError where there is no worker to run
 */
export function requireWorkerBin(config: Pick<Config, 'workerBin'>): void {
  const path = config.workerBin ?? defaultWorkerBin;
  try {
    accessSync(path, constants.X_OK);
    if (statSync(path).isFile()) return;
  } catch {
    // Said below.
  }
  throw new ConfigError([
    `MEDIASOUP_WORKER_BIN: no executable at ${path}; \`npm start\` or \`node scripts/setup.mjs\` builds one and prints its path`,
  ]);
}
