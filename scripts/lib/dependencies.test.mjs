import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './paths.mjs';

it('the lock file holds the packages of every platform: npm ci refuses one that does not', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const held = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  // A registry that lacks some of them leaves them out without a word: then an older version is due.
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !held.has(name));
  expect(missing).toEqual([]);
  expect(held.size).toBeGreaterThan(100);
});
