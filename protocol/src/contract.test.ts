import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { parse, unwrap } from './contract.ts';
import { BedsideError, ERROR_CODES } from './errors.ts';

const Request = z.object({
  requestId: z.string(),
  rtpParameters: z.object({ codecs: z.array(z.object({ mimeType: z.string() })) }),
});

const thrownBy = (act: () => unknown): unknown => {
  try {
    return { returned: act() };
  } catch (error) {
    return error;
  }
};

describe('parse', () => {
  test('gives the value as the schema types it', () => {
    const value = { requestId: 'r', rtpParameters: { codecs: [{ mimeType: 'audio/opus' }] } };
    expect(parse(Request, { ...value, more: 1 })).toEqual(value);
  });

  test.each([
    ['a field that is missing', { rtpParameters: { codecs: [] } }, 'requestId'],
    [
      'one deep inside',
      { requestId: 'r', rtpParameters: { codecs: [{ mimeType: 1 }] } },
      'rtpParameters.codecs.0.mimeType',
    ],
    ['the first of several', { requestId: 1, rtpParameters: 1 }, 'requestId'],
    ['the whole, where that is wrong', 'text', '(root)'],
    ['the whole, where there is nothing', undefined, '(root)'],
  ])('names %s', (_name, value, field) => {
    expect(thrownBy(() => parse(Request, value))).toMatchObject({
      code: 'invalid-request',
      kind: 'protocol',
      field,
    });
  });

  test('names a field that there is not, where none is allowed besides', () => {
    const Strict = z.object({ inner: z.strictObject({ a: z.optional(z.string()) }) });
    expect(thrownBy(() => parse(Strict, { inner: { b: 1, c: 2 } }))).toMatchObject({
      code: 'invalid-request',
      field: 'inner.b',
    });
  });

  test('cuts the name of a field that a stranger made long', () => {
    const Parameters = z.record(z.string().check(z.maxLength(4)), z.string());
    const refusal = thrownBy(() =>
      parse(Parameters, { ['k'.repeat(100_000)]: 'v' }),
    ) as BedsideError;
    expect(refusal.toBody().field).toHaveLength(256);
  });
});

describe('unwrap', () => {
  const Data = z.object({ producerId: z.string() });
  const error = { code: 'conflict', kind: 'protocol', retryable: false, message: 'No.' };

  test('gives the data of an acknowledgement', () => {
    expect(unwrap(Data, { ok: true, data: { producerId: 'p' } })).toEqual({ producerId: 'p' });
  });

  test('throws the error of an acknowledgement', () => {
    expect(thrownBy(() => unwrap(Data, { ok: false, error }))).toMatchObject({ code: 'conflict' });
  });

  test.each([
    ['no acknowledgement', 'ok', '(root)'],
    ['nothing', undefined, '(root)'],
    ['no outcome', { data: {} }, 'ok'],
    ['no data', { ok: true }, 'data'],
    ['wrong data', { ok: true, data: { producerId: 1 } }, 'producerId'],
    ['an error without code', { ok: false, error: { ...error, code: undefined } }, 'error.code'],
  ])('refuses %s', (_name, answer, field) => {
    expect(thrownBy(() => unwrap(Data, answer))).toMatchObject({ code: 'invalid-request', field });
  });

  test('throws nothing but a BedsideError of the registry, whatever it is given', () => {
    const answers = fc.oneof(
      fc.jsonValue(),
      fc.record({ ok: fc.boolean(), data: fc.jsonValue(), error: fc.jsonValue() }),
      fc.record({
        ok: fc.constant(false),
        error: fc.record({
          code: fc.oneof(fc.string(), fc.constantFrom('constructor', '__proto__', 'toString')),
          kind: fc.constantFrom('user', 'protocol', 'unavailable', 'internal'),
          retryable: fc.boolean(),
          message: fc.string(),
        }),
      }),
    );
    fc.assert(
      fc.property(answers, (answer) => {
        const outcome = thrownBy(() => unwrap(Data, answer));
        if (outcome instanceof BedsideError) expect(ERROR_CODES).toContain(outcome.code);
        else expect(outcome).toHaveProperty('returned.producerId');
      }),
      { numRuns: 300 },
    );
  });
});
