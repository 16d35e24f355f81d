import type { GatewayId } from '@bedside/protocol';
import { type Clock, type ControlSettings, type Member, systemClock } from '@bedside/service';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { answers } from '../cluster/answers.ts';
import { Inheritance } from '../cluster/inheritance.ts';
import type { NodeReport } from '../nodes/client.ts';
import { Nodes } from '../nodes/nodes.ts';
import type { CallDesk, Clinics, GuestTokens, Visits, VisitTelemetry } from '../ports.ts';
import { Seal } from '../store/kept.ts';
import { RedisStore } from '../store/store.ts';
import { DeadlineWatch } from './deadline-watch.ts';
import { VisitRegistry } from './registry.ts';

/** How long `start` waits for the first node: a gateway serves without one, only not media. */
const FIRST_NODE_MS = 2_000;

export interface VisitsOptions {
  gatewayId: GatewayId;
  /** The caller closes it, after `stop`, and says when it was away: see `reconnected`. */
  redis: Redis | Cluster;
  /** Why it is not connected, if it is not. */
  connectionError?: () => Error | undefined;
  /** What this gateway says of itself to the cluster. */
  self: () => Member;
  /** Control addresses of the nodes; those that Redis knows of where there are none. */
  nodes: readonly string[];
  control: ControlSettings;
  telemetry: VisitTelemetry;
  log: Logger;
  /** Milliseconds for which a session outlives its socket. */
  graceMs: number;
  clinics: Clinics;
  guests: GuestTokens;
  calls: CallDesk;
  /** Of all gateways, and of nobody else: what nodes hold while Redis is away is sealed by it. */
  secret: string;
  clock?: Clock;
}

/** The visits of this gateway, on real Redis and real nodes. `start` opens the links and never fails: see `readiness`. */
export function createVisits(
  options: VisitsOptions,
): Visits & { start(): Promise<void>; reconnected(): void } {
  const {
    gatewayId,
    self,
    redis,
    connectionError,
    nodes: urls,
    control,
    telemetry,
    log,
    graceMs,
    clinics,
    guests,
    calls,
    secret,
    clock = systemClock,
  } = options;
  const store = new RedisStore({
    redis,
    connectionError,
    gatewayId,
    boot: self().boot,
    self,
    answers,
    clock,
    log,
    telemetry,
    onAvailable: () => void registry.redisReturned(),
    onView: (view) => {
      nodes.meet(view);
      inheritance.meet(view);
    },
  });
  const onReport = (report: NodeReport) => registry.report(report);
  const nodes = new Nodes({
    urls,
    region: self().region,
    gatewayId,
    control,
    clock,
    log,
    telemetry,
    onReport,
  });
  const registry: VisitRegistry = new VisitRegistry({
    store,
    nodes,
    clock,
    log,
    telemetry,
    clinics,
    guests,
    calls,
    seal: new Seal(secret),
    graceMs,
  });
  const inheritance = new Inheritance({
    self: gatewayId,
    store,
    clock,
    answers,
    adopt: (key) => registry.adopt(key),
  });
  const watch = new DeadlineWatch({ store, clock, look: (key) => registry.look(key) });
  return {
    connect: (identity, link, sessionId, isAstray) =>
      registry.connect(identity, link, sessionId, isAstray),
    create: (tenant, request) => registry.create(tenant, request),
    read: (tenant, visit) => registry.read(tenant, visit),
    end: (tenant, visit) => registry.end(tenant, visit),
    evidence: (tenant, visit) => registry.evidence(tenant, visit),
    events: (tenant, visit) => registry.events(tenant, visit),
    share: (tenant, visit, wait) => registry.share(tenant, visit, wait),
    readiness: () => registry.readiness(),
    /** Redis may have lost what it had last: what it lacks is written again. */
    reconnected: () => store.reconnected(),
    start: async () => {
      await store.start();
      await nodes.start(FIRST_NODE_MS);
      await registry.recover();
      watch.start();
    },
    stop: async (deadlineMs) => {
      watch.stop();
      inheritance.stop();
      await registry.stop(deadlineMs);
      await store.stop();
      nodes.close();
    },
  };
}
