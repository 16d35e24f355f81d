import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { texts } from './texts.js';

const read = (name) => readFileSync(join(import.meta.dirname, name), 'utf8');
const keys = Object.keys(texts.en).toSorted();
const inPage = [...read('index.html').matchAll(/data-text="(\w+)"/g)].map(([, key]) => key);
const inScript = [...read('portal.js').matchAll(/(?:\bt|texts\[lang\])\.(\w+)/g)].map(
  ([, key]) => key,
);

test.each(Object.keys(texts))('the page has every text in the language %s', (lang) => {
  expect(Object.keys(texts[lang]).toSorted()).toEqual(keys);
  expect(Object.keys(texts[lang].roles)).toEqual(Object.keys(texts.en.roles));
  for (const text of Object.values(texts[lang])) expect(text).not.toBe('');
});

test('the page uses every text there is, and no other', () => {
  expect([...new Set([...inPage, ...inScript])].toSorted()).toEqual(keys);
});

test('the page offers every language there is', () => {
  const offered = [...read('index.html').matchAll(/<option value="(\w+)"/g)].map(
    ([, lang]) => lang,
  );
  expect([...new Set(offered)].toSorted()).toEqual(Object.keys(texts).toSorted());
});
