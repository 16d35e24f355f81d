import { expect, test } from 'vitest';
import { table, withSection } from './results.ts';

const page = '# Results\n\nIntro.\n\n## `npm run a`\n\nold a\n\n## `npm run b`\n\nold b\n';

test('figures replace those of the same command and leave the others', () => {
  expect(withSection(page, 'npm run a', 'new a')).toBe(page.replace('old a', 'new a'));
});

test('figures of a new command are added at the end', () => {
  expect(withSection(page, 'npm run c', 'new c')).toBe(`${page}\n## \`npm run c\`\n\nnew c\n`);
});

test('recording the same figures twice changes nothing', () => {
  const once = withSection(page, 'npm run b', 'new b');
  expect(withSection(once, 'npm run b', 'new b')).toBe(once);
});

test('a table has one row a line', () => {
  expect(table(['', 'ms'], [['join', '23']])).toBe('|  | ms |\n| --- | --: |\n| join | 23 |');
});
