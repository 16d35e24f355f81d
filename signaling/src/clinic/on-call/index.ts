import { randomUUID } from 'node:crypto';
import type { Clock, RedisCalls } from '@bedside/service';
import type { Cluster, Redis } from 'ioredis';
import type { CallDesk, ClinicLink, ClinicTelemetry, GuestTokens, Staff } from '../../ports.ts';
import type { Bus } from '../bus.ts';
import { RedisCallDesk } from './desk.ts';
import { Floors } from './floor.ts';
import { OnCallSeat } from './seat.ts';
import { OnCallStore } from './store.ts';

export interface OnCallOptions {
  redis: Redis | Cluster;
  calls: RedisCalls;
  bus: Bus;
  clock: Clock;
  guests: GuestTokens;
  telemetry: Pick<ClinicTelemetry, 'onCallSockets'>;
}

/** Being on call, and calling who is, at this gateway. */
export interface OnCall {
  readonly desk: CallDesk;
  /** A socket of a clinic's staff; it is on call once it has signed on. */
  seat(staff: Staff, link: ClinicLink): OnCallSeat;
  /** Whoever is on call here comes back to another gateway, and what rings rings on. */
  stop(): void;
}

export function createOnCall(options: OnCallOptions): OnCall {
  const { redis, calls, bus, clock, guests, telemetry } = options;
  const store = new OnCallStore(redis, calls, randomUUID());
  let sockets = 0;
  const floors = new Floors({
    store,
    bus,
    clock,
    count(difference) {
      sockets += difference;
      telemetry.onCallSockets(sockets);
    },
  });
  const desk = new RedisCallDesk({ store, bus, clock, floors });
  return {
    desk,
    seat: (staff, link) => new OnCallSeat({ store, floors, clock, guests, staff, link }),
    stop() {
      desk.stop();
      floors.stop();
    },
  };
}
