import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from './config.ts';

export type { Logger } from 'pino';

/**
 * What must never be written down: credentials, and what describes a person's device or address.
 * The code does not log these; the list is the second line of defence.
 */
const SECRET_FIELDS = [
  'token',
  'controlSecret',
  'authorization',
  'auth',
  'rtpCapabilities',
  'rtpParameters',
  'dtlsParameters',
  'iceParameters',
  'iceCandidates',
  'password',
  'sdp',
  'name',
];

/** A JSON logger; `destination` is standard output unless a test gives another. */
export function createLog(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service: 'node' },
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
    // The error's own fields only: other libraries hang requests and parameters on their errors.
    serializers: { err: describeError },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination ? pino(options, destination) : pino(options);
}

function describeError(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  return {
    type: thrown.name,
    message: thrown.message,
    stack: thrown.stack,
    ...('code' in thrown ? { code: thrown.code } : {}),
    ...(thrown.cause === undefined ? {} : { cause: describeError(thrown.cause) }),
  };
}
