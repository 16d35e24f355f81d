import { rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Beside the logs of those processes: .bedside/keys.env of .bedside/logs. */
export const keysFile = (logDir) =>
  join(dirname(logDir), `${basename(logDir).replace(/^logs/, 'keys')}.env`);

/**
 * Writes what a page, a portal or a command line of one's own needs to use what runs here, for
 * `set -a; . FILE` or `node --env-file`. Only its owner can read it.
 *
 * @param {string} file
 * @param {{ urls: { gateway: string, redis: string }, secrets: import('./stack.mjs').Secrets }} running
 * @returns {() => void} takes it away
 */
export function writeKeys(file, { urls, secrets: { control, apiKey, tenant } }) {
  const values = {
    GATEWAY_URL: urls.gateway,
    API_KEY: apiKey,
    TENANT: tenant.id,
    TENANT_KID: tenant.kid,
    TENANT_SECRET: tenant.secret,
    BEDSIDE_REDIS_URL: urls.redis,
    BEDSIDE_CONTROL_SECRET: control,
  };
  const remove = () => rmSync(file, { force: true });
  // One that is there would keep its own mode.
  remove();
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, lines.join(''), { mode: 0o600 });
  return remove;
}
