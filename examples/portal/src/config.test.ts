import { expect, test } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

const PORTAL_TENANT_SECRET = 's'.repeat(32);

test('a secret is enough for one machine', () => {
  expect(readConfig({ PORTAL_TENANT_SECRET })).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    gatewayUrl: new URL('http://127.0.0.1:7000'),
    tenant: 'demo',
    kid: 'demo-1',
    apiKey: undefined,
  });
});

test('an empty variable counts as not set', () => {
  expect(readConfig({ PORTAL_TENANT_SECRET, PORTAL_PORT: '', PORTAL_HOST: '' })).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
  });
});

test('every wrong variable is named at once', () => {
  const read = () =>
    readConfig({
      PORTAL_PORT: '70000',
      PORTAL_GATEWAY_URL: 'ws://gateway',
      PORTAL_TENANT_SECRET: 'too-short',
    });
  expect(read).toThrow(ConfigError);
  for (const name of ['PORTAL_PORT', 'PORTAL_GATEWAY_URL', 'PORTAL_TENANT_SECRET'])
    expect(read).toThrow(name);
  expect(read).not.toThrow('too-short');
});
