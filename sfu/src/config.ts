import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism, hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import { LOOPBACK_CONTROL_SECRET, NodeId } from '@bedside/protocol';
import * as z from 'zod/mini';

/** Everything a node can be told, from its environment. Times in milliseconds. */
export interface Config {
  readonly nodeId: NodeId;
  readonly region: string;
  /** Where gateways connect. Port 0 picks a free one. */
  readonly host: string;
  readonly port: number;
  readonly opsPort: number;
  readonly controlSecret: string;
  readonly controlTls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Worker i listens on `mediaPort + i`, UDP and TCP; 0 lets each pick free ones. */
  readonly mediaPort: number;
  readonly mediaAddresses: readonly MediaAddress[];
  readonly workers: number;
  readonly workerBin: string | undefined;
  readonly maxConsumersPerWorker: number;
  readonly maxVisitsPerWorker: number;
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
  readonly shutdownMs: number;
  readonly logLevel: LogLevel;
}

/** Where workers listen, and at which address browsers reach that, if at another. */
export interface MediaAddress {
  readonly ip: string;
  readonly announced: string | undefined;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const LOOPBACK = /^(localhost|::1|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;
/** Whether nobody outside this machine can connect there. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** Every interface is none that a browser could be told. */
const WILDCARDS = ['0.0.0.0', '::'];
const HOSTNAME =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const MAX_PORT = 65_535;

/** Every wrong variable of an environment, one line each; never a value, which may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`wrong configuration:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const wholeNumber = (min: number, max: number, fallback: number) =>
  z._default(
    z.coerce
      .number({ error: `must be a whole number from ${min} to ${max}` })
      .check(
        z.int({ error: `must be a whole number from ${min} to ${max}` }),
        z.minimum(min, { error: `must be at least ${min}` }),
        z.maximum(max, { error: `must be at most ${max}` }),
      ),
    fallback,
  );
const text = (fallback: string) => z._default(z.string().check(z.maxLength(256)), fallback);
const port = (fallback: number) => wholeNumber(0, MAX_PORT, fallback);
const milliseconds = (min: number, fallback: number) => wholeNumber(min, 86_400_000, fallback);

const defaultNodeId = () =>
  hostname()
    .replace(/[^A-Za-z0-9._~:-]/g, '-')
    .slice(0, 128) || 'node';

const Environment = z.object({
  BEDSIDE_NODE_ID: z._default(
    z.string().check(
      z.refine((value) => NodeId.safeParse(value).success, {
        error: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -',
      }),
    ),
    defaultNodeId,
  ),
  BEDSIDE_REGION: text('local'),
  BEDSIDE_NODE_HOST: text('127.0.0.1'),
  BEDSIDE_NODE_PORT: port(7100),
  BEDSIDE_NODE_OPS_PORT: port(7101),
  BEDSIDE_CONTROL_SECRET: z.optional(
    z.string().check(z.minLength(32, { error: 'must have at least 32 characters' })),
  ),
  BEDSIDE_CONTROL_TLS_CERT: z.optional(z.string()),
  BEDSIDE_CONTROL_TLS_KEY: z.optional(z.string()),
  BEDSIDE_MEDIA_PORT: port(7200),
  // Lists separated by commas: one address a network that browsers come from.
  BEDSIDE_MEDIA_LISTEN_IP: text('127.0.0.1'),
  BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: z.optional(text('')),
  BEDSIDE_WORKERS: wholeNumber(1, 256, availableParallelism()),
  BEDSIDE_MAX_CONSUMERS_PER_WORKER: wholeNumber(1, 100_000, 2_000),
  BEDSIDE_MAX_VISITS_PER_WORKER: wholeNumber(1, 100_000, 1_000),
  // Both below the two seconds for which a gateway waits, so that it hears why.
  BEDSIDE_MEDIA_DEADLINE_MS: milliseconds(50, 1_500),
  BEDSIDE_COMMAND_DEADLINE_MS: milliseconds(100, 1_900),
  BEDSIDE_WATCHDOG_INTERVAL_MS: milliseconds(20, 250),
  BEDSIDE_WATCHDOG_HUNG_MS: milliseconds(100, 1_200),
  BEDSIDE_ORPHAN_MS: milliseconds(100, 600_000),
  BEDSIDE_EMPTY_VISIT_MS: milliseconds(100, 300_000),
  BEDSIDE_LOAD_INTERVAL_MS: milliseconds(50, 2_000),
  BEDSIDE_SAMPLE_INTERVAL_MS: milliseconds(50, 5_000),
  BEDSIDE_SHUTDOWN_MS: milliseconds(100, 5_000),
  BEDSIDE_LOG_LEVEL: z._default(
    z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }),
    'info',
  ),
  MEDIASOUP_WORKER_BIN: z.optional(z.string()),
});

/**
 * The node's configuration from its environment; an empty variable counts as not set.
 * @throws ConfigError that names every wrong variable at once.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(present);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);

  // Rules over two variables look at the raw values, so that they are reported with all the others.
  const host = present.BEDSIDE_NODE_HOST ?? '127.0.0.1';
  if (present.BEDSIDE_CONTROL_SECRET === undefined && !isLoopback(host)) {
    problems.push('BEDSIDE_CONTROL_SECRET must be set where BEDSIDE_NODE_HOST is not loopback');
  }
  const certFile = present.BEDSIDE_CONTROL_TLS_CERT;
  const keyFile = present.BEDSIDE_CONTROL_TLS_KEY;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problems.push('BEDSIDE_CONTROL_TLS_CERT and BEDSIDE_CONTROL_TLS_KEY must be set together');
  } else if (certFile !== undefined && keyFile !== undefined) {
    const problem = certificateProblem(certFile, keyFile);
    if (problem) problems.push(problem);
  }
  const mediaAddresses = readMediaAddresses(present, problems);
  const mediaPort = Number(present.BEDSIDE_MEDIA_PORT ?? 0);
  const workers = Number(present.BEDSIDE_WORKERS ?? availableParallelism());
  if (mediaPort <= MAX_PORT && mediaPort + workers - 1 > MAX_PORT) {
    problems.push('BEDSIDE_MEDIA_PORT must leave a port up to 65535 for each of BEDSIDE_WORKERS');
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const data = parsed.data;
  return Object.freeze({
    nodeId: NodeId.parse(data.BEDSIDE_NODE_ID),
    region: data.BEDSIDE_REGION,
    host,
    port: data.BEDSIDE_NODE_PORT,
    opsPort: data.BEDSIDE_NODE_OPS_PORT,
    controlSecret: data.BEDSIDE_CONTROL_SECRET ?? LOOPBACK_CONTROL_SECRET,
    controlTls: certFile && keyFile ? Object.freeze({ certFile, keyFile }) : undefined,
    mediaPort: data.BEDSIDE_MEDIA_PORT,
    mediaAddresses,
    workers: data.BEDSIDE_WORKERS,
    workerBin: data.MEDIASOUP_WORKER_BIN,
    maxConsumersPerWorker: data.BEDSIDE_MAX_CONSUMERS_PER_WORKER,
    maxVisitsPerWorker: data.BEDSIDE_MAX_VISITS_PER_WORKER,
    mediaDeadlineMs: data.BEDSIDE_MEDIA_DEADLINE_MS,
    commandDeadlineMs: data.BEDSIDE_COMMAND_DEADLINE_MS,
    watchdogIntervalMs: data.BEDSIDE_WATCHDOG_INTERVAL_MS,
    watchdogHungMs: data.BEDSIDE_WATCHDOG_HUNG_MS,
    orphanMs: data.BEDSIDE_ORPHAN_MS,
    emptyVisitMs: data.BEDSIDE_EMPTY_VISIT_MS,
    loadIntervalMs: data.BEDSIDE_LOAD_INTERVAL_MS,
    sampleIntervalMs: data.BEDSIDE_SAMPLE_INTERVAL_MS,
    shutdownMs: data.BEDSIDE_SHUTDOWN_MS,
    logLevel: data.BEDSIDE_LOG_LEVEL,
  });
}

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

function certificateProblem(certFile: string, keyFile: string): string | undefined {
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `BEDSIDE_CONTROL_TLS_CERT and BEDSIDE_CONTROL_TLS_KEY can not be used (${code ?? 'unknown error'})`;
  }
}
