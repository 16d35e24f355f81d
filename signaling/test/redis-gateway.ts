import { randomUUID } from 'node:crypto';
import type {
  ClinicEventPayload,
  GatewayId,
  ParticipantId,
  QueueEntry,
  RequestId,
} from '@bedside/protocol';
import {
  connectCommands,
  connectSubscriber,
  type RedisConnection,
  readRedisSettings,
  systemClock,
} from '@bedside/service';
import { pino } from 'pino';
import { VisitRegistry } from '../src/actor/registry.ts';
import { GuestKeys } from '../src/auth/guest-tokens.ts';
import { type ClinicService, createClinics } from '../src/clinic/index.ts';
import { createMetrics } from '../src/metrics.ts';
import { Seal } from '../src/store/kept.ts';
import { JOIN_SCRIPTS } from '../src/store/scripts.ts';
import { RedisStore } from '../src/store/store.ts';
import { FakeNode } from './fake-node.ts';
import { memberOf } from './member.ts';
import { CLINIC } from './queue-entries.ts';
import { Counts } from './telemetry.ts';

/** What a gateway keeps in Redis, by the way that its environment says; with media at the port. */
export interface RedisGateway {
  readonly visits: VisitRegistry;
  readonly store: RedisStore;
  readonly clinics: ClinicService;
  readonly commands: RedisConnection;
  readonly subscriber: RedisConnection;
  readonly counts: Counts;
  readonly log: readonly string[];
  /** Members of the cluster that it knows of. */
  members(): string[];
  /** Redis has every change. */
  written(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisGateway(
  env: Record<string, string>,
  id: string,
): Promise<RedisGateway> {
  const { settings, problems } = readRedisSettings(env);
  if (!settings || problems.length > 0) throw new Error(problems.join('\n'));
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const commands = connectCommands({
    settings,
    log,
    onReconnected: () => store.reconnected(),
    scripts: JOIN_SCRIPTS,
  });
  const subscriber = connectSubscriber({ settings, log });
  await Promise.all([commands.open(), subscriber.open()]);
  const connectionError = () => commands.error;
  const guests = new GuestKeys('guest-secret-of-this-test-0123456789');
  const clinics = createClinics({
    redis: commands.client,
    connectionError,
    subscriber: subscriber.client,
    guests,
    telemetry: createMetrics().clinics,
    log,
    entryLifeMs: 60_000,
  });
  const counts = new Counts();
  const boot = randomUUID();
  let members: string[] = [];
  const store = new RedisStore({
    redis: commands.client,
    connectionError,
    gatewayId: id as GatewayId,
    boot,
    self: () => memberOf(id, boot),
    answers: async () => true,
    clock: systemClock,
    log,
    telemetry: counts,
    onAvailable: () => void visits.redisReturned(),
    onView: (view) => {
      members = [...view.values()].map((member) => member.id).sort();
    },
  });
  const visits: VisitRegistry = new VisitRegistry({
    store,
    nodes: new FakeNode(),
    clock: systemClock,
    log,
    telemetry: counts,
    clinics,
    guests,
    calls: clinics.calls,
    seal: new Seal('a-secret-of-all-gateways-for-tests-01'),
    graceMs: 20_000,
  });
  await store.start();
  return {
    visits,
    store,
    clinics,
    commands,
    subscriber,
    counts,
    log: lines,
    members: () => members,
    async written() {
      while (counts.unwritten > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    async stop() {
      await visits.stop(1_000);
      await clinics.stop();
      await store.stop();
      commands.close();
      subscriber.close();
    },
  };
}

/** What somebody of the clinic's staff sees of its queue. */
export async function watchQueue({
  clinics,
}: RedisGateway): Promise<ReadonlyMap<string, QueueEntry>> {
  const seen = new Map<string, QueueEntry>();
  const apply = ({ entries, removed }: Omit<ClinicEventPayload<'queue'>, 'stale'>) => {
    for (const entry of entries) seen.set(entry.visit, entry);
    for (const visit of removed) seen.delete(visit);
  };
  const connection = clinics.connect(
    {
      ...CLINIC,
      participant: 's1' as ParticipantId,
      role: 'provider',
      grants: ['queue'],
      skills: { specialties: [], languages: [], regions: [] },
      expiresAt: Number.MAX_SAFE_INTEGER,
    },
    {
      send: (name, payload) => {
        if (name === 'queue') apply(payload as ClinicEventPayload<'queue'>);
      },
    },
  );
  const { entries } = await connection.command('watch-queue', { requestId: 'r1' as RequestId });
  apply({ entries, removed: [] });
  return seen;
}
