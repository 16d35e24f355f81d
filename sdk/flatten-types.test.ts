import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flattenTypes } from './flatten-types.ts';

/** As zod: schemas that carry what they infer. */
const SCHEMA = `
export interface Schema<T> { readonly output: T }
export type infer<S extends Schema<unknown>> = S['output'];
`;

/** What becomes of these files, of which index.d.ts is the module. */
async function flatten(
  files: Record<string, string>,
  { values = [] as string[] } = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-flatten-'));
  try {
    const compilerOptions = {
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      types: [],
    };
    const all = {
      'tsconfig.json': JSON.stringify({ compilerOptions, files: ['index.d.ts'] }),
      'node_modules/schema/index.d.ts': SCHEMA,
      ...files,
    };
    for (const [name, text] of Object.entries(all)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    return flattenTypes(join(folder, 'tsconfig.json'), values);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('flattenTypes', () => {
  it('takes what an export reaches, and nothing else', async () => {
    const text = await flatten({
      'index.d.ts': "export { Room } from './room.js';",
      'room.d.ts': `import type { Place as Where } from './place.js';
        export interface Room { where: Where; other: import('./place.js').Other }
        export interface Unused { x: 1 }`,
      'place.d.ts': `export type Place = 'main' | 'hold';
        export interface Other { on: boolean }
        export interface Unused { y: 1 }`,
    });
    expect(text).toContain('interface Room { where: Place; other: Other }');
    expect(text).toContain("type Place = 'main' | 'hold';");
    expect(text).toContain('interface Other { on: boolean }');
    expect(text).not.toContain('Unused');
    expect(text).not.toContain('import');
  });

  it('exports the types that are mentioned, and values only where the module does', async () => {
    const text = await flatten(
      {
        'index.d.ts': "export { Room, open } from './room.js';",
        'room.d.ts': `declare class Base { id: Id }
          type Id = string;
          export declare class Room extends Base {}
          export declare const open: (room: Room) => void;`,
      },
      { values: ['open'] },
    );
    expect(text).toMatch(/export \{\n {2}open,\n {2}type Id,\n {2}type Room,\n\};\n$/);
    expect(text).toContain('declare class Base { id: Id }');
  });

  it('writes out what a package infers, with the docstring of its schema', async () => {
    const text = await flatten({
      'index.d.ts': "export type { Role } from './role.js';",
      'role.d.ts': `import * as z from 'schema';
        /** Who somebody is. */
        export declare const Role: z.Schema<'patient' | 'provider'>;
        export type Role = z.infer<typeof Role>;`,
    });
    expect(text).toBe(
      "/** Who somebody is. */\ntype Role = 'patient' | 'provider';\n\nexport {\n  type Role,\n};\n",
    );
  });

  it('writes out what is inferred from a value that the module keeps to itself', async () => {
    const files = {
      'index.d.ts': "export { type Key, texts } from './texts.js';",
      'texts.d.ts': `export declare const texts: { a: string; b: string };
        export type Key = keyof typeof texts;`,
    };
    expect(await flatten(files, { values: ['texts'] })).toContain('type Key = keyof typeof texts;');
    const alone = { ...files, 'index.d.ts': "export type { Key } from './texts.js';" };
    expect(await flatten(alone)).toBe("type Key = 'a' | 'b';\n\nexport {\n  type Key,\n};\n");
  });

  it('says which export needs a package, and by what way', async () => {
    await expect(
      flatten({
        'index.d.ts': "export type { Room } from './room.js';",
        'room.d.ts': `import * as z from 'schema';
          declare const View: z.Schema<{ id: string }>;
          type View = z.infer<typeof View>;
          export interface Room { view: View }`,
      }),
    ).rejects.toThrow('Room > View needs z of schema/index.d.ts');
  });

  it('refuses two declarations of one name', async () => {
    await expect(
      flatten({
        'index.d.ts': "export type { State } from './a.js';\nexport type { Room } from './b.js';",
        'a.d.ts': 'export interface State { a: 1 }',
        'b.d.ts': 'interface State { b: 1 }\nexport interface Room { state: State }',
      }),
    ).rejects.toThrow(/two declarations are called State, .*reached by Room > State/);
  });

  it('refuses a declaration that would change what another means by a name of the browser', async () => {
    await expect(
      flatten({
        'index.d.ts': "export type { Event } from './a.js';\nexport type { Room } from './b.js';",
        'a.d.ts': 'export interface Event { a: 1 }',
        'b.d.ts': 'export interface Room { last: Event }',
      }),
    ).rejects.toThrow(/Room means the global Event/);
  });

  it('takes what modules add to the global scope', async () => {
    const text = await flatten({
      'index.d.ts': `import type { Room } from './room.js';
        export {};
        declare global { interface Window { room: Room } }`,
      'room.d.ts': 'export interface Room { id: string }',
    });
    expect(text).toContain('declare global { interface Window { room: Room } }');
    expect(text).toContain('interface Room { id: string }');
  });

  it('refuses a module and declarations that differ in their values', async () => {
    const files = { 'index.d.ts': 'export declare const open: () => void;' };
    await expect(flatten(files, { values: ['open', 'close'] })).rejects.toThrow(
      'exported, but not declared: close',
    );
    await expect(flatten(files)).rejects.toThrow('declared, but not exported: open');
  });
});
