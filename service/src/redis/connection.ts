/** While Redis is away it is connected to again after these delays, with jitter. */
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 1_000;

/** How a connection of commands is set up: calls fail fast, who calls decides what to do then. */
export const REDIS_OPTIONS = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  connectTimeout: 1_000,
  // A connection that a firewall or a dead host swallowed would be held for minutes.
  socketTimeout: 2_000,
  retryStrategy: (attempt: number) =>
    Math.min(RECONNECT_MIN_MS * 2 ** Math.min(attempt, 4), RECONNECT_MAX_MS) *
    (0.5 + Math.random() / 2),
} as const;
