import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { clientCommands } from './client.ts';
import { boundsOf, jsonSchemaOf, unboundedIn } from './testing.ts';

describe('unboundedIn', () => {
  test.each([
    ['a text', z.object({ a: z.string() }), ['a']],
    ['a text that only looks bounded', z.object({ a: z.string().check(z.regex(/^a+$/)) }), ['a']],
    ['a list', z.object({ a: z.array(z.boolean()) }), ['a']],
    [
      'a text in a list in a union',
      z.object({ a: z.union([z.int(), z.array(z.string()).check(z.maxLength(2))]) }),
      ['a.[]'],
    ],
    ['a map', z.object({ a: z.record(z.string(), z.string()) }), ['a', 'a.(key)', 'a.(value)']],
    [
      'what is not named',
      z.object({ a: z.looseObject({ b: z.string() }) }),
      ['a', 'a.(key)', 'a.(value)', 'a.b'],
    ],
    ['anything', z.object({ a: z.unknown() }), ['a']],
  ])('finds %s', (_name, schema, paths) => {
    expect(unboundedIn(jsonSchemaOf(schema))).toEqual(paths);
  });

  test('finds nothing in what has bounds', () => {
    const schema = z.object({
      a: z.array(z.string().check(z.maxLength(3))).check(z.maxLength(3)),
      b: z.enum(['x', 'y']),
      c: z.nullable(z.int()),
    });
    expect(unboundedIn(jsonSchemaOf(schema))).toEqual([]);
  });
});

describe('boundsOf', () => {
  test('reaches every bound of a message, however deep', () => {
    const paths = boundsOf(jsonSchemaOf(clientCommands.join.request), 'over').map(
      ({ path }) => path,
    );
    expect(paths).toEqual(
      expect.arrayContaining([
        'requestId',
        'rtpCapabilities.codecs',
        'rtpCapabilities.codecs.0.mimeType',
        'rtpCapabilities.codecs.0.clockRate',
        'rtpCapabilities.codecs.0.parameters',
        'rtpCapabilities.codecs.0.parameters.key',
        'rtpCapabilities.codecs.0.rtcpFeedback.0.type',
        'rtpCapabilities.headerExtensions',
      ]),
    );
  });
});
