import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ClinicTelemetry, VisitTelemetry } from './ports.ts';

export const METRIC_PREFIX = 'bedside_gateway_';

/** From a command on one machine to a call that ran into its deadline. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Why a token was refused; for operators only, the client gets one answer for all. */
export const TOKEN_FAILURES = [
  'missing',
  'malformed',
  'unknown-tenant',
  'unknown-key',
  'algorithm',
  'signature',
  'expired',
  'audience',
  'claims',
  'visit',
  'clinic',
  'grant',
  'origin',
  'identity',
] as const;
export type TokenFailure = (typeof TOKEN_FAILURES)[number];

/** Where a limit cut something off. */
const LIMIT_SCOPES = [
  'address',
  'tenant',
  'socket',
  'frames',
  'in-flight',
  'sockets',
  'rest',
] as const;
export type LimitScope = (typeof LIMIT_SCOPES)[number];

/** What the socket and REST layers report. Labels are from fixed sets: never a visit, person or address. */
export interface GatewayTelemetry {
  sockets(count: number): void;
  clinicSockets(count: number): void;
  connection(outcome: string): void;
  tokenFailure(reason: TokenFailure): void;
  /** A command that the socket layer answered itself: refused, or `renew-token`. */
  answered(command: string, outcome: string): void;
  ignoredEvent(): void;
  /** A tenant's public keys were asked for at their address. */
  keysFetched(outcome: 'ok' | 'error'): void;
  limited(scope: LimitScope): void;
  closed(reason: string): void;
  rest(route: string, status: number, seconds: number): void;
  internalError(where: string): void;
}

export interface GatewayMetrics {
  registry: Registry;
  visits: VisitTelemetry;
  clinics: ClinicTelemetry;
  gateway: GatewayTelemetry;
}

/** One registry a gateway; two gateways in one process do not meet. */
export function createMetrics(): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: METRIC_PREFIX });

  const counter = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ) =>
    new Counter<Label>({
      name: `${METRIC_PREFIX}${name}`,
      help,
      labelNames: [...labelNames],
      registers,
    });
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ) =>
    new Gauge<Label>({
      name: `${METRIC_PREFIX}${name}`,
      help,
      labelNames: [...labelNames],
      registers,
    });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    buckets: readonly number[] = SECONDS,
  ) =>
    new Histogram<Label>({
      name: `${METRIC_PREFIX}${name}`,
      help,
      labelNames: [...labelNames],
      buckets: [...buckets],
      registers,
    });

  const sockets = gauge('sockets', 'Sockets of visits that were welcomed and are open.');
  const clinicSockets = gauge(
    'clinic_sockets',
    'Sockets of clinics that were welcomed and are open.',
  );
  const connections = counter(
    'connections_total',
    'Handshakes by outcome: ok, or the code of the error.',
    ['outcome'],
  );
  const tokenFailures = counter(
    'token_failures_total',
    'Tokens refused, by reason. Clients get one answer for all reasons.',
    ['reason'],
  );
  const keyFetches = counter(
    'jwks_fetches_total',
    'Fetches of tenants\u2019 public keys by outcome: ok, error. While they fail, the old keys serve for an hour.',
    ['outcome'],
  );
  const closes = counter('closes_total', 'Sockets that the gateway closed, by reason.', ['reason']);
  const limited = counter(
    'limited_total',
    'Connections, frames and requests cut off by a limit, by scope.',
    ['scope'],
  );
  const ignored = counter(
    'ignored_events_total',
    'Events without an acknowledgement: nobody to answer, so they are dropped.',
  );
  const commands = counter(
    'commands_total',
    'Commands by name and outcome: ok, or the code of the error.',
    ['command', 'outcome'],
  );
  const commandSeconds = histogram(
    'command_duration_seconds',
    'Time that a command took in the actor, its queue included.',
    ['command'],
  );
  const joinPhases = histogram(
    'join_phase_seconds',
    'Time of the phases of a join: load, decide, node, commit, total.',
    ['phase'],
  );
  const joinRoundTrips = histogram(
    'join_redis_round_trips',
    'Round trips to Redis that a join waited for, from its connection to its answer; calls sent at once are one. Two at most but where a visit is taken over.',
    [],
    [0, 1, 2, 3, 5],
  );
  const redisSeconds = histogram('redis_duration_seconds', 'Time of Redis operations.', [
    'operation',
  ]);
  const redisErrors = counter('redis_errors_total', 'Redis operations that failed.', ['operation']);
  const nodeCalls = counter(
    'node_calls_total',
    'Calls to nodes by command and outcome: ok, or the code of the error.',
    ['command', 'outcome'],
  );
  const nodeSeconds = histogram('node_call_duration_seconds', 'Time of calls to nodes.', [
    'command',
  ]);
  const nodeLinks = gauge('node_links', 'Links to nodes by state: connected, disconnected.', [
    'state',
  ]);
  const nodesWanted = gauge(
    'desired_nodes',
    'Nodes that the load of this gateway\u2019s region needs, with room for the loss of one: for an autoscaler. Where gateways differ, believe the highest.',
  );
  const visits = gauge('visits', 'Visits that this gateway owns.');
  const participants = gauge('participants', 'Participants of those visits by role.', ['role']);
  const unwritten = gauge('unwritten_changes', 'Changes of visits that Redis does not have yet.');
  const queueEntries = gauge(
    'queue_entries',
    'Visits of this gateway that stand in the queue of a clinic.',
  );
  const onCallSockets = gauge(
    'on_call_sockets',
    'Sockets of clinics that are signed on as on call.',
  );
  const unwrittenEntries = gauge(
    'unwritten_queue_entries',
    'Changed entries of queues that Redis does not have yet.',
  );
  const restRequests = counter('rest_requests_total', 'REST requests by route and HTTP status.', [
    'route',
    'status',
  ]);
  const restSeconds = histogram('rest_duration_seconds', 'Time of REST requests.', ['route']);
  const internalErrors = counter(
    'internal_errors_total',
    'Faults of our own, by place. Each is logged once.',
    ['where'],
  );
  // Prometheus sees no increase in a counter that appears with its first event.
  for (const where of ['command', 'handshake', 'rest']) internalErrors.inc({ where }, 0);
  for (const scope of LIMIT_SCOPES) limited.inc({ scope }, 0);
  for (const outcome of ['ok', 'error']) keyFetches.inc({ outcome }, 0);
  commands.inc({ command: 'join', outcome: 'capacity' }, 0);
  redisErrors.inc({ operation: 'heartbeat' }, 0);

  const command = (name: string, outcome: string, seconds: number): void => {
    commands.inc({ command: name, outcome });
    commandSeconds.observe({ command: name }, seconds);
  };
  const redis = (operation: string, outcome: 'ok' | 'error', seconds: number): void => {
    redisSeconds.observe({ operation }, seconds);
    if (outcome === 'error') redisErrors.inc({ operation });
  };

  return {
    registry,
    visits: {
      command,
      joinPhase: (phase, seconds) => joinPhases.observe({ phase }, seconds),
      joined: (roundTrips) => joinRoundTrips.observe(roundTrips),
      redis,
      nodeCall(command, outcome, seconds) {
        nodeCalls.inc({ command, outcome });
        nodeSeconds.observe({ command }, seconds);
      },
      nodeLink: (state, count) => nodeLinks.set({ state }, count),
      desiredNodes: (count) => nodesWanted.set(count),
      visits: (count) => visits.set(count),
      participants: (role, count) => participants.set({ role }, count),
      unwrittenChanges: (count) => unwritten.set(count),
    },
    clinics: {
      command,
      redis,
      queueEntries: (count) => queueEntries.set(count),
      unwrittenEntries: (count) => unwrittenEntries.set(count),
      onCallSockets: (count) => onCallSockets.set(count),
    },
    gateway: {
      sockets: (count) => sockets.set(count),
      clinicSockets: (count) => clinicSockets.set(count),
      connection: (outcome) => connections.inc({ outcome }),
      tokenFailure: (reason) => tokenFailures.inc({ reason }),
      answered: (command, outcome) => commands.inc({ command, outcome }),
      ignoredEvent: () => ignored.inc(),
      keysFetched: (outcome) => keyFetches.inc({ outcome }),
      limited: (scope) => limited.inc({ scope }),
      closed: (reason) => closes.inc({ reason }),
      rest(route, status, seconds) {
        restRequests.inc({ route, status: String(status) });
        restSeconds.observe({ route }, seconds);
      },
      internalError: (where) => internalErrors.inc({ where }),
    },
  };
}
