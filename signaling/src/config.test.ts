import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOOPBACK_CONTROL_SECRET, LOOPBACK_GUEST_SECRET } from '@bedside/protocol';
import { readSecret } from '@bedside/service';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  ConfigError,
  type Environment,
  GATEWAY_VARIABLES,
  type GatewayConfig,
  GUEST_KID,
  readConfig,
  unknownVariables,
} from './config.ts';

const SECRET = 'MARKED-secret-of-the-clinic-32-chars-long';
const API_KEY = 'MARKED-api-key-of-the-clinic';
const clinic = { id: 'clinic', secrets: [{ kid: 'k1', secret: SECRET }], apiKeys: [API_KEY] };
const tenants = (...list: object[]) => JSON.stringify(list);
const GOOD = { BEDSIDE_TENANTS: tenants(clinic) };

const folder = mkdtempSync(join(tmpdir(), 'bedside-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fileOf = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

function problemsOf(env: Environment): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('tenants are all that must be set, and the gateway is for one machine then', () => {
  expect(problemsOf({})).toEqual([expect.stringMatching(/^BEDSIDE_TENANTS is needed/)]);
  expect(readConfig(GOOD)).toMatchObject({
    host: '127.0.0.1',
    port: 7000,
    opsPort: 7001,
    redis: { kind: 'single', hosts: [{ host: '127.0.0.1', port: 6379 }] },
    nodes: [],
    control: { secrets: { value: LOOPBACK_CONTROL_SECRET }, tls: {} },
    guestSecret: LOOPBACK_GUEST_SECRET,
    allowedOrigins: [],
    tls: undefined,
    turn: undefined,
    trustedProxies: [],
  });
});

test('each gateway without a name gets one of its own', () => {
  expect(readConfig(GOOD).gatewayId).not.toBe(readConfig(GOOD).gatewayId);
});

test('an empty variable counts as not set', () => {
  const empty = Object.fromEntries(Object.keys(GATEWAY_VARIABLES).map((name) => [name, '']));
  expect(readConfig({ ...empty, ...GOOD })).toMatchObject({ port: 7000, tls: undefined });
});

test('the configuration is frozen to its last part', () => {
  const parts = (value: unknown): unknown[] =>
    typeof value === 'object' && value !== null
      ? [value, ...Object.values(value).flatMap(parts)]
      : [];
  const config = readConfig({
    ...GOOD,
    BEDSIDE_TURN_URLS: 'turn:turn.example.org',
    BEDSIDE_TURN_SECRET: 'turn-secret',
  });
  expect(parts(config).filter((part) => !Object.isFrozen(part))).toEqual([]);
  expect(() => Object.assign(config.limits, { maxSockets: 1 })).toThrow(TypeError);
});

/** For each variable that can be wrong, a value that is. The ones of secrets carry the mark. */
const WRONG = {
  BEDSIDE_GATEWAY_ID: 'white space',
  BEDSIDE_GATEWAY_PORT: '70000',
  BEDSIDE_GATEWAY_OPS_PORT: '-1',
  BEDSIDE_REDIS_URL: 'http://user:MARKED-password@redis.example.org',
  BEDSIDE_NODES: 'ws://127.0.0.1:7100,http://MARKED.example.org',
  BEDSIDE_CONTROL_SECRET: 'MARKED-too-short',
  BEDSIDE_GUEST_SECRET: 'MARKED-too-short',
  BEDSIDE_TENANTS: '[{"id":"clinic","secrets":[{"kid":"k1","secret":"MARKED-too-short"}]}]',
  BEDSIDE_ALLOWED_ORIGINS: 'https://portal.example.org/MARKED-path',
  BEDSIDE_ICE_SERVERS: '[{"urls":"turn:x","credential":["MARKED"]}]',
  BEDSIDE_GRACE_MS: 'soon',
  BEDSIDE_SHUTDOWN_MS: '1.5',
  BEDSIDE_LOG_LEVEL: 'loud',
  BEDSIDE_TRUSTED_PROXIES: '10.0.0.0/33',
  BEDSIDE_MAX_SOCKETS: '0',
  BEDSIDE_MAX_BACKPRESSURE_BYTES: '10',
  BEDSIDE_ADDRESS_CONNECTION_BURST: '0',
  BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND: 'NaN',
  BEDSIDE_TENANT_CONNECTION_BURST: '1e9',
  BEDSIDE_TENANT_CONNECTIONS_PER_SECOND: '-5',
  BEDSIDE_SOCKET_COMMAND_BURST: 'Infinity',
  BEDSIDE_SOCKET_COMMANDS_PER_SECOND: '0.5',
  BEDSIDE_REST_BURST: 'x',
  BEDSIDE_REST_REQUESTS_PER_SECOND: '0',
};

test('every wrong variable is reported, all at once and each once', () => {
  expect(
    problemsOf(WRONG)
      .map((problem) => problem.split(' ')[0])
      .sort(),
  ).toEqual(Object.keys(WRONG).sort());
});

test('any subset of wrong variables is reported, and nothing else', () => {
  const names = Object.keys(WRONG) as (keyof typeof WRONG)[];
  fc.assert(
    fc.property(fc.subarray(names), (subset) => {
      const wrong = Object.fromEntries(subset.map((name) => [name, WRONG[name]]));
      const secret = {
        BEDSIDE_CONTROL_SECRET: 's'.repeat(32),
        BEDSIDE_GUEST_SECRET: 'g'.repeat(32),
      };
      const reported = problemsOf({ ...GOOD, ...secret, ...wrong }).map(
        (problem) => problem.split(' ')[0],
      );
      expect(reported.sort()).toEqual([...subset].sort());
    }),
  );
});

test('what is reported never shows a value', () => {
  const all = Object.fromEntries(Object.keys(GATEWAY_VARIABLES).map((name) => [name, 'MARKED']));
  expect(problemsOf(all).length).toBeGreaterThan(20);
  for (const env of [all, WRONG]) expect(problemsOf(env).join('\n')).not.toContain('MARKED');
  const twins = tenants(clinic, { ...clinic, id: 'hospital' });
  expect(problemsOf({ BEDSIDE_TENANTS: twins }).join('\n')).not.toContain('MARKED');
  expect(problemsOf({ BEDSIDE_TENANTS: `{"MARKED` }).join('\n')).not.toContain('MARKED');
});

const SECRETS = [
  {
    name: 'BEDSIDE_CONTROL_SECRET',
    of: ({ control }: GatewayConfig) => readSecret(control.secrets),
    builtIn: LOOPBACK_CONTROL_SECRET,
    other: { BEDSIDE_GUEST_SECRET: 'g'.repeat(32) },
  },
  {
    name: 'BEDSIDE_GUEST_SECRET',
    of: ({ guestSecret }: GatewayConfig) => guestSecret,
    builtIn: LOOPBACK_GUEST_SECRET,
    other: { BEDSIDE_CONTROL_SECRET: 's'.repeat(32) },
  },
] as const;

describe.each(SECRETS)('$name', ({ name, of, builtIn, other }) => {
  const good = { ...GOOD, ...other };
  const elsewhere: [string, Environment][] = [
    ['a gateway on all addresses', { BEDSIDE_GATEWAY_HOST: '0.0.0.0' }],
    ['a gateway on all IPv6 addresses', { BEDSIDE_GATEWAY_HOST: '::' }],
    ['a gateway by name', { BEDSIDE_GATEWAY_HOST: 'gateway.example.org' }],
    ['a node elsewhere', { BEDSIDE_NODES: 'ws://10.0.0.4:7100' }],
    ['one of two nodes elsewhere', { BEDSIDE_NODES: 'ws://127.0.0.1:7100,wss://node.example.org' }],
    ['a node whose name starts like loopback', { BEDSIDE_NODES: 'ws://127.0.0.1.example.org' }],
  ];

  test.each(elsewhere)('must be set for %s', (_name, env) => {
    expect(problemsOf({ ...good, ...env })).toEqual([
      expect.stringMatching(new RegExp(`^${name} is needed`)),
    ]);
  });

  test.each(elsewhere)('may not be the built-in one for %s', (_name, env) => {
    expect(problemsOf({ ...good, ...env, [name]: builtIn })).toEqual([
      expect.stringMatching(new RegExp(`^${name} is the built-in one`)),
    ]);
  });

  test.each(['localhost', '127.0.0.1', '127.8.8.8', '::1'])('is built in on %s', (host) => {
    const env = { BEDSIDE_GATEWAY_HOST: host, BEDSIDE_NODES: 'ws://[::1]:7100' };
    expect(of(readConfig({ ...good, ...env }))).toBe(builtIn);
  });
});

describe('the guest secret', () => {
  const elsewhere = {
    ...GOOD,
    BEDSIDE_GATEWAY_HOST: '0.0.0.0',
    BEDSIDE_CONTROL_SECRET: 's'.repeat(32),
  };

  test('comes from a file as well', () => {
    const BEDSIDE_GUEST_SECRET_FILE = fileOf('guest-secret', `${'g'.repeat(32)}\n`);
    expect(readConfig({ ...elsewhere, BEDSIDE_GUEST_SECRET_FILE }).guestSecret).toBe(
      'g'.repeat(32),
    );
  });

  test('from a file that is not there, or from two places, is reported once', () => {
    const there = fileOf('guest-secret', 'g'.repeat(32));
    expect(problemsOf({ ...elsewhere, BEDSIDE_GUEST_SECRET_FILE: '/nowhere' })).toEqual([
      'BEDSIDE_GUEST_SECRET_FILE names a file that can not be read',
    ]);
    const both = { BEDSIDE_GUEST_SECRET: 'g'.repeat(32), BEDSIDE_GUEST_SECRET_FILE: there };
    expect(problemsOf({ ...elsewhere, ...both })).toEqual([
      'BEDSIDE_GUEST_SECRET_FILE and BEDSIDE_GUEST_SECRET are both set',
    ]);
  });

  test('and its kid are no tenant’s', () => {
    const secret = 'g'.repeat(32);
    const same = tenants({ id: 'clinic', secrets: [{ kid: 'k1', secret }] });
    expect(
      problemsOf({ ...elsewhere, BEDSIDE_GUEST_SECRET: secret, BEDSIDE_TENANTS: same }),
    ).toEqual(['BEDSIDE_TENANTS gives a tenant the secret of the gateways']);
    const kid = tenants({ id: 'clinic', secrets: [{ kid: GUEST_KID, secret: SECRET }] });
    expect(problemsOf({ ...GOOD, BEDSIDE_TENANTS: kid })).toEqual([
      'BEDSIDE_TENANTS gives tenant clinic the kid of the gateways',
    ]);
  });
});

describe('tenants', () => {
  const jwk = () => generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const withJwks = (jwks: unknown) => tenants({ id: 'clinic', jwks });

  test('come from a file as well', () => {
    const BEDSIDE_TENANTS_FILE = fileOf('tenants.json', tenants(clinic));
    expect(readConfig({ BEDSIDE_TENANTS_FILE }).tenants[0]).toMatchObject({ id: 'clinic' });
  });

  test.each<[string, string]>([
    ['no list', '{}'],
    ['an empty list', '[]'],
    ['no JSON', '['],
    ['a property that does not exist', tenants({ ...clinic, secret: SECRET })],
    ['the same id twice', tenants(clinic, { id: 'clinic', jwks: 'https://example.org/jwks' })],
    [
      'one kid twice',
      tenants({ id: 'clinic', secrets: [clinic.secrets[0], { kid: 'k1', secret: `${SECRET}2` }] }),
    ],
    ['no key', tenants({ id: 'clinic' })],
    ['no key of its algorithms', tenants({ ...clinic, algorithms: ['RS256'] })],
    ['no algorithm', tenants({ ...clinic, algorithms: [] })],
    ['an algorithm that is not offered', tenants({ ...clinic, algorithms: ['none'] })],
    [
      'the secret of another',
      tenants(clinic, { id: 'hospital', secrets: [{ kid: 'h1', secret: SECRET }] }),
    ],
    [
      'the API key of another',
      tenants(clinic, {
        id: 'hospital',
        secrets: [{ kid: 'h1', secret: `${SECRET}2` }],
        apiKeys: [API_KEY],
      }),
    ],
    ['public keys from an address without TLS', withJwks('http://portal.example.org/jwks')],
    ['public keys from a file', withJwks('file:///etc/jwks')],
    [
      'a private key',
      withJwks({
        keys: [generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })],
      }),
    ],
    ['a secret as public key', withJwks({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })],
    [
      'an origin with a path',
      tenants({ ...clinic, allowedOrigins: ['https://portal.example.org/'] }),
    ],
  ])('with %s are wrong', (_name, value) => {
    expect(problemsOf({ BEDSIDE_TENANTS: value })).toEqual([
      expect.stringMatching(/^BEDSIDE_TENANTS /),
    ]);
  });

  test('are told by which rules they are wrong, all of them at once and without a value', () => {
    const wrong = {
      id: 'clinic',
      secrets: [{ kid: 'k1', secret: 'MARKED' }],
      apiKeys: ['MARKED'],
      algorithms: ['MARKED'],
      allowedOrigins: ['MARKED'],
      jwks: 'MARKED',
      origins: [],
      MARKED0: 1,
    };
    const [problem = ''] = problemsOf({ BEDSIDE_TENANTS: tenants(wrong) });
    for (const rule of [
      '0.secrets.0.secret must have at least 32 characters',
      '0.apiKeys.0 must have at least 24 characters',
      '0.algorithms.0 must be one of HS256, EdDSA, ES256, RS256',
      '0.allowedOrigins.0 must be an origin',
      '0.jwks must be an https address',
      '0 has fields that do not exist: origins, (not a name)',
    ])
      expect(problem).toContain(rule);
    expect(problem).not.toContain('MARKED');
    expect(problemsOf({ BEDSIDE_TENANTS: tenants({ id: 'clinic', apiKeys: 1 }) })).toEqual([
      'BEDSIDE_TENANTS is wrong: 0.apiKeys must be array',
    ]);
  });

  test.each([
    ['https', 'https://portal.example.org/jwks'],
    ['http on this machine', 'http://127.0.0.1:8080/jwks'],
  ])('may have their public keys at an address: %s', (_name, jwks) => {
    expect(readConfig({ BEDSIDE_TENANTS: withJwks(jwks) }).tenants[0]?.jwks).toBe(jwks);
  });

  test('may have their public keys in place', () => {
    expect(problemsOf({ BEDSIDE_TENANTS: withJwks({ keys: [jwk()] }) })).toEqual([]);
  });

  test('are wrong in a file that is not there, and where both are set', () => {
    const missing = { BEDSIDE_TENANTS_FILE: join(folder, 'nothing') };
    for (const env of [missing, { ...GOOD, ...missing }]) {
      expect(problemsOf(env)).toEqual([expect.stringMatching(/^BEDSIDE_TENANTS_FILE /)]);
    }
  });
});

describe('what belongs together', () => {
  test.each([
    ['BEDSIDE_TLS_CERT', 'BEDSIDE_TLS_KEY'],
    ['BEDSIDE_TLS_KEY', 'BEDSIDE_TLS_CERT'],
    ['BEDSIDE_TURN_URLS', 'BEDSIDE_TURN_SECRET'],
    ['BEDSIDE_TURN_SECRET', 'BEDSIDE_TURN_URLS'],
  ])('%s needs %s', (one, other) => {
    expect(problemsOf({ ...GOOD, [one]: 'turn:x' })).toEqual([`${other} is needed with ${one}`]);
  });

  test('certificate files that can not be used are wrong at once, not at the first client', () => {
    const pem = fileOf('cert.pem', 'no certificate');
    expect(problemsOf({ ...GOOD, BEDSIDE_TLS_CERT: pem, BEDSIDE_TLS_KEY: pem })).toEqual([
      'BEDSIDE_TLS_CERT and BEDSIDE_TLS_KEY name no certificate with its key',
    ]);
  });

  test('clients and operators need ports of their own', () => {
    const ports = { BEDSIDE_GATEWAY_PORT: '7000', BEDSIDE_GATEWAY_OPS_PORT: '7000' };
    expect(problemsOf({ ...GOOD, ...ports })).toEqual([
      expect.stringMatching(/^BEDSIDE_GATEWAY_OPS_PORT /),
    ]);
  });
});

test('proxies are addresses and networks of both families', () => {
  const BEDSIDE_TRUSTED_PROXIES = '10.0.0.0/8, 192.0.2.1,2001:db8::/32,::1';
  expect(readConfig({ ...GOOD, BEDSIDE_TRUSTED_PROXIES }).trustedProxies).toHaveLength(4);
  for (const wrong of ['localhost', '10.0.0.0/x', '10.0.0.0/8/8', '::1/129', '/8']) {
    expect(problemsOf({ ...GOOD, BEDSIDE_TRUSTED_PROXIES: wrong })).toHaveLength(1);
  }
});

test('variables that nobody reads are found by name; those of others are left alone', () => {
  const env = { BEDSIDE_TENANT_FILE: '1', BEDSIDE_NODE: '1', BEDSIDE_GATEWAY_ID: '1' };
  expect(unknownVariables({ ...env, BEDSIDE_WORKERS: '1', PATH: '1' })).toEqual([
    'BEDSIDE_TENANT_FILE',
    'BEDSIDE_NODE',
  ]);
});
