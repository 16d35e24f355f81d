import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { readTls } from '../certificate.ts';
import { lastGood } from '../last-good.ts';
import { readSecret } from '../secrets.ts';
import { redisFault } from './fault.ts';
import type { Script } from './script.ts';
import type { RedisSettings } from './settings.ts';

/** While Redis is away it is connected to again after these delays, with jitter. */
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 1_000;
/** Of one step of connecting, milliseconds. */
const CONNECT_MS = 1_000;
/**
 * How often a command goes to another node of a Cluster, or again after 100 ms while a slot has none. In
 * all it takes less than a call may, so that no call is carried out after one that began later.
 */
const REDIRECTIONS = 8;
/** Sentinels publish there that another server is the primary. */
const SWITCHED = '+switch-master';

const retryStrategy = (attempt: number): number =>
  Math.min(RECONNECT_MIN_MS * 2 ** Math.min(attempt, 4), RECONNECT_MAX_MS) *
  (0.5 + Math.random() / 2);

/** How a connection of commands is set up: calls fail fast, who calls decides what to do then. */
export const REDIS_OPTIONS = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  connectTimeout: CONNECT_MS,
  // A connection that a firewall or a dead host swallowed would be held for minutes.
  socketTimeout: 2_000,
  // Nobody here asks for it, and users may not be permitted to give it.
  disableClientInfo: true,
  retryStrategy,
} as const;

/** How one that listens to channels is set up: who listens joins them again. */
export const SUBSCRIBER_OPTIONS = { ...REDIS_OPTIONS, autoResubscribe: false } as const;

/** A client of Redis that connects again for as long as it is open. */
export interface RedisConnection<Client extends Redis | Cluster = Redis | Cluster> {
  readonly client: Client;
  /** Why it is not connected; undefined while it is. */
  readonly error: Error | undefined;
  /** Resolves once it is there, or the first try has failed. */
  open(): Promise<void>;
  close(): void;
}

export interface RedisConnectionOptions {
  settings: RedisSettings;
  log: Logger;
  /** There again: possibly another server, or without its last data. Not for the first time. */
  onReconnected?: () => void;
  /** Known to each server from the first moment, so that nobody's call has to bring them. */
  scripts?: readonly Script[];
}

/** For commands. */
export function connectCommands(options: RedisConnectionOptions): RedisConnection {
  const { settings, log, onReconnected } = options;
  const access = accessTo(settings, log);
  if (settings.kind !== 'cluster') return connected(redisOf(settings, access), options, access);
  const {
    retryStrategy: clusterRetryStrategy,
    enableOfflineQueue,
    ...redisOptions
  } = REDIS_OPTIONS;
  const cluster = new Cluster([...settings.hosts], {
    lazyConnect: true,
    enableOfflineQueue,
    clusterRetryStrategy,
    maxRedirections: REDIRECTIONS,
    slotsRefreshTimeout: CONNECT_MS,
    // Names stay names: certificates are for those.
    dnsLookup: (address, callback) => callback(null, address),
    redisOptions: redisOptions satisfies ClusterOptions['redisOptions'],
  });
  cluster.on('+node', (node: Redis) => {
    Object.assign(node.options, access());
    bringing(node, options);
  });
  // A node is gone and the others are known anew: who has its slots now may lack its last data.
  let isShort = false;
  cluster.on('-node', () => {
    isShort = true;
  });
  cluster.on('refresh', () => {
    if (isShort && cluster.status === 'ready') onReconnected?.();
    isShort = false;
  });
  return watched(cluster, options, () => {});
}

/** For channels: in a Cluster every node passes on what is published at any. */
export function connectSubscriber(options: RedisConnectionOptions): RedisConnection<Redis> {
  const { settings, log } = options;
  const access = accessTo(settings, log);
  if (settings.kind !== 'cluster')
    return connected(redisOf(settings, access, SUBSCRIBER_OPTIONS), options, access);
  let next = 0;
  const host = () => settings.hosts[next++ % settings.hosts.length] ?? {};
  const redis = new Redis({ ...SUBSCRIBER_OPTIONS, ...access(), ...host(), lazyConnect: true });
  return connected(redis, options, () => ({ ...access(), ...host() }));
}

/** Replies have the shapes that ioredis gives by default. */
type Options = Omit<RedisOptions, 'replyMapping'>;

type Access = Pick<
  RedisOptions,
  'username' | 'password' | 'sentinelUsername' | 'sentinelPassword' | 'tls' | 'sentinelTLS'
>;

/** What proves us to Redis, as it is now. */
function accessTo(settings: RedisSettings, log: Logger): () => Access {
  const { user, password, sentinel, tls } = settings;
  const read = (): Access => {
    const material = tls && { ...readTls(tls), minVersion: 'TLSv1.2' as const };
    return {
      ...(user === undefined ? {} : { username: user }),
      ...(password === undefined ? {} : { password: readSecret(password) }),
      ...(sentinel?.user === undefined ? {} : { sentinelUsername: sentinel.user }),
      ...(sentinel?.password === undefined
        ? {}
        : { sentinelPassword: readSecret(sentinel.password) }),
      ...(material ? { tls: material, sentinelTLS: material } : {}),
    };
  };
  return lastGood(read, (error) =>
    log.warn(
      { err: error },
      'files of the connection to Redis can not be used: those before serve on',
    ),
  );
}

function redisOf(
  { kind, hosts, database, sentinel, tls }: RedisSettings,
  access: () => Access,
  options: Options = REDIS_OPTIONS,
): Redis {
  const common: Options = {
    ...options,
    ...access(),
    db: database,
    lazyConnect: true,
  };
  if (kind === 'single') return new Redis({ ...common, ...hosts[0] });
  return new Redis({
    ...common,
    sentinels: [...hosts],
    ...(sentinel ? { name: sentinel.primary } : {}),
    sentinelRetryStrategy: retryStrategy,
    sentinelCommandTimeout: CONNECT_MS,
    enableTLSForSentinelMode: tls !== undefined,
  });
}

function connected(
  redis: Redis,
  options: RedisConnectionOptions,
  access: () => Access,
): RedisConnection<Redis> {
  // Told before the delay of the next try.
  redis.on('reconnecting', () => Object.assign(redis.options, access()));
  bringing(redis, options);
  const { settings } = options;
  const watchers =
    settings.kind === 'sentinel' ? settings.hosts.map((host) => watch(host, access)) : [];
  for (const watcher of watchers) {
    watcher.on('message', (_channel: string, text: string) => {
      if (text.startsWith(`${settings.sentinel?.primary} `) && redis.status === 'ready')
        redis.disconnect(true);
    });
  }
  const connection = watched(redis, options, () => {
    for (const watcher of watchers) watcher.disconnect();
  });
  // A primary that became a replica under our connection: where we connect next may be the new one.
  redis.options.reconnectOnError = (error) => {
    const isReplica = error.message.includes('READONLY');
    if (isReplica) connection.fail(error);
    return isReplica;
  };
  return connection;
}

/** Where a user may not load scripts, the first call of each brings it. */
function bringing(redis: Redis, { scripts = [] }: RedisConnectionOptions): void {
  redis.on('ready', () => {
    for (const { source } of scripts) redis.script('LOAD', source).catch(() => {});
  });
}

/**
 * Listens to one Sentinel: a primary that is cut off from it goes on answering us, and what it is told
 * is lost. Instead of ioredis' failoverDetector, which writes to the console where a Sentinel is away.
 */
function watch(host: RedisSettings['hosts'][number], access: () => Access) {
  const proof = (): Options => {
    const { sentinelUsername, sentinelPassword, sentinelTLS } = access();
    return {
      ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
    };
  };
  const watcher = new Redis({
    ...host,
    ...proof(),
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    lazyConnect: true,
    retryStrategy,
  });
  watcher.on('error', () => {});
  watcher.on('reconnecting', () => Object.assign(watcher.options, proof()));
  // Waits for the connection, and is repeated at each.
  watcher.subscribe(SWITCHED).catch(() => {});
  return watcher;
}

/** Says once an outage, not once an attempt, that it is away, and that it is back. */
function watched<Client extends Redis | Cluster>(
  client: Client,
  { settings, log, onReconnected }: RedisConnectionOptions,
  onClose: () => void,
): RedisConnection<Client> & { fail(cause: Error): void } {
  let error: Error | undefined = new Error('not connected yet');
  let isSaid = false;
  let wasReady = false;
  const fail = (thrown: Error) => {
    // Of a Cluster none of whose nodes answers, the last one's error says why.
    const inner = 'lastNodeError' in thrown ? thrown.lastNodeError : undefined;
    error = inner instanceof Error ? inner : thrown;
  };
  // The two kinds of client have no common signature of `on`.
  const events = client as unknown as NodeJS.EventEmitter;
  events.on('ready', () => {
    error = undefined;
    if (isSaid || !wasReady) log.info({ redis: settings.kind }, 'redis is reachable');
    isSaid = false;
    if (wasReady) onReconnected?.();
    wasReady = true;
  });
  events.on('error', (thrown: Error) => {
    fail(thrown);
    if (isSaid) return;
    isSaid = true;
    log.error(
      { redis: settings.kind, reason: `Redis ${redisFault(error)}`, err: error },
      'redis is not reachable',
    );
  });
  events.on('close', () => {
    error ??= new Error('the connection is closed');
  });
  return {
    client,
    get error() {
      return error;
    },
    fail,
    open: () => client.connect().catch(() => {}),
    close() {
      onClose();
      client.disconnect();
    },
  };
}
