import { describe, expect, test } from 'vitest';
import { commentOn, mergeComments, readComments } from './comments.ts';

const source = `
/** Not of a declaration. */
import * as z from 'zod/mini';

/** Who may. */
const scope = {
  visit: VisitKey,
  /** Of the lease. */
  epoch: z.int(),
};

/** A list,
 *  in two lines.
 * @throws nothing that belongs here
 */
export const Things = z.object({
  /** How many. */
  count: z.int(), // /** not this one */
  text: 'a /** string */ {',
  pattern: /^[{/*]+$/,
  items: z.array(
    z.object({
      /** Deep inside. */
      deep: z.string(),
    }),
  ),
});

export const commands = {
  'do-it': define({
    request: z.object({ ...scope, Things, scope }),
  }),
};

/** A function is no constant. */
export function act(options: {
  /** Of an option. */
  count: number;
}) {}
`;
const comments = readComments(source);

describe('readComments', () => {
  test('finds what is said of constants and of their properties, and nothing else', () => {
    expect(Object.fromEntries(comments.texts)).toEqual({
      scope: 'Who may.',
      'scope.epoch': 'Of the lease.',
      Things: 'A list, in two lines.',
      'Things.count': 'How many.',
      'Things.items.deep': 'Deep inside.',
      'options.count': 'Of an option.',
    });
  });

  test('finds what is spread, and where', () => {
    expect(Object.fromEntries(comments.spreads)).toEqual({
      'commands.do-it.request': ['scope'],
    });
  });
});

describe('commentOn', () => {
  test.each([
    ['a property', 'Things', 'count', 'How many.'],
    ['a property that is spread in', 'commands.do-it.request', 'epoch', 'Of the lease.'],
    ['a constant that is a property by its name', 'commands.do-it.request', 'scope', 'Who may.'],
    ['nothing', 'Things', 'text', undefined],
  ])('gives what is said of %s', (_name, path, field, text) => {
    expect(commentOn(comments, path, field)).toBe(text);
  });

  test('looks through several sources', () => {
    const other = readComments('export const More = z.object({ ...scope });');
    expect(commentOn(mergeComments([comments, other]), 'More', 'epoch')).toBe('Of the lease.');
  });

  test('looks deep into what is spread in, and takes what is said at the place itself first', () => {
    const other = readComments(`
      export const more = {
        ...commands,
        ...Things,
        /** More of them. */
        count: 1,
      };
    `);
    const merged = mergeComments([other, comments]);
    expect(commentOn(merged, 'more.items', 'deep')).toBe('Deep inside.');
    expect(commentOn(merged, 'more.do-it.request', 'epoch')).toBe('Of the lease.');
    expect(commentOn(merged, 'more', 'count')).toBe('More of them.');
  });
});
