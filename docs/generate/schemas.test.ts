import * as protocol from '@bedside/protocol';
import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { mergeComments, readComments } from './comments.ts';
import { SchemaTables } from './schemas.ts';

const comments = readComments(`
export const message = z.object({
  /** How many. */
  count: z.int(),
});
/** Opaque. */
export const VisitId = opaqueId();
`);
const rowsOf = (schema: z.ZodMiniType) =>
  new SchemaTables(comments).message(schema, 'message').split('\n').slice(2);

test('a field has its form, its bounds and what is said of it', () => {
  const schema = z.object({
    count: z.int().check(z.minimum(1), z.maximum(3)),
    name: z.optional(z.string().check(z.maxLength(9))),
    flag: z.nullable(z.boolean()),
    share: z.number().check(z.minimum(0)),
    kind: z.enum(['a', 'b', 'c']),
  });
  expect(rowsOf(schema)).toEqual([
    '| `count` | whole number (1 to 3) | How many. |',
    '| `name?` | text (up to 9 characters) |  |',
    '| `flag` | true or false or `null` |  |',
    '| `share` | number (0 or more) |  |',
    '| `kind` | `a`, `b` or `c` |  |',
  ]);
});

test('lists and objects in it have rows of their own', () => {
  const schema = z.object({
    list: z.array(z.object({ port: z.int() })).check(z.maxLength(4)),
    inner: z.object({ deep: z.literal('x') }),
  });
  expect(rowsOf(schema)).toEqual([
    '| `list` | list (up to 4) of objects |  |',
    '| `list[].port` | whole number |  |',
    '| `inner` | object |  |',
    '| `inner.deep` | `"x"` |  |',
  ]);
});

test('a named type is a link, and is explained once', () => {
  const tables = new SchemaTables(comments);
  const schema = z.object({ visit: protocol.VisitId, grants: z.array(protocol.Grant) });
  expect(tables.message(schema, 'message')).toContain(
    '| `visit` | [VisitId](#visitid) | Opaque. |',
  );
  const types = tables.types();
  expect(types).toContain('<a id="visitid"></a>VisitId');
  expect(types).toContain('<a id="grant"></a>Grant | `publish-audio`,');
  expect(types).not.toContain('VisitView');
  tables.message(schema, 'message');
  expect(tables.types()).not.toContain('VisitId');
});

test('a type that a type mentions is explained too', () => {
  const tables = new SchemaTables(mergeComments([]));
  tables.message(z.object({ visit: protocol.VisitView }), 'message');
  expect(tables.types()).toContain('#### ParticipantView');
});

test('a message that nobody has said anything of stops the generator', () => {
  expect(() => new SchemaTables(comments).meaning('clientCommands', 'dance')).toThrow(
    'clientCommands.dance has no doc comment',
  );
});
