import {
  connectCommands,
  type Logger,
  type Member,
  Membership,
  RedisCalls,
  type RedisSettings,
  systemClock,
} from '@bedside/service';

export interface Registration {
  /** The first word; said again until `leave`. Never fails: Redis may come later. */
  join(): Promise<void>;
  /** What the node says of itself has changed. */
  changed(): void;
  leave(): Promise<void>;
}

/** The node's place in the cluster, by which gateways find it. A node serves its visits without. */
export function createRegistration(
  settings: RedisSettings,
  self: () => Member,
  telemetry: { redis(operation: string, outcome: 'ok' | 'error', seconds: number): void },
  log: Logger,
): Registration {
  const connection = connectCommands({ settings, log });
  const calls = new RedisCalls({
    redis: connection.client,
    connectionError: () => connection.error,
    telemetry,
    onFailed: (cause) => membership.failed(cause),
  });
  const membership: Membership = new Membership({ calls, self, clock: systemClock, log });
  return {
    async join() {
      await connection.open();
      await membership.start();
    },
    changed() {
      if (membership.available) void membership.beat();
    },
    async leave() {
      await membership.stop();
      connection.close();
    },
  };
}
