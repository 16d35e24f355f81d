import { writeSync } from 'node:fs';
import { BedsideError } from '@bedside/protocol';
import { type DestinationStream, type Logger, pino } from 'pino';
import { LogOutput } from './log-output.ts';

export type { Logger } from 'pino';

/**
 * Fields that hold what a person said, is called or proves themselves with. They are cut wherever
 * they are passed at the top of a log call or one or two levels below; the habit is not to pass them.
 */
const SECRET_FIELDS = [
  'token',
  'secret',
  'controlSecret',
  'apiKey',
  'authorization',
  'cookie',
  'auth',
  'headers',
  'query',
  'name',
  'participant',
  'participantId',
  'visit',
  'visitId',
  'sub',
  'jti',
  'sessionId',
  'sdp',
  'rtpParameters',
  'rtpCapabilities',
  'dtlsParameters',
  'iceParameters',
  'iceCandidates',
  'srtp',
  'keyBase64',
  'password',
  'credential',
  'address',
  'request',
  'payload',
];

/** From the first quotation mark to the last: what is quoted may hold such marks itself. */
const QUOTED = /["'`].*["'`]/s;
const BRACKETED = /\[.*\]/s;
const TOKEN_LIKE = /[A-Za-z0-9_-]{16,}(\.[A-Za-z0-9_-]*)*/g;

/** What other code quotes in an error's text may be a person's input: JSON.parse and parsers do that. */
const maskText = (text: string): string =>
  [QUOTED, BRACKETED, TOKEN_LIKE]
    .reduce((masked, pattern) => masked.replace(pattern, '[…]'), text)
    .slice(0, 300);

/** The frames below the message, which may hold lines that look like frames; none where it can not be told apart. */
const framesOf = ({ stack = '', message }: Error): string[] =>
  stack
    .split(message)
    .slice(1)
    .join(message)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .slice(0, 12);

/** An error without anything of the request that caused it: type, code, masked text, frames, causes. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const code: unknown = Reflect.get(error, 'code');
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' ? { code: code.slice(0, 64) } : {}),
    message: error instanceof BedsideError ? error.message : maskText(error.message),
    stack: framesOf(error),
    ...(error.cause === undefined || depth >= 3
      ? {}
      : { cause: describeError(error.cause, depth + 1) }),
  };
}

/** On standard error, which may be on the same full disk. */
function complain(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody is left to be told.
  }
}

/**
 * A process's log: JSON lines on standard output, or on `destination`.
 * @param service which kind of process it is, in every line
 */
export function createLog(
  service: 'gateway' | 'node',
  level: string,
  destination?: DestinationStream,
): Logger {
  const log: Logger = pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        err: (error: unknown) => describeError(error),
        error: (error: unknown) => describeError(error),
      },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[redacted]',
      },
    },
    destination ??
      new LogOutput({
        fd: 1,
        complain,
        onReturned: (lines) => log.error({ lines }, 'lines of the log were lost'),
      }),
  );
  return log;
}
