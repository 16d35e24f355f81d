import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { GatewayId, IceServer, LOOPBACK_GUEST_SECRET, TenantId } from '@bedside/protocol';
import {
  CONTROL_VARIABLES,
  type ControlSettings,
  isLoopback,
  type Rate,
  REDIS_VARIABLES,
  type RedisSettings,
  readCertificate,
  readControlSettings,
  readRedisSettings,
} from '@bedside/service';
import type { JWK } from 'jose';
import * as z from 'zod/mini';
import { isNetwork } from './sockets/address.ts';

/** Algorithms by which a tenant may sign tokens. HS256 goes with `secrets`, the others with `jwks`. */
export const ALGORITHMS = ['HS256', 'EdDSA', 'ES256', 'RS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const PublicKey = z.looseObject({ kty: z.enum(['EC', 'OKP', 'RSA']), kid: z.optional(z.string()) });

/** A public key. One with its private part is refused: it does not belong in a gateway's environment. */
const Jwk = z.custom<JWK>(
  (value) => {
    const key = PublicKey.safeParse(value);
    return key.success && !('d' in key.data);
  },
  { error: 'must be a public key of kty EC, OKP or RSA, without its private part' },
);

const ORIGIN_RULE = 'must be an origin, such as https://portal.example.org';
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

const JWKS_RULE =
  'must be an https address, or public keys as { "keys": [] } without private parts';
/** Public keys are fetched over TLS: who could change them on the way could sign tokens. */
const JwksAddress = z
  .string()
  .check(z.refine((text) => URL.canParse(text) && isSecure(new URL(text)), { error: JWKS_RULE }));

const characters = (min: number, max = 4_096) =>
  z
    .string()
    .check(
      z.minLength(min, { error: `must have at least ${min} characters` }),
      z.maxLength(max, { error: `must have at most ${max} characters` }),
    );

/** Key id of the tokens that gateways sign; no tenant may have it. */
export const GUEST_KID = 'bedside-guest';

/** One customer: who signs tokens for its visits, and who may call `/v1` for it. */
export const Tenant = z.strictObject({
  id: TenantId,
  secrets: z._default(
    z.array(
      z.strictObject({
        kid: characters(1, 128),
        secret: characters(32),
      }),
    ),
    [],
  ),
  /** Public keys in place, or the https address that serves them. */
  jwks: z.optional(
    z.union([JwksAddress, z.strictObject({ keys: z.array(Jwk) })], {
      error: JWKS_RULE,
    }),
  ),
  /** Narrows what is accepted; without it, all that the kinds of keys allow. */
  algorithms: z._default(
    z.array(z.enum(ALGORITHMS, { error: `must be one of ${ALGORITHMS.join(', ')}` })),
    [...ALGORITHMS],
  ),
  apiKeys: z._default(z.array(characters(24, 512)), []),
  /** Origins whose pages may show this tenant's visits; without it, those of the gateway. */
  allowedOrigins: z.optional(z.array(z.string().check(z.refine(isOrigin, { error: ORIGIN_RULE })))),
});
export type Tenant = z.infer<typeof Tenant>;

export interface GatewayConfig {
  gatewayId: GatewayId;
  host: string;
  port: number;
  opsPort: number;
  redis: RedisSettings;
  region: string;
  /** Where other gateways reach the ops port, if not at its own address. */
  opsUrl: string | undefined;
  /** Control addresses of the nodes: ws: or wss: URLs. None: those that Redis knows of. */
  nodes: readonly string[];
  control: ControlSettings;
  /** By which the gateways sign tokens for who comes by an invitation or a call. */
  guestSecret: string;
  tenants: readonly Tenant[];
  /** Empty: any origin. The token is the credential, and no cookie is used. */
  allowedOrigins: readonly string[];
  tls: { certFile: string; keyFile: string } | undefined;
  iceServers: readonly IceServer[];
  turn: { urls: readonly string[]; secret: string; ttlSeconds: number } | undefined;
  graceMs: number;
  queueEntryLifeMs: number;
  shutdownMs: number;
  logLevel: (typeof LOG_LEVELS)[number];
  /** Addresses and networks whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
  limits: {
    maxSockets: number;
    maxBackpressureBytes: number;
    addressConnections: Rate;
    tenantConnections: Rate;
    socketCommands: Rate;
    restRequests: Rate;
  };
}

/** Every wrong variable at once. Says what is wrong, never the value: many of them are secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The environment is not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** The exit status for a wrong configuration (EX_CONFIG of sysexits.h): a supervisor should not retry it. */
export const EXIT_CONFIG = 78;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

interface Variable {
  /** As written in the environment; absent where there is none. */
  default?: string;
  description: string;
}

/** All variables of the gateway; docs/configuration.md is made from this table. */
export const GATEWAY_VARIABLES = {
  BEDSIDE_GATEWAY_ID: {
    description:
      'Name of this gateway in leases; unique in the cluster. Random where it is not set.',
  },
  BEDSIDE_GATEWAY_HOST: {
    default: '127.0.0.1',
    description: 'Address that clients, `/v1` and the ops port listen on.',
  },
  BEDSIDE_GATEWAY_PORT: {
    default: '7000',
    description: 'Port of clients and `/v1`; 0 picks a free one.',
  },
  BEDSIDE_GATEWAY_OPS_PORT: {
    default: '7001',
    description: 'Port of `/livez`, `/readyz` and `/metrics`; 0 picks a free one.',
  },
  ...REDIS_VARIABLES,
  BEDSIDE_REDIS_URL: { ...REDIS_VARIABLES.BEDSIDE_REDIS_URL, default: 'redis://127.0.0.1:6379' },
  BEDSIDE_REGION: {
    default: 'local',
    description:
      'Where this gateway is: its visits go to nodes of the same region where there is room.',
  },
  BEDSIDE_GATEWAY_OPS_URL: {
    description:
      'Where other gateways reach the ops port, as an http: URL. Its own address where it is not set, or the first of the machine where that is every interface.',
  },
  BEDSIDE_NODES: {
    description:
      'Control addresses of the nodes: ws: or wss: URLs, separated by commas. Where it is not set, the nodes are those that registered in Redis.',
  },
  ...CONTROL_VARIABLES,
  BEDSIDE_GUEST_SECRET: {
    description:
      'Secret by which the gateways sign tokens for who is invited or called in, and seal what nodes hold while Redis is away, the same for all of them, at least 32 characters. May be left out as BEDSIDE_CONTROL_SECRET may.',
  },
  BEDSIDE_GUEST_SECRET_FILE: {
    description: 'A file with that secret, in place of BEDSIDE_GUEST_SECRET.',
  },
  BEDSIDE_TENANTS: {
    description:
      'The tenants, as JSON: `[{ "id", "secrets": [{ "kid", "secret" }], "jwks": "https://…" or { "keys": [] }, "algorithms", "apiKeys": [], "allowedOrigins": [] }]`. This or BEDSIDE_TENANTS_FILE is needed.',
  },
  BEDSIDE_TENANTS_FILE: { description: 'A file with that JSON, in place of BEDSIDE_TENANTS.' },
  BEDSIDE_ALLOWED_ORIGINS: {
    description:
      'Origins whose pages may connect and call `/v1`, separated by commas. Any where it is not set.',
  },
  BEDSIDE_TLS_CERT: {
    description:
      'File of the certificate chain (PEM), to serve TLS without a balancer. Re-read when it changes.',
  },
  BEDSIDE_TLS_KEY: {
    description: 'File of the private key (PEM) that belongs to BEDSIDE_TLS_CERT.',
  },
  BEDSIDE_ICE_SERVERS: {
    default: '[]',
    description:
      'STUN and TURN servers as JSON: a list of RTCIceServer whose `urls` is a list, too.',
  },
  BEDSIDE_TURN_URLS: {
    description:
      'turn: and turns: URLs, separated by commas, for which credentials are made from BEDSIDE_TURN_SECRET.',
  },
  BEDSIDE_TURN_SECRET: { description: 'The static-auth-secret of coturn.' },
  BEDSIDE_TURN_TTL_SECONDS: {
    default: '3600',
    description: 'Life of a TURN credential, in seconds.',
  },
  BEDSIDE_GRACE_MS: {
    default: '20000',
    description: 'Milliseconds for which a session outlives its socket.',
  },
  BEDSIDE_QUEUE_ENTRY_LIFE_MS: {
    default: '60000',
    description:
      'Milliseconds for which a visit stays in the queue of its clinic after its gateway was killed, unless another takes it up.',
  },
  BEDSIDE_SHUTDOWN_MS: {
    default: '10000',
    description: 'Milliseconds from SIGTERM to the exit, at the most.',
  },
  BEDSIDE_LOG_LEVEL: {
    default: 'info',
    description: 'trace, debug, info, warn, error, fatal or silent.',
  },
  BEDSIDE_TRUSTED_PROXIES: {
    description:
      'Addresses and networks (10.0.0.0/8) of the proxies in front, separated by commas: their X-Forwarded-For is believed. None where it is not set, since a client can write that header.',
  },
  BEDSIDE_MAX_SOCKETS: {
    default: '20000',
    description: 'Sockets of this process; more are refused with 503.',
  },
  BEDSIDE_MAX_BACKPRESSURE_BYTES: {
    default: '1048576',
    description:
      'Bytes that may wait for one slow client; beyond it the socket is closed, and the client resumes.',
  },
  BEDSIDE_ADDRESS_CONNECTION_BURST: {
    default: '60',
    description: 'Connections from one address (IPv6: one /64) at once.',
  },
  BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND: {
    default: '20',
    description: 'Connections a second from one address, lasting.',
  },
  BEDSIDE_TENANT_CONNECTION_BURST: {
    default: '1000',
    description: 'Connections of one tenant at once.',
  },
  BEDSIDE_TENANT_CONNECTIONS_PER_SECOND: {
    default: '200',
    description: 'Connections a second of one tenant, lasting.',
  },
  BEDSIDE_SOCKET_COMMAND_BURST: { default: '60', description: 'Commands of one socket at once.' },
  BEDSIDE_SOCKET_COMMANDS_PER_SECOND: {
    default: '30',
    description: 'Commands a second of one socket, lasting.',
  },
  BEDSIDE_REST_BURST: { default: '200', description: 'REST requests from one address at once.' },
  BEDSIDE_REST_REQUESTS_PER_SECOND: {
    default: '100',
    description: 'REST requests a second from one address, lasting.',
  },
} as const satisfies Record<string, Variable>;

type VariableName = keyof typeof GATEWAY_VARIABLES;
export type Environment = Readonly<Record<string, string | undefined>>;

const isSecure = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

/** Of one JSON value; who mends these sees the rest at the next start. */
const ISSUES_SHOWN = 8;
/** What may be repeated of a field that does not exist: a name, and nothing that could be a secret. */
const FIELD_NAME = /^[A-Za-z][A-Za-z_-]{0,23}$/;

/** Where a JSON value is wrong and by which rule. */
function ruleOf(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join('.') || 'its root';
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => (FIELD_NAME.test(key) ? key : '(not a name)'));
    return `${at} has fields that do not exist: ${names.join(', ')}`;
  }
  if (issue.code === 'invalid_type') return `${at} must be ${issue.expected}`;
  // Zod's own text where the schema has no better one.
  return issue.message === 'Invalid input' ? `${at} is not valid` : `${at} ${issue.message}`;
}

/** Names of other components begin like this: in an environment that several share, they are right. */
const ELSEWHERE =
  /^BEDSIDE_(NODE_|DRAIN_|MEDIA_|PIPE_|WORKERS|MAX_CONSUMERS_|MAX_VISITS_|MAX_PEERS_|COMMAND_|COMMANDS_PER_|WATCHDOG_|ORPHAN_|EMPTY_|LOAD|SAMPLE_|CACHE_|BUILD_|CHROMIUM|K6|PUBLIC_ADDRESS|GATEWAY_URL)/;

/** Variables that look like ours and that nobody reads: misspelt, in all likelihood. */
export const unknownVariables = (env: Environment): string[] =>
  Object.keys(env).filter(
    (name) =>
      name.startsWith('BEDSIDE_') &&
      !Object.hasOwn(GATEWAY_VARIABLES, name) &&
      !ELSEWHERE.test(name),
  );

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
};

/**
 * The environment as a frozen object.
 * @throws ConfigError that lists every wrong variable.
 */
export function readConfig(env: Environment): GatewayConfig {
  const problems: string[] = [];
  const wrong = (name: VariableName, problem: string): undefined => {
    problems.push(`${name} ${problem}`);
    return undefined;
  };
  const text = (name: VariableName): string | undefined => {
    const variable: Variable = GATEWAY_VARIABLES[name];
    const value = env[name];
    return value === undefined || value === '' ? variable.default : value;
  };
  const integer = (name: VariableName, min: number, max: number): number => {
    const value = Number(text(name));
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    wrong(name, `is not a whole number from ${min} to ${max}`);
    return min;
  };
  const rate = (burst: VariableName, perSecond: VariableName): Rate => ({
    burst: integer(burst, 1, 1_000_000),
    perSecond: integer(perSecond, 1, 1_000_000),
  });
  const urls = (name: VariableName, protocols: readonly string[]): string[] => {
    const values = list(text(name) ?? '');
    if (
      !values.every((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol))
    ) {
      wrong(name, `has an entry that is no ${protocols.join(' or ')} URL`);
    }
    return values;
  };
  const json = <Schema extends z.ZodMiniType>(
    name: VariableName,
    source: string,
    schema: Schema,
  ): z.infer<Schema> | undefined => {
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch {
      return wrong(name, 'is not JSON');
    }
    const result = schema.safeParse(value);
    if (result.success) return result.data as z.infer<Schema>;
    return wrong(
      name,
      `is wrong: ${result.error.issues.slice(0, ISSUES_SHOWN).map(ruleOf).join('; ')}`,
    );
  };
  const pair = (first: VariableName, second: VariableName): [string, string] | undefined => {
    const [a, b] = [text(first), text(second)];
    if (a !== undefined && b !== undefined) return [a, b];
    if (a !== undefined) return wrong(second, `is needed with ${first}`);
    if (b !== undefined) return wrong(first, `is needed with ${second}`);
    return undefined;
  };

  /** Null where it is set and can not be had: that is reported then. */
  const textOrFile = (inlineName: VariableName, fileName: VariableName) => {
    const [inline, file] = [text(inlineName), text(fileName)];
    if (file === undefined) return inline;
    if (inline !== undefined) wrong(fileName, `and ${inlineName} are both set`);
    try {
      // Editors end a file with a line break.
      if (inline === undefined) return readFileSync(file, 'utf8').trim();
    } catch {
      wrong(fileName, 'names a file that can not be read');
    }
    return null;
  };

  const readTenants = (): Tenant[] => {
    const source = textOrFile('BEDSIDE_TENANTS', 'BEDSIDE_TENANTS_FILE');
    const name =
      text('BEDSIDE_TENANTS_FILE') === undefined ? 'BEDSIDE_TENANTS' : 'BEDSIDE_TENANTS_FILE';
    if (source === null) return [];
    if (source === undefined) {
      wrong(name, 'is needed: who may sign tokens');
      return [];
    }
    const tenants =
      json(name, source, z.array(Tenant).check(z.minLength(1, { error: 'must name a tenant' }))) ??
      [];
    if (new Set(tenants.map((tenant) => tenant.id)).size !== tenants.length)
      wrong(name, 'names a tenant twice');
    for (const { id, secrets, jwks, algorithms } of tenants) {
      const kids = secrets.map((secret) => secret.kid);
      if (new Set(kids).size !== kids.length) wrong(name, `gives tenant ${id} a kid twice`);
      if (kids.includes(GUEST_KID)) wrong(name, `gives tenant ${id} the kid of the gateways`);
      const usable = algorithms.some((algorithm) =>
        algorithm === 'HS256' ? secrets.length > 0 : jwks !== undefined,
      );
      if (!usable) wrong(name, `gives tenant ${id} no key for any of its algorithms`);
    }
    // Who holds such a one could act for both.
    const credentials = tenants.flatMap(({ secrets, apiKeys }) => [
      ...new Set([...secrets.map(({ secret }) => secret), ...apiKeys]),
    ]);
    if (new Set(credentials).size !== credentials.length)
      wrong(name, 'gives two tenants the same secret or API key');
    if (credentials.includes(guestSecret)) wrong(name, 'gives a tenant the secret of the gateways');
    return tenants;
  };

  const host = text('BEDSIDE_GATEWAY_HOST') as string;
  const nodes = urls('BEDSIDE_NODES', ['ws:', 'wss:']);

  const onOneMachine =
    isLoopback(host) &&
    nodes.every((node) => URL.canParse(node) && isLoopback(new URL(node).hostname));
  const elsewhere = 'gateway or nodes are not on loopback addresses';
  const control = readControlSettings(env, onOneMachine, elsewhere);
  problems.push(...control.problems);
  const readGuestSecret = (): string => {
    const name = 'BEDSIDE_GUEST_SECRET';
    const value = textOrFile(name, 'BEDSIDE_GUEST_SECRET_FILE');
    const chosen = value ?? (onOneMachine ? LOOPBACK_GUEST_SECRET : undefined);
    if (chosen === undefined) {
      // A file that can not be read is reported already.
      if (value === undefined) wrong(name, `is needed where ${elsewhere}`);
    } else if (chosen.length < 32) {
      wrong(name, 'is shorter than 32 characters');
    } else if (chosen === LOOPBACK_GUEST_SECRET && !onOneMachine) {
      wrong(name, 'is the built-in one, which is for one machine only');
    }
    return chosen ?? '';
  };
  const guestSecret = readGuestSecret();

  const redis = readRedisSettings(env, GATEWAY_VARIABLES.BEDSIDE_REDIS_URL.default);
  problems.push(...redis.problems);

  const gatewayId = GatewayId.safeParse(
    text('BEDSIDE_GATEWAY_ID') ?? `gateway-${randomBytes(8).toString('hex')}`,
  );
  if (!gatewayId.success)
    wrong('BEDSIDE_GATEWAY_ID', 'has characters other than A-Z a-z 0-9 . _ ~ : -, or is too long');

  const allowedOrigins = list(text('BEDSIDE_ALLOWED_ORIGINS') ?? '');
  if (!allowedOrigins.every(isOrigin)) {
    wrong(
      'BEDSIDE_ALLOWED_ORIGINS',
      'has an entry that is no origin, such as https://portal.example.org',
    );
  }

  const logLevel = text('BEDSIDE_LOG_LEVEL') as GatewayConfig['logLevel'];
  if (!LOG_LEVELS.includes(logLevel))
    wrong('BEDSIDE_LOG_LEVEL', `is none of ${LOG_LEVELS.join(', ')}`);

  const trustedProxies = list(text('BEDSIDE_TRUSTED_PROXIES') ?? '');
  if (!trustedProxies.every(isNetwork))
    wrong('BEDSIDE_TRUSTED_PROXIES', 'has an entry that is no address or network');

  const readTls = (): GatewayConfig['tls'] => {
    const files = pair('BEDSIDE_TLS_CERT', 'BEDSIDE_TLS_KEY');
    if (files === undefined) return undefined;
    const tls = { certFile: files[0], keyFile: files[1] };
    try {
      readCertificate(tls);
    } catch {
      wrong('BEDSIDE_TLS_CERT', 'and BEDSIDE_TLS_KEY name no certificate with its key');
    }
    return tls;
  };
  const turn = pair('BEDSIDE_TURN_URLS', 'BEDSIDE_TURN_SECRET');

  const config: GatewayConfig = {
    gatewayId: gatewayId.data as GatewayId,
    host,
    port: integer('BEDSIDE_GATEWAY_PORT', 0, 65535),
    opsPort: integer('BEDSIDE_GATEWAY_OPS_PORT', 0, 65535),
    // None where that is a problem.
    redis: redis.settings as RedisSettings,
    region: text('BEDSIDE_REGION') as string,
    opsUrl: urls('BEDSIDE_GATEWAY_OPS_URL', ['http:'])[0],
    nodes,
    control: control.settings,
    guestSecret,
    tenants: readTenants(),
    allowedOrigins,
    tls: readTls(),
    iceServers:
      json(
        'BEDSIDE_ICE_SERVERS',
        text('BEDSIDE_ICE_SERVERS') as string,
        z.array(IceServer).check(z.maxLength(7)),
      ) ?? [],
    turn: turn && {
      urls: urls('BEDSIDE_TURN_URLS', ['turn:', 'turns:']),
      secret: turn[1],
      ttlSeconds: integer('BEDSIDE_TURN_TTL_SECONDS', 60, 86_400),
    },
    graceMs: integer('BEDSIDE_GRACE_MS', 0, 600_000),
    queueEntryLifeMs: integer('BEDSIDE_QUEUE_ENTRY_LIFE_MS', 1_000, 3_600_000),
    shutdownMs: integer('BEDSIDE_SHUTDOWN_MS', 100, 600_000),
    logLevel,
    trustedProxies,
    limits: {
      maxSockets: integer('BEDSIDE_MAX_SOCKETS', 1, 1_000_000),
      maxBackpressureBytes: integer('BEDSIDE_MAX_BACKPRESSURE_BYTES', 65_536, 67_108_864),
      addressConnections: rate(
        'BEDSIDE_ADDRESS_CONNECTION_BURST',
        'BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND',
      ),
      tenantConnections: rate(
        'BEDSIDE_TENANT_CONNECTION_BURST',
        'BEDSIDE_TENANT_CONNECTIONS_PER_SECOND',
      ),
      socketCommands: rate('BEDSIDE_SOCKET_COMMAND_BURST', 'BEDSIDE_SOCKET_COMMANDS_PER_SECOND'),
      restRequests: rate('BEDSIDE_REST_BURST', 'BEDSIDE_REST_REQUESTS_PER_SECOND'),
    },
  };
  if (config.port !== 0 && config.port === config.opsPort)
    wrong('BEDSIDE_GATEWAY_OPS_PORT', 'is the port of the clients');
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(config);
}
