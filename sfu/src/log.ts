import { BedsideError } from '@bedside/protocol';
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
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (error: unknown) => describeError(error) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination ? pino(options, destination) : pino(options);
}

/** From the first quotation mark to the last: what is quoted may hold such marks itself. */
const QUOTED = /["'`].*["'`]/s;
const BRACKETED = /\[.*\]/s;
const TOKEN_LIKE = /[A-Za-z0-9_-]{16,}(\.[A-Za-z0-9_-]*)*/g;

/** As the gateway's log has it: what other code quotes in an error's text may be a gateway's input. */
const maskText = (text: string): string =>
  [QUOTED, BRACKETED, TOKEN_LIKE]
    .reduce((masked, pattern) => masked.replace(pattern, '[…]'), text)
    .slice(0, 300);

/** The frames below the message; none where it can not be told apart. */
const framesOf = ({ stack = '', message }: Error): string[] =>
  stack
    .split(message)
    .slice(1)
    .join(message)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .slice(0, 12);

/** An error's own fields only: other libraries hang requests and parameters on their errors. */
function describeError(thrown: unknown, depth = 0): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { type: typeof thrown };
  const code: unknown = Reflect.get(thrown, 'code');
  return {
    type: thrown.constructor.name,
    ...(typeof code === 'string' ? { code: code.slice(0, 64) } : {}),
    message: thrown instanceof BedsideError ? thrown.message : maskText(thrown.message),
    stack: framesOf(thrown),
    ...(thrown.cause === undefined || depth >= 3
      ? {}
      : { cause: describeError(thrown.cause, depth + 1) }),
  };
}
