import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import en from './texts-en.js';
import es from './texts-es.js';

const tables = { en, es };
const read = (name) => readFileSync(join(import.meta.dirname, name), 'utf8');
const files = readdirSync(import.meta.dirname);
const source = (ending) =>
  files
    .filter((name) => name.endsWith(ending) && !name.startsWith('texts'))
    .map(read)
    .join('\n');
const keys = Object.keys(en).toSorted();

const written = [
  ...[...source('.html').matchAll(/data-text="([^"]+)"/g)],
  ...[...source('.js').matchAll(/'([a-z]\w*\.[\w-]+)'/gi)],
].map(([, key]) => key);
/** Keys whose end is put in: `role.${role}`. */
const composed = [...source('.js').matchAll(/`(\w+\.)\$\{/g)].map(([, prefix]) => prefix);

test.each(Object.keys(tables))('every text is there in the language %s', (lang) => {
  expect(Object.keys(tables[lang]).toSorted()).toEqual(keys);
  for (const [key, text] of Object.entries(tables[lang])) {
    expect(text.trim(), key).not.toBe('');
    const holes = (of) => [...of.matchAll(/\{\w+\}/g)].map(String).toSorted();
    expect(holes(text), key).toEqual(holes(en[key]));
  }
});

test('the pages use no other text than there is', () => {
  expect(written.filter((key) => !Object.hasOwn(en, key))).toEqual([]);
  expect(composed.filter((prefix) => !keys.some((key) => key.startsWith(prefix)))).toEqual([]);
});

test('the pages use every text', () => {
  const used = new Set(written);
  expect(
    keys.filter((key) => !used.has(key) && !composed.some((prefix) => key.startsWith(prefix))),
  ).toEqual([]);
});

test('the pages offer every language that there are texts in', () => {
  const offered = [...read('layout.html').matchAll(/<option value="(\w+)"/g)].map(
    ([, lang]) => lang,
  );
  expect(offered.toSorted()).toEqual(Object.keys(tables).toSorted());
});
