import { expect, test } from 'vitest';
import { list, number, remark, table } from './markdown.ts';

test('a table keeps its columns, whatever is in a cell', () => {
  expect(table(['A', 'B'], [['x | y', 'two\nlines']])).toBe(
    '| A | B |\n| --- | --- |\n| x \\| y | two lines |',
  );
});

test('words are joined as people write them', () => {
  expect(list([])).toBe('');
  expect(list(['a'])).toBe('a');
  expect(list(['a', 'b', 'c'])).toBe('a, b or c');
  expect(remark('')).toBe('');
  expect(remark('more')).toBe(' (more)');
  expect(number(65_536)).toBe('65,536');
});
