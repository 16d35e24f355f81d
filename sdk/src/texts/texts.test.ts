import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '@bedside/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fill, TABLES, type TextKey, type Texts, textsFor } from './index.ts';

const tables: [string, Texts][] = Object.entries(TABLES);
const { en } = TABLES;
const keys = Object.keys(en.ui) as TextKey[];
const holes = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).toSorted();

describe.each(tables)('the table %s', (tag, table) => {
  it('says its language', () => expect(table.lang).toBe(tag));

  it('has every text of the English one and no other', () => {
    expect(Object.keys(table.ui).toSorted()).toEqual(keys.toSorted());
    expect(Object.keys(table.roles).toSorted()).toEqual(Object.keys(en.roles).toSorted());
  });

  it('has a text for every error code and no other', () => {
    expect(Object.keys(table.errors).toSorted()).toEqual(ERROR_CODES.toSorted());
  });

  it('leaves nothing empty', () => {
    for (const part of [table.ui, table.roles, table.errors])
      for (const [key, text] of Object.entries(part)) expect(text.trim(), key).not.toBe('');
  });

  it('fills in what the English one fills in', () => {
    for (const key of keys) expect(holes(table.ui[key]), key).toEqual(holes(en.ui[key]));
  });

  it('tells a person in errors what happened in whole sentences', () => {
    for (const [code, text] of Object.entries(table.errors)) expect(text, code).toMatch(/[.…]$/);
  });
});

it('translates: no text of two tables is the same but by design', () => {
  const same = keys.filter((key) => TABLES.es.ui[key] === (en.ui[key] as string));
  expect(same).toEqual(['deviceNumber', 'minutes']);
});

it('has no text that the element does not use', () => {
  const folder = join(import.meta.dirname, '..', 'element');
  const code = readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  expect(keys.filter((key) => !code.includes(`'${key}'`))).toEqual([]);
});

describe('textsFor()', () => {
  it.each([
    ['es', 'es'],
    ['ES-mx', 'es'],
    ['es-419', 'es'],
    ['en-GB', 'en'],
    ['fr', 'en'],
    ['', 'en'],
    [undefined, 'en'],
  ])('%s gives %s', (tag, lang) => expect(textsFor(tag).lang).toBe(lang));

  it('takes a table of the page before its own, the exact tag before the language', () => {
    const mexican: Texts = { ...TABLES.es, lang: 'es-MX' };
    const plain: Texts = { ...en, lang: 'en' };
    expect(textsFor('es-MX', [mexican])).toBe(mexican);
    expect(textsFor('es', [mexican])).toBe(TABLES.es);
    expect(textsFor('es-AR', [mexican])).toBe(mexican);
    expect(textsFor('en-US', [plain])).toBe(plain);
  });

  it('always gives a table', () => {
    fc.assert(fc.property(fc.string(), (tag) => textsFor(tag).ui.join !== ''));
  });
});

describe('fill()', () => {
  it('fills in values and leaves what has none', () => {
    expect(fill('{name} is {what}', { name: 'Ana' })).toBe('Ana is {what}');
  });

  it('takes a value as it is: a name is no pattern', () => {
    fc.assert(fc.property(fc.string(), (name) => fill('<{name}>', { name }) === `<${name}>`));
  });
});
