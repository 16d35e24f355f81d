import { LOOPBACK_CONTROL_SECRET } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig, unknownVariables } from './config.ts';

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('readConfig', () => {
  test('an empty environment gives a node for one machine', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 7100,
      opsPort: 7101,
      mediaPort: 7200,
      region: 'local',
      control: { secrets: { value: LOOPBACK_CONTROL_SECRET }, tls: {} },
      redis: undefined,
      controlTls: undefined,
      mediaAddresses: [{ ip: '127.0.0.1', announced: undefined }],
    });
    expect(config.workers).toBeGreaterThan(0);
  });

  test('the configuration can not be changed', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });

  test('pipes to other nodes: free ports of loopback, and no other machine, unless it is told', () => {
    const { pipes } = readConfig({});
    expect(pipes).toMatchObject({ ip: '127.0.0.1', announced: undefined, ports: undefined });
    expect(pipes.peers.has('127.0.0.1')).toBe(true);
    expect(pipes.peers.has('10.0.0.1')).toBe(false);
    const told = readConfig({
      BEDSIDE_PIPE_LISTEN_IP: '0.0.0.0',
      BEDSIDE_PIPE_ANNOUNCED_ADDRESS: '10.0.0.1',
      BEDSIDE_PIPE_PORTS: '7300-7399',
      BEDSIDE_PIPE_PEERS: '10.0.0.0/24',
    }).pipes;
    expect(told).toMatchObject({
      ip: '0.0.0.0',
      announced: '10.0.0.1',
      ports: { min: 7300, max: 7399 },
    });
    expect(told.peers.has('10.0.0.2')).toBe(true);
    expect(told.peers.has('127.0.0.1')).toBe(false);
  });

  test.each([
    ['BEDSIDE_PIPE_LISTEN_IP', 'node.internal'],
    ['BEDSIDE_PIPE_ANNOUNCED_ADDRESS', 'node.internal'],
    ['BEDSIDE_PIPE_PORTS', '7300'],
    ['BEDSIDE_PIPE_PORTS', '7399-7300'],
    ['BEDSIDE_PIPE_PORTS', '0-10'],
    ['BEDSIDE_PIPE_PORTS', '65000-70000'],
    ['BEDSIDE_PIPE_PEERS', '10.0.0.0/40'],
  ])('%s can not be %s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^${name} `)]);
  });

  test('pipes on every interface need an address that other nodes are told', () => {
    expect(problemsOf({ BEDSIDE_PIPE_LISTEN_IP: '::' })).toEqual([
      expect.stringMatching('^BEDSIDE_PIPE_ANNOUNCED_ADDRESS '),
    ]);
  });

  test('an empty variable counts as not set', () => {
    expect(readConfig({ BEDSIDE_NODE_PORT: '' }).port).toBe(7100);
  });

  test('every wrong variable is reported at once, and no value with it', () => {
    const problems = problemsOf({
      BEDSIDE_NODE_ID: 'white space',
      BEDSIDE_NODE_PORT: '70000',
      BEDSIDE_MEDIA_PORT: 'a lot',
      BEDSIDE_WORKERS: '1.5',
      BEDSIDE_LOG_LEVEL: 'loud',
      BEDSIDE_CONTROL_SECRET: 'too-short-a-secret',
      BEDSIDE_CONTROL_TLS_CERT: '/some/where.pem',
    });
    for (const name of [
      'BEDSIDE_NODE_ID',
      'BEDSIDE_NODE_PORT',
      'BEDSIDE_MEDIA_PORT',
      'BEDSIDE_WORKERS',
      'BEDSIDE_LOG_LEVEL',
      'BEDSIDE_CONTROL_SECRET',
      'BEDSIDE_CONTROL_TLS_CERT',
    ]) {
      expect(problems.filter((problem) => problem.startsWith(name))).toHaveLength(1);
    }
    expect(problems.join()).not.toContain('too-short-a-secret');
  });

  test.each(['0.0.0.0', '10.0.0.4', 'node.example', '::'])(
    'the built-in secret is refused where others can connect: %s',
    (host) => {
      expect(problemsOf({ BEDSIDE_NODE_HOST: host })).toEqual([
        expect.stringContaining('BEDSIDE_CONTROL_SECRET'),
      ]);
    },
  );

  test('with a secret of its own a node listens anywhere', () => {
    const secret = 's'.repeat(32);
    const config = readConfig({ BEDSIDE_NODE_HOST: '0.0.0.0', BEDSIDE_CONTROL_SECRET: secret });
    expect(config.control.secrets).toEqual({ value: secret });
  });

  test('workers listen on several addresses, each announced as browsers reach it', () => {
    const { mediaAddresses } = readConfig({
      BEDSIDE_MEDIA_LISTEN_IP: '10.0.0.4, fd00::4',
      BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: '192.0.2.10,media.clinic.example',
    });
    expect(mediaAddresses).toEqual([
      { ip: '10.0.0.4', announced: '192.0.2.10' },
      { ip: 'fd00::4', announced: 'media.clinic.example' },
    ]);
  });

  test.each([
    ['a host name', { BEDSIDE_MEDIA_LISTEN_IP: 'localhost' }, 'BEDSIDE_MEDIA_LISTEN_IP'],
    ['a gap in the list', { BEDSIDE_MEDIA_LISTEN_IP: '10.0.0.4,' }, 'BEDSIDE_MEDIA_LISTEN_IP'],
    ['0.0.0.0', { BEDSIDE_MEDIA_LISTEN_IP: '0.0.0.0' }, 'BEDSIDE_MEDIA_ANNOUNCED_ADDRESS'],
    ['::', { BEDSIDE_MEDIA_LISTEN_IP: '::' }, 'BEDSIDE_MEDIA_ANNOUNCED_ADDRESS'],
    [
      'an announced port',
      { BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: '192.0.2.10:7200' },
      'BEDSIDE_MEDIA_ANNOUNCED_ADDRESS',
    ],
    [
      'more announced than listened on',
      { BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: '192.0.2.10,192.0.2.11' },
      'BEDSIDE_MEDIA_ANNOUNCED_ADDRESS',
    ],
  ])('no browser could reach it, so it is refused: %s', (_, env, variable) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(variable)]);
  });

  test('every worker needs a port of its own', () => {
    const env = { BEDSIDE_MEDIA_PORT: '65533' };
    expect(problemsOf({ ...env, BEDSIDE_WORKERS: '3' })).toEqual([]);
    expect(problemsOf({ ...env, BEDSIDE_WORKERS: '4' })).toEqual([
      expect.stringContaining('BEDSIDE_MEDIA_PORT'),
    ]);
  });

  test('certificate files that can not be read are wrong variables, too', () => {
    const problems = problemsOf({
      BEDSIDE_CONTROL_TLS_CERT: '/nonexistent/cert.pem',
      BEDSIDE_CONTROL_TLS_KEY: '/nonexistent/key.pem',
      BEDSIDE_WORKERS: '0',
    });
    expect(problems).toEqual([
      expect.stringContaining('BEDSIDE_WORKERS'),
      expect.stringContaining('BEDSIDE_CONTROL_TLS_CERT'),
    ]);
  });
});

test('variables that nobody reads are found by name; those of others are left alone', () => {
  const env = { BEDSIDE_MEDIA_LISTEN: '1', BEDSIDE_WORKRES: '1', BEDSIDE_NODE_ID: '1' };
  expect(unknownVariables({ ...env, BEDSIDE_TENANTS: '1', PATH: '1' })).toEqual([
    'BEDSIDE_MEDIA_LISTEN',
    'BEDSIDE_WORKRES',
  ]);
});
