import { readTls, type TlsFiles } from '../certificate.ts';
import { readSecret, type SecretSource } from '../secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Host {
  readonly host: string;
  readonly port: number;
}

interface Account {
  readonly user?: string;
  readonly password?: SecretSource;
}

/** How Redis is reached: a server by itself, the primary that Sentinels name, or a Cluster. */
export interface RedisSettings extends Account {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the Cluster. */
  readonly hosts: readonly Host[];
  /** Number of the database; other than 0 for a single server only. */
  readonly database: number;
  /** The name of the primary and the account at the Sentinels. */
  readonly sentinel?: Account & { readonly primary: string };
  /** TLS, to all of them, where this is there. */
  readonly tls?: TlsFiles;
}

/** All variables about Redis, of gateway, node and command line; docs/configuration.md is made from this table. */
export const REDIS_VARIABLES = {
  BEDSIDE_REDIS_URL: {
    description:
      'A Redis server by itself, as a redis: URL, or rediss: for TLS. User, password and number of the database may be in it.',
  },
  BEDSIDE_REDIS_SENTINELS: {
    description:
      'In place of it, Sentinels that name the server: redis: URLs, separated by commas; rediss: for TLS to them and to the servers.',
  },
  BEDSIDE_REDIS_SENTINEL_PRIMARY: {
    description: 'Name by which the Sentinels know the primary; mymaster where it is not set.',
  },
  BEDSIDE_REDIS_CLUSTER: {
    description:
      'In place of it, some nodes of a Redis Cluster: redis: URLs, or rediss: for TLS, separated by commas.',
  },
  BEDSIDE_REDIS_USER: { description: 'User of Redis (ACL). `default` where it is not set.' },
  BEDSIDE_REDIS_PASSWORD: { description: 'Password of that user.' },
  BEDSIDE_REDIS_PASSWORD_FILE: {
    description: 'A file with that password, read again at every connection.',
  },
  BEDSIDE_REDIS_SENTINEL_USER: {
    description: 'User at the Sentinels, where they ask for one.',
  },
  BEDSIDE_REDIS_SENTINEL_PASSWORD: { description: 'Password at the Sentinels.' },
  BEDSIDE_REDIS_SENTINEL_PASSWORD_FILE: {
    description: 'A file with that password, read again at every connection.',
  },
  BEDSIDE_REDIS_TLS_CA: {
    description:
      'File of the authorities (PEM) that Redis’ certificate is checked by. The system’s where it is not set. Read again at every connection, as are the next two.',
  },
  BEDSIDE_REDIS_TLS_CERT: {
    description: 'File of the certificate (PEM) to show to Redis, where it asks for one.',
  },
  BEDSIDE_REDIS_TLS_KEY: {
    description: 'File of the private key (PEM) that belongs to BEDSIDE_REDIS_TLS_CERT.',
  },
} as const;

type Name = keyof typeof REDIS_VARIABLES;

const PLACES = [
  'BEDSIDE_REDIS_URL',
  'BEDSIDE_REDIS_SENTINELS',
  'BEDSIDE_REDIS_CLUSTER',
] as const satisfies readonly Name[];
const SENTINEL_PORT = 26_379;
const REDIS_PORT = 6_379;

/**
 * How Redis is reached, and everything that is wrong with that: one line each, never a value, which may
 * be a secret. No settings where nothing says where Redis is.
 * @param fallback its URL then
 */
export function readRedisSettings(
  env: Environment,
  fallback?: string,
): { settings: RedisSettings | undefined; problems: readonly string[] } {
  const problems: string[] = [];
  const wrong = (name: Name, problem: string): undefined => {
    problems.push(`${name} ${problem}`);
  };
  const text = (name: Name): string | undefined => env[name] || undefined;

  const places = PLACES.filter((name) => text(name) !== undefined);
  const [place = 'BEDSIDE_REDIS_URL', ...others] = places;
  for (const other of others) wrong(other, `can not be set together with ${place}`);
  const where = text(place) ?? fallback;
  if (where === undefined) {
    for (const name of Object.keys(REDIS_VARIABLES) as Name[])
      if (text(name) !== undefined) wrong(name, `is set without ${PLACES.join(' or ')}`);
    return { settings: undefined, problems };
  }

  const account = (user: Name, password: Name, file: Name, url?: URL): Account => {
    const inUrl = { user: url?.username, password: url?.password };
    if (inUrl.user && text(user)) wrong(user, `and the user in ${place} are both set`);
    for (const name of [password, file])
      if (inUrl.password && text(name)) wrong(name, `and the password in ${place} are both set`);
    if (text(password) && text(file)) wrong(file, `and ${password} are both set`);
    const name = text(user) || decodeURIComponent(inUrl.user ?? '');
    const source = sourceOf(text(password) || decodeURIComponent(inUrl.password ?? ''), text(file));
    if (name && !source) wrong(user, 'is set without a password');
    if (source && 'file' in source) {
      try {
        readSecret(source);
      } catch {
        wrong(file, 'names a file that can not be read, or is empty');
      }
    }
    return { ...(name ? { user: name } : {}), ...(source ? { password: source } : {}) };
  };

  const urls = where.split(',').map((each) => each.trim());
  const parsed = urls.flatMap((each) => (URL.canParse(each) ? [new URL(each)] : []));
  const isUrl = ({ protocol, hostname, search, hash }: URL) =>
    ['redis:', 'rediss:'].includes(protocol) && hostname !== '' && search === '' && hash === '';
  const first = parsed[0];
  if (!first || parsed.length !== urls.length || !parsed.every(isUrl)) {
    wrong(place, 'has an entry that is no redis: or rediss: URL');
    return { settings: undefined, problems };
  }
  if (place === 'BEDSIDE_REDIS_URL' && parsed.length > 1)
    wrong(place, 'names more than one server');
  if (parsed.some(({ protocol }) => protocol !== first.protocol))
    wrong(place, 'has entries with TLS and without');
  const database = /^\/?(\d{0,4})$/.exec(first.pathname)?.[1];
  if (database === undefined) wrong(place, 'has a path that is no number of a database');
  if (place !== 'BEDSIDE_REDIS_URL') {
    if (parsed.some(({ username, password }) => username || password))
      wrong(place, 'has a user or password in it, which have variables of their own');
    if (parsed.some(({ pathname }) => !['', '/'].includes(pathname)))
      wrong(place, 'has a path in it');
  }

  const isSentinel = place === 'BEDSIDE_REDIS_SENTINELS';
  if (!isSentinel)
    for (const name of Object.keys(REDIS_VARIABLES) as Name[])
      if (name.startsWith('BEDSIDE_REDIS_SENTINEL_') && text(name) !== undefined)
        wrong(name, 'is set without BEDSIDE_REDIS_SENTINELS');

  const own = account(
    'BEDSIDE_REDIS_USER',
    'BEDSIDE_REDIS_PASSWORD',
    'BEDSIDE_REDIS_PASSWORD_FILE',
    place === 'BEDSIDE_REDIS_URL' ? first : undefined,
  );
  const tls = readTlsFiles(env, first.protocol === 'rediss:', place, wrong);
  const settings: RedisSettings = {
    kind: ({ URL: 'single', SENTINELS: 'sentinel', CLUSTER: 'cluster' } as const)[kindOf(place)],
    hosts: parsed.map(({ hostname, port }) => ({
      // As sockets take it: without the brackets of IPv6.
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? (isSentinel ? SENTINEL_PORT : REDIS_PORT) : Number(port),
    })),
    database: Number(database ?? 0),
    ...own,
    ...(isSentinel
      ? {
          sentinel: {
            primary: text('BEDSIDE_REDIS_SENTINEL_PRIMARY') ?? 'mymaster',
            ...account(
              'BEDSIDE_REDIS_SENTINEL_USER',
              'BEDSIDE_REDIS_SENTINEL_PASSWORD',
              'BEDSIDE_REDIS_SENTINEL_PASSWORD_FILE',
            ),
          },
        }
      : {}),
    ...(tls ? { tls } : {}),
  };
  return { settings, problems };
}

const kindOf = (place: (typeof PLACES)[number]) =>
  place.slice('BEDSIDE_REDIS_'.length) as 'URL' | 'SENTINELS' | 'CLUSTER';

function sourceOf(value: string | undefined, file: string | undefined): SecretSource | undefined {
  if (value) return { value };
  return file ? { file } : undefined;
}

function readTlsFiles(
  env: Environment,
  isSecure: boolean,
  place: Name,
  wrong: (name: Name, problem: string) => undefined,
): TlsFiles | undefined {
  const names = {
    caFile: 'BEDSIDE_REDIS_TLS_CA',
    certFile: 'BEDSIDE_REDIS_TLS_CERT',
    keyFile: 'BEDSIDE_REDIS_TLS_KEY',
  } as const;
  const { caFile, certFile, keyFile } = {
    caFile: env[names.caFile] || undefined,
    certFile: env[names.certFile] || undefined,
    keyFile: env[names.keyFile] || undefined,
  };
  if (!isSecure) {
    for (const name of Object.values(names))
      if (env[name]) wrong(name, `is set, but ${place} has no rediss: URL`);
    return undefined;
  }
  if (certFile && !keyFile) wrong(names.keyFile, `is needed with ${names.certFile}`);
  if (keyFile && !certFile) wrong(names.certFile, `is needed with ${names.keyFile}`);
  if (caFile) {
    try {
      readTls({ caFile });
    } catch {
      wrong(names.caFile, 'names no file with certificates');
    }
  }
  if (certFile && keyFile) {
    try {
      readTls({ certFile, keyFile });
    } catch {
      wrong(names.certFile, `and ${names.keyFile} name no certificate with its key`);
    }
  }
  return {
    ...(caFile ? { caFile } : {}),
    ...(certFile && keyFile ? { certFile, keyFile } : {}),
  };
}
