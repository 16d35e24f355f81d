import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DRILLS } from '../../load-tests/drills/catalogue.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

const pages = ['alerts.md', 'backup.md', 'capacity.md', 'faults.md', 'upgrade.md'];
/** On one line: a name may be broken in two by the page's. */
const textOf = (page: string) => read('docs', 'operations', page).replaceAll(/\s+/g, ' ');

/** Sources of what runs in production. */
const sources = ['service', 'sfu', 'signaling'].flatMap((component) =>
  readdirSync(join(root, component, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => read(component, 'src', path)),
);

test('every fault drill has a run book', () => {
  const sections = [...read('docs', 'operations', 'faults.md').matchAll(/^## (.+)$/gm)].map(
    ([, name]) => name,
  );
  for (const name of Object.keys(DRILLS)) expect(sections).toContain(name);
});

describe.each(pages)('operations/%s', (page) => {
  test('quotes lines of the log that are written somewhere', () => {
    const quoted = [...textOf(page).matchAll(/`"([^`"]+)"`/g)].map(([, line = '']) => line);
    const unwritten = quoted.filter(
      (line) => !sources.some((source) => source.includes(`'${line}'`)),
    );
    expect(unwritten).toEqual([]);
  });

  test('names alerts that exist', () => {
    const rules = read('deploy', 'prometheus', 'rules.yml');
    const named = [...textOf(page).matchAll(/\bBedside[A-Z]\w+/g)].map(([name]) => name);
    expect(named.filter((name) => !rules.includes(`alert: ${name}\n`))).toEqual([]);
  });
});
