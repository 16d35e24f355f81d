import { BedsideError, clientCommands, clientEvents, TokenClaims } from '@bedside/protocol';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import * as z from 'zod/mini';
import { arbitraryOf, jsonSchemaOf } from '../../../protocol/src/testing.ts';
import { unwrap } from './answer.ts';
import { parse, type Shape } from './shape.ts';
import { shapeOf } from './shape-of.ts';
import { claimsShape, visitAnswers, visitEvents } from './shapes.ts';

const refusalOf = (shape: Shape<unknown>, value: unknown): string | undefined => {
  try {
    parse(shape, value);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(BedsideError);
    return (error as BedsideError).field;
  }
};

/** A copy with another value at one place; `undefined` is JSON's for "absent". */
function spoilt(value: unknown, [key, ...path]: string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as never;
  Object.assign(copy, { [key]: spoilt(value?.[key as keyof typeof value], path, by) });
  return JSON.parse(JSON.stringify(copy));
}

/** Of the value and all that is in it. */
function pathsOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [
    [],
    ...Object.entries(value).flatMap(([key, inner]) =>
      pathsOf(inner).map((path) => [key, ...path]),
    ),
  ];
}

/** What a schema refuses for its type; sizes and ranges are not a shape's business. */
const isOfType = (issue: z.core.$ZodIssue): boolean =>
  ['invalid_type', 'invalid_value', 'invalid_union'].includes(issue.code);

describe.each<[string, z.ZodMiniType, Shape<unknown>]>([
  ['token', TokenClaims, claimsShape],
  ...Object.entries(clientEvents).map(
    ([name, { payload }]) =>
      [`event ${name}`, payload, visitEvents[name as keyof typeof visitEvents]] as never,
  ),
  ...Object.entries(clientCommands).map(
    ([name, { response }]) =>
      [`answer to ${name}`, response, visitAnswers[name as keyof typeof visitAnswers]] as never,
  ),
])('the shape of %s', (_name, schema, shape) => {
  const valid = arbitraryOf(jsonSchemaOf(schema)).map((value) => JSON.parse(JSON.stringify(value)));

  it('takes whatever the schema takes', () => {
    fc.assert(
      fc.property(valid, (value) => {
        expect(refusalOf(shape, value)).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  it('refuses what is of another type, as the schema does, and nothing else', () => {
    const wrong = valid.chain((value) =>
      fc.record({
        value: fc.constant(value),
        path: fc.constantFrom(...pathsOf(value)),
        by: fc.constantFrom(undefined, null, true, 7, '', 'other', [], {}, [null]),
      }),
    );
    fc.assert(
      fc.property(wrong, ({ value, path, by }) => {
        const message = spoilt(value, path, by);
        const { error } = z.safeParse(schema, message);
        if (!error) expect(refusalOf(shape, message)).toBeUndefined();
        else if (error.issues.some(isOfType)) expect(refusalOf(shape, message)).toBeDefined();
      }),
      { numRuns: 200 },
    );
  });
});

describe('parse', () => {
  const shape = shapeOf(
    z.object({
      id: z.string().check(z.minLength(1)),
      parts: z.array(z.object({ kind: z.enum(['audio', 'video']), gain: z.optional(z.number()) })),
      parameters: z.record(z.string(), z.union([z.string(), z.number()])),
      to: z.nullable(z.string()),
    }),
  );
  const value = { id: 'i', parts: [{ kind: 'audio' }], parameters: { a: 1 }, to: null };

  it('gives the very value, with fields that it does not know', () => {
    const newer = { ...value, more: 1 };
    expect(parse(shape, newer)).toBe(newer);
  });

  test.each([
    ['a field that is missing', { ...value, to: undefined }, 'to'],
    ['an empty id', { ...value, id: '' }, 'id'],
    ['one deep inside', { ...value, parts: [...value.parts, { kind: 'smell' }] }, 'parts.1.kind'],
    ['an optional one', { ...value, parts: [{ kind: 'audio', gain: null }] }, 'parts.0.gain'],
    ['an entry of a map', { ...value, parameters: { a: {} } }, 'parameters.a'],
    ['a list that is none', { ...value, parts: {} }, 'parts'],
    ['the whole, where that is wrong', [], '(root)'],
    ['the whole, where there is nothing', undefined, '(root)'],
  ])('names %s', (_name, wrong, field) => {
    expect(refusalOf(shape, wrong)).toBe(field);
  });
});

describe('unwrap', () => {
  const shape = shapeOf(z.object({ producerId: z.string() }));
  const error = { code: 'conflict', kind: 'protocol', retryable: false, message: 'No.' };

  it('gives the data of an acknowledgement', () => {
    expect(unwrap(shape, { ok: true, data: { producerId: 'p' } })).toEqual({ producerId: 'p' });
  });

  it('throws the error of an acknowledgement', () => {
    expect(() => unwrap(shape, { ok: false, error })).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
  });

  test.each([
    ['no acknowledgement', 'ok'],
    ['nothing', undefined],
    ['no outcome', { data: {} }],
    ['no data', { ok: true }],
    ['wrong data', { ok: true, data: { producerId: 1 } }],
    ['an error without code', { ok: false, error: { ...error, code: undefined } }],
  ])('refuses %s', (_name, answer) => {
    expect(() => unwrap(shape, answer)).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
  });
});

describe('shapeOf', () => {
  test.each([
    ['a default, which the page would have to fill in', z._default(z.boolean(), false)],
    ['a tuple', z.object({ pair: z.tuple([z.string()]) })],
  ])('refuses %s', (_name, schema) => {
    expect(() => shapeOf(schema)).toThrow();
  });
});
