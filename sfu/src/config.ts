import { isIP } from 'node:net';
import { availableParallelism, hostname } from 'node:os';
import { NodeId } from '@bedside/protocol';
import {
  type CertificateFiles,
  CONTROL_VARIABLES,
  type ControlSettings,
  isLoopback,
  REDIS_VARIABLES,
  type RedisSettings,
  readControlSettings,
  readRedisSettings,
} from '@bedside/service';
import * as z from 'zod/mini';
import { AddressList } from './media/addresses.ts';

/** Everything a node can be told, from its environment. Times in milliseconds. */
export interface Config {
  readonly nodeId: NodeId;
  readonly region: string;
  /** Where gateways connect. Port 0 picks a free one. */
  readonly host: string;
  readonly port: number;
  readonly opsPort: number;
  /** Where gateways reach the control link, if not at its own address. */
  readonly controlUrl: string | undefined;
  /** Where the node registers, so that gateways find it; undefined where they are told its address. */
  readonly redis: RedisSettings | undefined;
  readonly control: ControlSettings;
  /** The control link is served by TLS with these, to whoever has a certificate of `caFile` where there is one. */
  readonly controlTls: CertificateFiles | undefined;
  /** Worker i listens on `mediaPort + i`, UDP and TCP; 0 lets each pick free ones. */
  readonly mediaPort: number;
  readonly mediaAddresses: readonly MediaAddress[];
  readonly pipes: PipeSettings;
  readonly workers: number;
  readonly workerBin: string | undefined;
  readonly maxConsumersPerWorker: number;
  readonly maxVisitsPerWorker: number;
  /** What one gateway may ask for: visits and peers at a time, and commands a second. */
  readonly perGateway: {
    readonly visits: number;
    readonly peers: number;
    readonly commandsPerSecond: number;
  };
  /** Deadline of one call to a mediasoup worker. */
  readonly mediaDeadlineMs: number;
  /** Deadline of one control command from arrival to answer, waiting included. */
  readonly commandDeadlineMs: number;
  readonly watchdogIntervalMs: number;
  /** A worker that is silent for this long is hung, and killed. */
  readonly watchdogHungMs: number;
  /** A visit whose gateway is gone for this long is closed. */
  readonly orphanMs: number;
  /** A visit without a peer for this long is closed. */
  readonly emptyVisitMs: number;
  readonly loadIntervalMs: number;
  /** Time between two samples of transport statistics. */
  readonly sampleIntervalMs: number;
  /** Time from SIGTERM for visits to go elsewhere. */
  readonly drainMs: number;
  readonly shutdownMs: number;
  readonly logLevel: LogLevel;
}

/** Where workers listen, and at which address browsers reach that, if at another. */
export interface MediaAddress {
  readonly ip: string;
  readonly announced: string | undefined;
}

/** Where this node's ends of pipes to other nodes listen, and where the other ends may be. */
export interface PipeSettings extends MediaAddress {
  /** Whether other nodes reach that: on one machine they do, and elsewhere where it is not loopback. */
  readonly reachable: boolean;
  /** What is sent for this long without an answer goes nowhere. */
  readonly silenceMs: number;
  /** Undefined: any that is free. */
  readonly ports: { readonly min: number; readonly max: number } | undefined;
  readonly peers: AddressList;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every interface is none that a browser could be told. */
const WILDCARDS = ['0.0.0.0', '::'];
const HOSTNAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const MAX_PORT = 65_535;
const LOOPBACK = '127.0.0.0/8,::1';

/** Every wrong variable of an environment, one line each; never a value, which may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`wrong configuration:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const wholeNumber = (min: number, max: number) =>
  z.coerce
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .check(
      z.int({ error: `must be a whole number from ${min} to ${max}` }),
      z.minimum(min, { error: `must be at least ${min}` }),
      z.maximum(max, { error: `must be at most ${max}` }),
    );
const text = z.string().check(z.maxLength(256));
const port = wholeNumber(0, MAX_PORT);
const url = (...protocols: string[]) =>
  z.string().check(
    z.refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
      error: `must be a ${protocols.join(' or ')} URL`,
    }),
  );
const milliseconds = (min: number) => wholeNumber(min, 86_400_000);

/** Descriptions are for docs/configuration.md. */
const withDefault = <Schema extends z.ZodMiniType>(
  description: string,
  schema: Schema,
  fallback: z.output<Schema>,
) => z._default(schema, fallback as never).check(z.describe(description));
const optional = <Schema extends z.ZodMiniType>(description: string, schema: Schema) =>
  z.optional(schema).check(z.describe(description));

const hostName = () =>
  hostname()
    .replace(/[^A-Za-z0-9._~:-]/g, '-')
    .slice(0, 128) || 'node';

/** Of what gateways read, too, by a reader of its own. */
const described = <Name extends string>(
  variables: Readonly<Record<Name, { readonly description: string }>>,
) =>
  Object.fromEntries(
    Object.entries<{ readonly description: string }>(variables).map(([name, { description }]) => [
      name,
      optional(description, z.string()),
    ]),
  ) as Record<Name, z.ZodMiniOptional<z.ZodMiniString>>;

/** All variables of the node; docs/configuration.md is made from this. */
export const NodeEnvironment = z.object({
  BEDSIDE_NODE_ID: optional(
    'Name of this node; unique in the cluster, and the same over restarts. The host name where it is not set.',
    z.string().check(
      z.refine((value) => NodeId.safeParse(value).success, {
        error: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -',
      }),
    ),
  ),
  BEDSIDE_REGION: withDefault('Where the node is, for placement.', text, 'local'),
  BEDSIDE_NODE_HOST: withDefault(
    'Address that the control link and the ops port listen on.',
    text,
    '127.0.0.1',
  ),
  BEDSIDE_NODE_PORT: withDefault('Port of the control link; 0 picks a free one.', port, 7100),
  BEDSIDE_NODE_OPS_PORT: withDefault(
    'Port of `/livez`, `/readyz` and `/metrics`; 0 picks a free one.',
    port,
    7101,
  ),
  // Where nothing says where Redis is, gateways are told the node's address, as BEDSIDE_NODES.
  ...described(REDIS_VARIABLES),
  BEDSIDE_NODE_URL: optional(
    'Where gateways reach the control link, as a ws: or wss: URL. Its own address where it is not set, or the first of the machine where that is every interface.',
    url('ws:', 'wss:'),
  ),
  ...described(CONTROL_VARIABLES),
  BEDSIDE_MEDIA_PORT: withDefault(
    'First media port: each worker has one, UDP and TCP, from here on; 0 lets each pick a free one.',
    port,
    7200,
  ),
  BEDSIDE_MEDIA_LISTEN_IP: withDefault(
    'Addresses that workers listen on for media, separated by commas: one for each network that browsers come from.',
    text,
    '127.0.0.1',
  ),
  BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: optional(
    'Addresses or host names at which browsers reach those, separated by commas and as many. Needed where they are not the same: behind NAT, in a container, with 0.0.0.0.',
    text,
  ),
  BEDSIDE_PIPE_LISTEN_IP: withDefault(
    'Address that pipes to other nodes listen on: a large visit is carried by several nodes. Loopback shares visits on one machine only.',
    text,
    '127.0.0.1',
  ),
  BEDSIDE_PIPE_ANNOUNCED_ADDRESS: optional(
    'IP address at which other nodes reach that. Needed where it is not the same: behind NAT, in a container, with 0.0.0.0.',
    text,
  ),
  BEDSIDE_PIPE_PORTS: optional(
    'UDP ports of pipes, as first-last: two nodes that share a visit take two at each. Any free ones where it is not set.',
    text,
  ),
  // Above twice the 5 seconds in which a receiver reports at the latest.
  BEDSIDE_PIPE_SILENCE_MS: withDefault(
    'Milliseconds in which what is sent through a pipe has to be answered by RTCP; it is replaced then.',
    milliseconds(100),
    12_000,
  ),
  BEDSIDE_PIPE_PEERS: withDefault(
    'Addresses of the other nodes, as IP addresses and CIDR ranges separated by commas: a pipe to any other is `forbidden`.',
    text,
    LOOPBACK,
  ),
  BEDSIDE_WORKERS: optional(
    'mediasoup workers, 1 to 256. One a core where it is not set.',
    wholeNumber(1, 256),
  ),
  BEDSIDE_MAX_CONSUMERS_PER_WORKER: withDefault(
    'Consumers of one worker; more are refused with `capacity`.',
    wholeNumber(1, 100_000),
    2_000,
  ),
  BEDSIDE_MAX_VISITS_PER_WORKER: withDefault(
    'Visits of one worker; more are refused with `capacity`.',
    wholeNumber(1, 100_000),
    1_000,
  ),
  BEDSIDE_MAX_VISITS_PER_GATEWAY: withDefault(
    'Visits of one gateway, those included that were closed in the last minutes; more are refused with `capacity`.',
    wholeNumber(1, 1_000_000),
    20_000,
  ),
  BEDSIDE_MAX_PEERS_PER_GATEWAY: withDefault(
    'Participants in visits of one gateway; more are refused with `capacity`.',
    wholeNumber(1, 1_000_000),
    20_000,
  ),
  BEDSIDE_COMMANDS_PER_GATEWAY: withDefault(
    'Commands of one gateway a second, lasting; four times as many at once. More are refused with `rate-limited`.',
    wholeNumber(1, 1_000_000),
    5_000,
  ),
  // Both below the two seconds for which a gateway waits, so that it hears why.
  BEDSIDE_MEDIA_DEADLINE_MS: withDefault(
    'Milliseconds in which a worker has to answer a call.',
    milliseconds(50),
    1_500,
  ),
  BEDSIDE_COMMAND_DEADLINE_MS: withDefault(
    'Milliseconds from the arrival of a command to its answer, waiting included. Keep it below the 2000 for which a gateway waits.',
    milliseconds(100),
    1_900,
  ),
  BEDSIDE_WATCHDOG_INTERVAL_MS: withDefault(
    'Milliseconds between two looks at each worker.',
    milliseconds(20),
    250,
  ),
  BEDSIDE_WATCHDOG_HUNG_MS: withDefault(
    'Milliseconds of silence after which a worker is killed as hung; a third of it where it has stood still meanwhile, and does not even wait for the CPU.',
    milliseconds(100),
    1_200,
  ),
  BEDSIDE_ORPHAN_MS: withDefault(
    'Milliseconds without its gateway after which a visit is closed.',
    milliseconds(100),
    600_000,
  ),
  BEDSIDE_EMPTY_VISIT_MS: withDefault(
    'Milliseconds without a participant whose media is connected, after which a visit is closed.',
    milliseconds(100),
    300_000,
  ),
  BEDSIDE_LOAD_INTERVAL_MS: withDefault(
    'Milliseconds between two reports of the load to the gateways.',
    milliseconds(50),
    2_000,
  ),
  BEDSIDE_SAMPLE_INTERVAL_MS: withDefault(
    'Milliseconds between two samples of transport statistics for the metrics.',
    milliseconds(50),
    5_000,
  ),
  BEDSIDE_DRAIN_MS: withDefault(
    'Milliseconds after SIGTERM in which visits may go to other nodes, before the node stops. It ends sooner when none is left, or no gateway is linked.',
    milliseconds(0),
    60_000,
  ),
  BEDSIDE_SHUTDOWN_MS: withDefault(
    'Milliseconds from the end of the drain to the exit, at the most.',
    milliseconds(100),
    5_000,
  ),
  BEDSIDE_LOG_LEVEL: withDefault(
    'trace, debug, info, warn, error, fatal or silent.',
    z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }),
    'info',
  ),
  MEDIASOUP_WORKER_BIN: optional(
    'The mediasoup worker to run. mediasoup\u2019s own where it is not set.',
    z.string(),
  ),
});

/**
 * The node's configuration from its environment; an empty variable counts as not set.
 * @throws ConfigError that names every wrong variable at once.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = NodeEnvironment.safeParse(present);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);

  // Rules over two variables look at the raw values, so that they are reported with all the others.
  const host = present.BEDSIDE_NODE_HOST ?? '127.0.0.1';
  const control = readControlSettings(
    present,
    isLoopback(host),
    'BEDSIDE_NODE_HOST is not loopback',
  );
  problems.push(...control.problems);
  const { certFile, keyFile, caFile } = control.settings.tls;
  if (caFile && !certFile) problems.push('BEDSIDE_CONTROL_TLS_CA needs BEDSIDE_CONTROL_TLS_CERT');
  const redis = readRedisSettings(present);
  problems.push(...redis.problems);
  const mediaAddresses = readMediaAddresses(present, problems);
  const pipes = readPipes(present, problems);
  const mediaPort = Number(present.BEDSIDE_MEDIA_PORT ?? 0);
  const workers = Number(present.BEDSIDE_WORKERS ?? availableParallelism());
  if (mediaPort <= MAX_PORT && mediaPort + workers - 1 > MAX_PORT) {
    problems.push('BEDSIDE_MEDIA_PORT must leave a port up to 65535 for each of BEDSIDE_WORKERS');
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const data = parsed.data;
  return Object.freeze({
    nodeId: NodeId.parse(data.BEDSIDE_NODE_ID ?? hostName()),
    region: data.BEDSIDE_REGION,
    host,
    port: data.BEDSIDE_NODE_PORT,
    opsPort: data.BEDSIDE_NODE_OPS_PORT,
    controlUrl: data.BEDSIDE_NODE_URL,
    redis: redis.settings,
    control: control.settings,
    controlTls:
      certFile && keyFile ? { certFile, keyFile, ...(caFile ? { caFile } : {}) } : undefined,
    mediaPort: data.BEDSIDE_MEDIA_PORT,
    mediaAddresses,
    pipes: Object.freeze({ ...pipes, silenceMs: data.BEDSIDE_PIPE_SILENCE_MS }),
    workers: data.BEDSIDE_WORKERS ?? availableParallelism(),
    workerBin: data.MEDIASOUP_WORKER_BIN,
    maxConsumersPerWorker: data.BEDSIDE_MAX_CONSUMERS_PER_WORKER,
    maxVisitsPerWorker: data.BEDSIDE_MAX_VISITS_PER_WORKER,
    perGateway: Object.freeze({
      visits: data.BEDSIDE_MAX_VISITS_PER_GATEWAY,
      peers: data.BEDSIDE_MAX_PEERS_PER_GATEWAY,
      commandsPerSecond: data.BEDSIDE_COMMANDS_PER_GATEWAY,
    }),
    mediaDeadlineMs: data.BEDSIDE_MEDIA_DEADLINE_MS,
    commandDeadlineMs: data.BEDSIDE_COMMAND_DEADLINE_MS,
    watchdogIntervalMs: data.BEDSIDE_WATCHDOG_INTERVAL_MS,
    watchdogHungMs: data.BEDSIDE_WATCHDOG_HUNG_MS,
    orphanMs: data.BEDSIDE_ORPHAN_MS,
    emptyVisitMs: data.BEDSIDE_EMPTY_VISIT_MS,
    loadIntervalMs: data.BEDSIDE_LOAD_INTERVAL_MS,
    sampleIntervalMs: data.BEDSIDE_SAMPLE_INTERVAL_MS,
    drainMs: data.BEDSIDE_DRAIN_MS,
    shutdownMs: data.BEDSIDE_SHUTDOWN_MS,
    logLevel: data.BEDSIDE_LOG_LEVEL,
  });
}

/** Names of other components begin like this: in an environment that several share, they are right. */
const ELSEWHERE =
  /^BEDSIDE_(GATEWAY_|NODES$|TENANT|ALLOWED_|TLS_|ICE_|TURN_|GRACE_|GUEST_|QUEUE_|TRUSTED_|MAX_SOCKETS|MAX_BACKPRESSURE_|ADDRESS_|SOCKET_|REST_|LOAD$|LOAD_(GATEWAY|SUMMARY|TENANT)|CACHE_|BUILD_|CHROMIUM|K6|PUBLIC_ADDRESS)/;

/** Variables that look like ours and that nobody reads: misspelt, in all likelihood. */
export const unknownVariables = (env: Present): string[] =>
  Object.keys(env).filter(
    (name) =>
      name.startsWith('BEDSIDE_') &&
      !Object.hasOwn(NodeEnvironment.shape, name) &&
      !ELSEWHERE.test(name),
  );

type Present = Readonly<Record<string, string | undefined>>;

function readMediaAddresses(env: Present, problems: string[]): readonly MediaAddress[] {
  const items = (value: string) => value.split(',').map((item) => item.trim());
  const ips = items(env.BEDSIDE_MEDIA_LISTEN_IP ?? '127.0.0.1');
  const announced =
    env.BEDSIDE_MEDIA_ANNOUNCED_ADDRESS === undefined
      ? undefined
      : items(env.BEDSIDE_MEDIA_ANNOUNCED_ADDRESS);
  if (!ips.every((ip) => isIP(ip) !== 0)) {
    problems.push('BEDSIDE_MEDIA_LISTEN_IP must be an IP address, or several separated by commas');
  }
  if (announced && !announced.every((one) => isIP(one) !== 0 || HOSTNAME.test(one))) {
    problems.push(
      'BEDSIDE_MEDIA_ANNOUNCED_ADDRESS must be an IP address or a host name, or several separated by commas',
    );
  }
  if (announced && announced.length !== ips.length) {
    problems.push('BEDSIDE_MEDIA_ANNOUNCED_ADDRESS must have as many as BEDSIDE_MEDIA_LISTEN_IP');
  }
  if (!announced && ips.some((ip) => WILDCARDS.includes(ip))) {
    problems.push(
      'BEDSIDE_MEDIA_ANNOUNCED_ADDRESS must be set where BEDSIDE_MEDIA_LISTEN_IP is every interface',
    );
  }
  return Object.freeze(
    ips.map((ip, index) => Object.freeze({ ip, announced: announced?.[index] })),
  );
}

function readPipes(env: Present, problems: string[]): Omit<PipeSettings, 'silenceMs'> {
  const ip = env.BEDSIDE_PIPE_LISTEN_IP ?? '127.0.0.1';
  const announced = env.BEDSIDE_PIPE_ANNOUNCED_ADDRESS;
  if (isIP(ip) === 0) problems.push('BEDSIDE_PIPE_LISTEN_IP must be an IP address');
  if (announced !== undefined && isIP(announced) === 0) {
    problems.push('BEDSIDE_PIPE_ANNOUNCED_ADDRESS must be an IP address');
  }
  if (announced === undefined && WILDCARDS.includes(ip)) {
    problems.push(
      'BEDSIDE_PIPE_ANNOUNCED_ADDRESS must be set where BEDSIDE_PIPE_LISTEN_IP is every interface',
    );
  }
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(env.BEDSIDE_PIPE_PORTS ?? '1-1') ?? [];
  const [min, max] = [Number(first), Number(last)];
  if (!(min >= 1 && min <= max && max <= MAX_PORT)) {
    problems.push(`BEDSIDE_PIPE_PORTS must be two ports up to ${MAX_PORT} as first-last`);
  }
  const peers = AddressList.read(env.BEDSIDE_PIPE_PEERS ?? LOOPBACK);
  if (!peers) {
    problems.push('BEDSIDE_PIPE_PEERS must be IP addresses or CIDR ranges, separated by commas');
  }
  const isElsewhere = !isLoopback(env.BEDSIDE_NODE_HOST ?? '127.0.0.1');
  return Object.freeze({
    ip,
    announced,
    reachable: !isElsewhere || !isLoopback(announced ?? ip),
    ports: env.BEDSIDE_PIPE_PORTS === undefined ? undefined : Object.freeze({ min, max }),
    peers: peers ?? AddressList.none,
  });
}
