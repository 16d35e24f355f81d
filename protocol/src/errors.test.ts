import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorBody, ErrorKind } from './contract.ts';
import { BedsideError, ERROR_CODES, ERRORS, type ErrorCode, toBedsideError } from './errors.ts';

/**
 * What others have built on: portals switch on codes, clients retry by `retryable`. An entry may be
 * added here with its error; one that is here never changes.
 */
const PUBLISHED: Record<string, [kind: string, retryable: boolean, status: number]> = {
  unauthorized: ['user', false, 401],
  forbidden: ['user', false, 403],
  'visit-ended': ['user', false, 410],
  removed: ['user', false, 403],
  'already-admitted': ['user', false, 409],
  'invite-used': ['user', false, 403],
  'call-taken': ['user', false, 409],
  replaced: ['user', false, 409],
  'session-expired': ['protocol', false, 409],
  'limit-reached': ['user', false, 429],
  'rate-limited': ['user', true, 429],
  'media-unsupported': ['user', false, 422],
  'invalid-request': ['protocol', false, 400],
  'unknown-command': ['protocol', false, 404],
  'unsupported-version': ['protocol', false, 426],
  'not-joined': ['protocol', false, 409],
  'not-found': ['protocol', false, 404],
  conflict: ['protocol', false, 409],
  'stale-epoch': ['protocol', false, 409],
  moved: ['unavailable', true, 409],
  capacity: ['unavailable', true, 503],
  'media-unavailable': ['unavailable', true, 503],
  'media-lost': ['unavailable', true, 503],
  'state-unavailable': ['unavailable', true, 503],
  'shutting-down': ['unavailable', true, 503],
  deadline: ['unavailable', true, 504],
  internal: ['internal', false, 500],
  'connection-failed': ['unavailable', true, 503],
  'token-unavailable': ['unavailable', true, 503],
  'permission-denied': ['user', true, 403],
  'device-not-found': ['user', true, 404],
  'device-in-use': ['user', true, 409],
  'insecure-context': ['user', false, 400],
  'permissions-policy': ['user', false, 403],
  'browser-unsupported': ['user', false, 400],
  'autoplay-blocked': ['user', true, 409],
};

const anyCode = fc.constantFrom(...ERROR_CODES);
/** Names that every object inherits, besides those that nobody has heard of. */
const unknownCode = fc.oneof(
  fc.constantFrom('constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'),
  fc.stringMatching(/^[a-z-]{1,64}$/).filter((code) => !Object.hasOwn(ERRORS, code)),
);
const details = fc.record(
  { field: fc.string({ maxLength: 400 }), retryAfterMs: fc.nat() },
  { requiredKeys: [] },
);

describe('the registry', () => {
  test('is what was published: codes are added, never changed', () => {
    const entries = Object.entries(ERRORS).map(([code, { kind, retryable, status }]) => [
      code,
      [kind, retryable, status],
    ]);
    expect(Object.fromEntries(entries)).toEqual(PUBLISHED);
  });

  test.each(Object.entries(ERRORS))('%s tells the person what to do', (code, definition) => {
    expect(ErrorKind.options).toContain(definition.kind);
    expect(definition.status).toBeGreaterThanOrEqual(400);
    expect(definition.text).toMatch(/^[A-Z].*\.$/s);
    // The person is not shown codes.
    if (code.includes('-')) expect(definition.text).not.toContain(code);
  });

  test('what is our fault is not worth the same request again', () => {
    for (const { kind, retryable } of Object.values(ERRORS)) {
      if (kind === 'internal' || kind === 'protocol') expect(retryable).toBe(false);
      if (kind === 'unavailable') expect(retryable).toBe(true);
    }
  });
});

describe('a BedsideError', () => {
  test('crosses a boundary and is the same', () => {
    fc.assert(
      fc.property(anyCode, details, (code, options) => {
        const error = new BedsideError(code, options);
        const body: unknown = JSON.parse(JSON.stringify(error.toBody()));
        const { name, message, kind, retryable, field, retryAfterMs } = error;
        expect(BedsideError.fromBody(ErrorBody.parse(body))).toMatchObject({
          name,
          code,
          kind,
          retryable,
          message,
          field,
          retryAfterMs,
        });
      }),
    );
  });

  test('never takes its cause across', () => {
    const secret = 'eyJhbGciOi.secret';
    const causes = fc.constantFrom<unknown>(
      secret,
      new Error(secret),
      { token: secret },
      new BedsideError('internal', { cause: secret }),
    );
    fc.assert(
      fc.property(anyCode, causes, (code, cause) => {
        const error = new BedsideError(code, { cause });
        expect(error.cause).toBe(cause);
        expect(JSON.stringify(error.toBody())).not.toContain(secret);
        // Should somebody put the error itself into a message, it is not in there either.
        expect(JSON.stringify(error)).not.toContain(secret);
      }),
    );
  });

  test('has text and kind of its code', () => {
    for (const code of ERROR_CODES) {
      const { text: message, kind, retryable } = ERRORS[code];
      expect(new BedsideError(code)).toMatchObject({ message, kind, retryable });
    }
  });
});

describe('an error of a newer peer', () => {
  const bodies = fc.record({
    code: unknownCode,
    kind: fc.constantFrom(...ErrorKind.options),
    retryable: fc.boolean(),
    message: fc.string({ maxLength: 512 }),
  });

  test('is survived: a code that is known stands for it, the rest is as the peer says', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const error = BedsideError.fromBody(ErrorBody.parse(body));
        expect(ERROR_CODES).toContain(error.code);
        const { kind, retryable, message } = body;
        expect(error).toMatchObject({ kind, retryable, message, cause: body });
        expect(ErrorBody.safeParse(error.toBody()).success).toBe(true);
      }),
    );
  });

  test.each<[ErrorKind, ErrorCode]>([
    ['user', 'internal'],
    ['protocol', 'invalid-request'],
    ['unavailable', 'media-unavailable'],
    ['internal', 'internal'],
  ])('of kind %s is %s here', (kind, code) => {
    const body = { code: 'from-the-future', kind, retryable: false, message: 'Later.' };
    expect(BedsideError.fromBody(body).code).toBe(code);
  });
});

describe('toBedsideError', () => {
  test('keeps what is one', () => {
    const error = new BedsideError('conflict');
    expect(toBedsideError(error)).toBe(error);
  });

  test('takes everything else for an internal error with that cause', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const error = toBedsideError(thrown);
        expect(error.code).toBe('internal');
        expect(Object.is(error.cause, thrown)).toBe(true);
      }),
    );
  });
});
