import { afterAll, describe, expect, test } from 'vitest';
import { Authority } from '../../../load-tests/lib/authority.ts';
import { REDIS_VARIABLES, readRedisSettings } from './settings.ts';

type Environment = Record<string, string>;

const files = new Authority();
afterAll(() => files.remove());
const { certFile, keyFile } = files.issue('client');
const passwordFile = files.file('password', 'from-a-file\n');
const empty = files.file('empty', '\n');
const notPem = files.file('not.pem', 'MARKED');

const settingsOf = (env: Environment) => {
  const { settings, problems } = readRedisSettings(env);
  expect(problems).toEqual([]);
  return settings;
};

describe('Redis is', () => {
  test('nowhere, unless something says where', () => {
    expect(settingsOf({ BEDSIDE_REDIS_URL: '' })).toBeUndefined();
    const fallback = readRedisSettings({}, 'redis://127.0.0.1:6379');
    expect(fallback).toEqual({
      settings: { kind: 'single', hosts: [{ host: '127.0.0.1', port: 6379 }], database: 0 },
      problems: [],
    });
  });

  test('a server by itself, with all that may be in its URL', () => {
    expect(settingsOf({ BEDSIDE_REDIS_URL: 'rediss://us%40er:p%2Fw@[::1]:7000/3' })).toEqual({
      kind: 'single',
      hosts: [{ host: '::1', port: 7000 }],
      database: 3,
      user: 'us@er',
      password: { value: 'p/w' },
      tls: {},
    });
  });

  test('the primary that Sentinels name', () => {
    const env = {
      BEDSIDE_REDIS_SENTINELS: 'rediss://one, rediss://two:5000',
      BEDSIDE_REDIS_USER: 'gateway',
      BEDSIDE_REDIS_PASSWORD_FILE: passwordFile,
      BEDSIDE_REDIS_SENTINEL_PASSWORD: 'of-the-sentinels',
      BEDSIDE_REDIS_TLS_CA: files.caFile,
      BEDSIDE_REDIS_TLS_CERT: certFile,
      BEDSIDE_REDIS_TLS_KEY: keyFile,
    };
    expect(settingsOf(env)).toEqual({
      kind: 'sentinel',
      hosts: [
        { host: 'one', port: 26_379 },
        { host: 'two', port: 5_000 },
      ],
      database: 0,
      user: 'gateway',
      password: { file: passwordFile },
      sentinel: { primary: 'mymaster', password: { value: 'of-the-sentinels' } },
      tls: { caFile: files.caFile, certFile, keyFile },
    });
    expect(
      settingsOf({ ...env, BEDSIDE_REDIS_SENTINEL_PRIMARY: 'clinic' })?.sentinel?.primary,
    ).toBe('clinic');
  });

  test('a Cluster, of which some nodes are named', () => {
    expect(settingsOf({ BEDSIDE_REDIS_CLUSTER: 'redis://one,redis://two:7001' })).toMatchObject({
      kind: 'cluster',
      hosts: [
        { host: 'one', port: 6_379 },
        { host: 'two', port: 7_001 },
      ],
    });
  });
});

const single = { BEDSIDE_REDIS_URL: 'redis://redis' };
const secure = { BEDSIDE_REDIS_URL: 'rediss://redis' };
const sentinels = { BEDSIDE_REDIS_SENTINELS: 'redis://one' };
const URL_RULE = 'has an entry that is no redis: or rediss: URL';

/** What does not go together, and the one line that says so. */
const WRONG: [Environment, string][] = [
  [{ BEDSIDE_REDIS_URL: 'http://MARKED' }, `BEDSIDE_REDIS_URL ${URL_RULE}`],
  [{ BEDSIDE_REDIS_URL: 'redis:' }, `BEDSIDE_REDIS_URL ${URL_RULE}`],
  [{ BEDSIDE_REDIS_URL: 'redis://MARKED?family=6' }, `BEDSIDE_REDIS_URL ${URL_RULE}`],
  [{ BEDSIDE_REDIS_SENTINELS: 'redis://one,MARKED' }, `BEDSIDE_REDIS_SENTINELS ${URL_RULE}`],
  [
    { BEDSIDE_REDIS_URL: 'redis://a,redis://MARKED' },
    'BEDSIDE_REDIS_URL names more than one server',
  ],
  [
    { BEDSIDE_REDIS_URL: 'redis://a/MARKED' },
    'BEDSIDE_REDIS_URL has a path that is no number of a database',
  ],
  [{ BEDSIDE_REDIS_CLUSTER: 'redis://a/1' }, 'BEDSIDE_REDIS_CLUSTER has a path in it'],
  [
    { BEDSIDE_REDIS_CLUSTER: 'redis://a,redis://:MARKED@b' },
    'BEDSIDE_REDIS_CLUSTER has a user or password in it, which have variables of their own',
  ],
  [
    { BEDSIDE_REDIS_CLUSTER: 'redis://a,rediss://b' },
    'BEDSIDE_REDIS_CLUSTER has entries with TLS and without',
  ],
  [
    { ...single, BEDSIDE_REDIS_CLUSTER: 'redis://a' },
    'BEDSIDE_REDIS_CLUSTER can not be set together with BEDSIDE_REDIS_URL',
  ],
  [
    { ...sentinels, BEDSIDE_REDIS_CLUSTER: 'redis://a' },
    'BEDSIDE_REDIS_CLUSTER can not be set together with BEDSIDE_REDIS_SENTINELS',
  ],
  [
    { ...single, BEDSIDE_REDIS_SENTINEL_PRIMARY: 'MARKED' },
    'BEDSIDE_REDIS_SENTINEL_PRIMARY is set without BEDSIDE_REDIS_SENTINELS',
  ],
  [{ ...single, BEDSIDE_REDIS_USER: 'MARKED' }, 'BEDSIDE_REDIS_USER is set without a password'],
  [
    { BEDSIDE_REDIS_URL: 'redis://u:p@r', BEDSIDE_REDIS_USER: 'MARKED' },
    'BEDSIDE_REDIS_USER and the user in BEDSIDE_REDIS_URL are both set',
  ],
  [
    { BEDSIDE_REDIS_URL: 'redis://:p@r', BEDSIDE_REDIS_PASSWORD: 'MARKED' },
    'BEDSIDE_REDIS_PASSWORD and the password in BEDSIDE_REDIS_URL are both set',
  ],
  [
    { ...single, BEDSIDE_REDIS_PASSWORD: 'MARKED', BEDSIDE_REDIS_PASSWORD_FILE: passwordFile },
    'BEDSIDE_REDIS_PASSWORD_FILE and BEDSIDE_REDIS_PASSWORD are both set',
  ],
  ...['/MARKED', empty].map((file): [Environment, string] => [
    { ...single, BEDSIDE_REDIS_PASSWORD_FILE: file },
    'BEDSIDE_REDIS_PASSWORD_FILE names a file that can not be read, or is empty',
  ]),
  [
    { ...single, BEDSIDE_REDIS_TLS_CA: files.caFile },
    'BEDSIDE_REDIS_TLS_CA is set, but BEDSIDE_REDIS_URL has no rediss: URL',
  ],
  [
    { ...secure, BEDSIDE_REDIS_TLS_CERT: certFile },
    'BEDSIDE_REDIS_TLS_KEY is needed with BEDSIDE_REDIS_TLS_CERT',
  ],
  [
    { ...secure, BEDSIDE_REDIS_TLS_KEY: keyFile },
    'BEDSIDE_REDIS_TLS_CERT is needed with BEDSIDE_REDIS_TLS_KEY',
  ],
  [
    {
      ...secure,
      BEDSIDE_REDIS_TLS_CERT: certFile,
      BEDSIDE_REDIS_TLS_KEY: files.issue('x').keyFile,
    },
    'BEDSIDE_REDIS_TLS_CERT and BEDSIDE_REDIS_TLS_KEY name no certificate with its key',
  ],
  [
    { ...secure, BEDSIDE_REDIS_TLS_CA: notPem },
    'BEDSIDE_REDIS_TLS_CA names no file with certificates',
  ],
  [
    { BEDSIDE_REDIS_PASSWORD: 'MARKED' },
    'BEDSIDE_REDIS_PASSWORD is set without BEDSIDE_REDIS_URL or BEDSIDE_REDIS_SENTINELS or BEDSIDE_REDIS_CLUSTER',
  ],
];

test.each(WRONG.map((each) => [each[1], ...each] as const))('%s', (_name, env, line) => {
  expect(readRedisSettings(env).problems).toEqual([line]);
});

test('no line shows a value', () => {
  const all = Object.fromEntries(Object.keys(REDIS_VARIABLES).map((name) => [name, 'MARKED']));
  for (const env of [all, ...WRONG.map(([each]) => each)])
    expect(readRedisSettings(env).problems.join()).not.toContain('MARKED');
});
