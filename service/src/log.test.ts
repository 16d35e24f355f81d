import { BedsideError } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLog } from './log.ts';

const MARK = 'MARKED';

/** What is written by some log calls, at the level that writes most. */
function written(use: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  use(createLog('gateway', 'trace', { write: (line) => void lines.push(line) }));
  return lines.join('');
}
const describing = (error: unknown) => written((log) => log.error({ err: error }, 'failed'));

test('lines are JSON with time, level, service and message', () => {
  const line = JSON.parse(written((log) => log.info({ port: 7000 }, 'started')));
  expect(line).toEqual({
    level: 'info',
    time: expect.any(String),
    service: 'gateway',
    port: 7000,
    msg: 'started',
  });
  expect(new Date(line.time).toISOString()).toBe(line.time);
});

test('fields that a person could be found by are cut, at each depth that is logged', () => {
  const fields = [
    ...[
      'token',
      'secret',
      'controlSecret',
      'apiKey',
      'authorization',
      'cookie',
      'auth',
      'password',
      'credential',
    ],
    ...['name', 'participant', 'participantId', 'visit', 'visitId', 'sub', 'jti', 'sessionId'],
    ...['sdp', 'rtpParameters', 'rtpCapabilities', 'dtlsParameters', 'iceParameters'],
    ...['iceCandidates', 'srtp', 'keyBase64', 'address', 'headers', 'query', 'request', 'payload'],
  ];
  for (const field of fields) {
    for (const value of [MARK, { inner: MARK }, [MARK]]) {
      for (const object of [
        { [field]: value },
        { a: { [field]: value } },
        { a: { b: { [field]: value } } },
      ]) {
        expect(
          written((log) => log.info(object)),
          JSON.stringify(object),
        ).not.toContain(MARK);
      }
    }
  }
});

test('bindings of a child are cut as well', () => {
  expect(written((log) => log.child({ token: MARK, a: { name: MARK } }).info('x'))).not.toContain(
    MARK,
  );
});

describe('of an error', () => {
  test('type, code, message, frames and causes are written', () => {
    const cause = Object.assign(new TypeError('inner fault'), { code: 'EINNER' });
    const { err } = JSON.parse(describing(new Error('outer fault', { cause })));
    expect(err).toMatchObject({
      type: 'Error',
      message: 'outer fault',
      cause: { type: 'TypeError', code: 'EINNER', message: 'inner fault' },
    });
    expect(err.stack[0]).toMatch(/^at /);
  });

  test('nothing that hangs on it is written', () => {
    const error = Object.assign(new Error('x'), { config: { token: MARK }, command: [MARK] });
    expect(describing(error)).not.toContain(MARK);
  });

  test('what a parser quotes of its input is masked', () => {
    const filler = fc.string({ unit: fc.constantFrom(...'"\'`[]{}:,\\ \nx1') });
    fc.assert(
      fc.property(filler, filler, (before, after) => {
        try {
          JSON.parse(before + MARK + after);
        } catch (error) {
          expect(describing(error), String(error)).not.toContain(MARK);
        }
      }),
    );
  });

  test('a token in its message is masked, wherever it stands', () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJNQVJLRUQifQ.c2lnbmF0dXJl';
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        fc.pre(!/[A-Za-z0-9_-]$/.test(before) && !/^[A-Za-z0-9_.-]/.test(after));
        expect(describing(new Error(`${before}${token}${after}`))).not.toContain('eyJpc3Mi');
      }),
    );
  });

  test('no frame is written that its message has made up', () => {
    const framesOf = (error: Error) => JSON.parse(describing(error)).err.stack;
    const error = new Error(`bad input\n    at ${MARK} (somewhere)`);
    expect(framesOf(error)).not.toHaveLength(0);
    expect(JSON.stringify(framesOf(error))).not.toContain(MARK);
    error.message = 'changed since';
    expect(framesOf(error)).toEqual([]);
  });

  test('only our own texts are written as they are', () => {
    const { err } = JSON.parse(describing(new BedsideError('not-found', { cause: `"${MARK}"` })));
    expect(err).toMatchObject({ code: 'not-found', cause: { type: 'string' } });
  });

  test('a chain of causes is followed three deep, and a circle ends', () => {
    const error = new Error('a');
    error.cause = error;
    expect(describing(error).match(/"message"/g)).toHaveLength(4);
  });

  test('a value that is none gives its type', () => {
    expect(JSON.parse(describing(MARK)).err).toEqual({ type: 'string' });
  });
});
