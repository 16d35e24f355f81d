import {
  type Logger,
  type Member,
  Membership,
  REDIS_OPTIONS,
  RedisCalls,
  systemClock,
} from '@bedside/service';
import { Redis } from 'ioredis';

export interface Registration {
  /** The first word; said again until `leave`. Never fails: Redis may come later. */
  join(): Promise<void>;
  /** What the node says of itself has changed. */
  changed(): void;
  leave(): Promise<void>;
}

/** The node's place in the cluster, by which gateways find it. A node serves its visits without. */
export function createRegistration(
  redisUrl: string,
  self: () => Member,
  telemetry: { redis(operation: string, outcome: 'ok' | 'error', seconds: number): void },
  log: Logger,
): Registration {
  const redis = new Redis(redisUrl, { ...REDIS_OPTIONS, lazyConnect: true });
  let reachable = true;
  redis.on('ready', () => {
    reachable = true;
  });
  // Once an outage, not once an attempt.
  redis.on('error', (error: Error) => {
    if (reachable) log.error({ err: error }, 'redis is not reachable');
    reachable = false;
  });
  const calls = new RedisCalls({ redis, telemetry, onFailed: (cause) => membership.failed(cause) });
  const membership: Membership = new Membership({ calls, self, clock: systemClock, log });
  return {
    async join() {
      await redis.connect().catch(() => {});
      await membership.start();
    },
    changed() {
      if (membership.available) void membership.beat();
    },
    async leave() {
      await membership.stop();
      redis.disconnect();
    },
  };
}
