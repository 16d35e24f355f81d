import { LOOPBACK_CONTROL_SECRET } from '@bedside/protocol';
import { afterAll, expect, test } from 'vitest';
import { Authority } from '../../load-tests/lib/authority.ts';
import { controlSecrets, readControlSettings } from './control.ts';

const files = new Authority();
afterAll(() => files.remove());
const { certFile, keyFile } = files.issue('end');
const [a, b] = ['a'.repeat(32), 'b'.repeat(32)];

const read = (env: Record<string, string>, onOneMachine = false) =>
  readControlSettings(env, onOneMachine, 'it is not here');
const secretsOf = (env: Record<string, string>, onOneMachine = false) => {
  const { settings, problems } = read(env, onOneMachine);
  expect(problems).toEqual([]);
  return controlSecrets(settings.secrets);
};

test('secrets are one or several, from the environment or a file', () => {
  expect(secretsOf({}, true)).toEqual([LOOPBACK_CONTROL_SECRET]);
  expect(secretsOf({ BEDSIDE_CONTROL_SECRET: a })).toEqual([a]);
  expect(secretsOf({ BEDSIDE_CONTROL_SECRET: `${a}, ${b}` })).toEqual([a, b]);
  const BEDSIDE_CONTROL_SECRET_FILE = files.file('secrets', `${b}\n${a}\n`);
  expect(secretsOf({ BEDSIDE_CONTROL_SECRET_FILE })).toEqual([b, a]);
});

test('certificates are this end’s, the authorities of the other end’s, both or none', () => {
  const own = { BEDSIDE_CONTROL_TLS_CERT: certFile, BEDSIDE_CONTROL_TLS_KEY: keyFile };
  const authorities = { BEDSIDE_CONTROL_TLS_CA: files.caFile };
  expect(read({}, true).settings.tls).toEqual({});
  expect(read(own, true).settings.tls).toEqual({ certFile, keyFile });
  expect(read(authorities, true).settings.tls).toEqual({ caFile: files.caFile });
  expect(read({ ...own, ...authorities }, true)).toMatchObject({
    settings: { tls: { certFile, keyFile, caFile: files.caFile } },
    problems: [],
  });
});

const WRONG: [Record<string, string>, string][] = [
  [{}, 'BEDSIDE_CONTROL_SECRET is needed where it is not here'],
  [
    { BEDSIDE_CONTROL_SECRET: `${a},${LOOPBACK_CONTROL_SECRET}` },
    'BEDSIDE_CONTROL_SECRET is the built-in one, which is for one machine only',
  ],
  [
    { BEDSIDE_CONTROL_SECRET: `${a},short` },
    'BEDSIDE_CONTROL_SECRET is shorter than 32 characters',
  ],
  [{ BEDSIDE_CONTROL_SECRET: ',' }, 'BEDSIDE_CONTROL_SECRET is shorter than 32 characters'],
  [
    { BEDSIDE_CONTROL_SECRET: a, BEDSIDE_CONTROL_SECRET_FILE: files.file('same', a) },
    'BEDSIDE_CONTROL_SECRET_FILE and BEDSIDE_CONTROL_SECRET are both set',
  ],
  ...['/nowhere', files.file('short', 'short')].map((file): [Record<string, string>, string] => [
    { BEDSIDE_CONTROL_SECRET_FILE: file },
    'BEDSIDE_CONTROL_SECRET_FILE names no file with secrets of 32 characters or more',
  ]),
  [
    { BEDSIDE_CONTROL_SECRET: a, BEDSIDE_CONTROL_TLS_CERT: certFile },
    'BEDSIDE_CONTROL_TLS_CERT needs BEDSIDE_CONTROL_TLS_KEY',
  ],
  [
    { BEDSIDE_CONTROL_SECRET: a, BEDSIDE_CONTROL_TLS_KEY: keyFile },
    'BEDSIDE_CONTROL_TLS_KEY needs BEDSIDE_CONTROL_TLS_CERT',
  ],
  [
    {
      BEDSIDE_CONTROL_SECRET: a,
      BEDSIDE_CONTROL_TLS_CERT: certFile,
      BEDSIDE_CONTROL_TLS_KEY: files.issue('other').keyFile,
    },
    'BEDSIDE_CONTROL_TLS_CERT and BEDSIDE_CONTROL_TLS_KEY name no certificate with its key',
  ],
  [
    { BEDSIDE_CONTROL_SECRET: a, BEDSIDE_CONTROL_TLS_CA: files.file('no.pem', 'nothing') },
    'BEDSIDE_CONTROL_TLS_CA names no file with certificates',
  ],
];

test.each(WRONG.map((each) => [each[1], ...each] as const))('%s', (_name, env, line) => {
  expect(read(env).problems).toEqual([line]);
});
