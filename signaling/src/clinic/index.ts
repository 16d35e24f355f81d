import { type Clock, RedisCalls, redisFault, systemClock } from '@bedside/service';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { CallDesk, ClinicDoor, Clinics, ClinicTelemetry, GuestTokens } from '../ports.ts';
import { Bus } from './bus.ts';
import { StaffConnection } from './connection.ts';
import { clinicKey } from './keys.ts';
import { createOnCall } from './on-call/index.ts';
import { Queues } from './queue/queues.ts';
import { QueueSeat } from './queue/seat.ts';
import { RedisQueueStore } from './queue/store.ts';
import { QueueWriter } from './queue/writer.ts';

/** Of an entry's life: after this share of it, owners write it again and watchers look for what has expired. */
const REFRESH_SHARE = 1 / 3;

export interface ClinicServiceOptions {
  /** The caller closes both connections, after `stop`. */
  redis: Redis | Cluster;
  /** Why it is not connected, if it is not. */
  connectionError?: () => Error | undefined;
  /** One more, which does not join channels again by itself: it listens to them. */
  subscriber: Redis;
  /** For who accepts a call. */
  guests: GuestTokens;
  telemetry: ClinicTelemetry;
  log: Logger;
  /** Milliseconds for which a queue's entry outlives the gateway that wrote it. */
  entryLifeMs: number;
  clock?: Clock;
}

/** The clinics of this gateway's visits and sockets, on real Redis. */
export interface ClinicService extends Clinics, ClinicDoor {
  readonly calls: CallDesk;
  /** Writes what is unwritten, if Redis is there. */
  stop(): Promise<void>;
}

export function createClinics(options: ClinicServiceOptions): ClinicService {
  const {
    redis,
    connectionError,
    subscriber,
    guests,
    telemetry,
    log,
    entryLifeMs,
    clock = systemClock,
  } = options;
  const refreshMs = entryLifeMs * REFRESH_SHARE;
  const calls = new RedisCalls({ redis, connectionError, telemetry });
  const store = new RedisQueueStore(calls, entryLifeMs, log);
  const writer = new QueueWriter({ store, clock, telemetry, refreshMs });
  const bus = new Bus(subscriber, clock, (err) =>
    log.error(
      { err, reason: `Redis ${redisFault(err)}` },
      'what changes at other gateways is not heard',
    ),
  );
  const queues = new Queues({ store, bus, clock, rereadMs: refreshMs });
  const onCall = createOnCall({ redis, calls, bus, clock, guests, telemetry });
  return {
    calls: onCall.desk,
    entryChanged: (...position) => writer.entryChanged(...position),
    forget: (visit) => writer.forget(visit),
    connect: (staff, link) =>
      new StaffConnection({
        staff,
        queue: new QueueSeat(queues, clinicKey(staff.tenant, staff.clinic), link),
        onCall: onCall.seat(staff, link),
        telemetry,
      }),
    async stop() {
      onCall.stop();
      bus.close();
      await writer.stop();
    },
  };
}
