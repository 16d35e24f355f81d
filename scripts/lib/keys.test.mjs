import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { keysFile, writeKeys } from './keys.mjs';
import { randomSecrets } from './processes.mjs';

const dir = mkdtempSync(join(tmpdir(), 'bedside-keys-'));
const file = join(dir, 'keys.env');
const secrets = randomSecrets();
const running = { urls: { gateway: 'http://127.0.0.1:1', redis: 'redis://127.0.0.1:2' }, secrets };

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('writeKeys()', () => {
  it('gives a shell what the product was started with', () => {
    writeKeys(file, running);
    const script = `set -a; . "${file}"; env`;
    const lines = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'GATEWAY_URL=http://127.0.0.1:1',
        'BEDSIDE_REDIS_URL=redis://127.0.0.1:2',
        `BEDSIDE_CONTROL_SECRET=${secrets.control}`,
        `API_KEY=${secrets.apiKey}`,
        `TENANT_SECRET=${secrets.tenant.secret}`,
      ]),
    );
  });

  it('can be read by its owner only, whatever was there before, and can be taken away', () => {
    writeFileSync(file, '', { mode: 0o644 });
    const remove = writeKeys(file, running);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    remove();
    expect(existsSync(file)).toBe(false);
  });
});

it('has a file of its own beside each folder of logs', () => {
  expect(['logs', 'logs-8081', 'logs-cluster'].map((name) => keysFile(join(dir, name)))).toEqual(
    ['keys.env', 'keys-8081.env', 'keys-cluster.env'].map((name) => join(dir, name)),
  );
});
