import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '@bedside/protocol';
import { describe, expect, it } from 'vitest';
import { styles } from './element/styles.ts';

const read = (...path: string[]): string =>
  readFileSync(join(import.meta.dirname, ...path), 'utf8');
const guide = read('..', '..', 'docs', 'sdk.md');
const element = readdirSync(join(import.meta.dirname, 'element'))
  .filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
  .map((name) => read('element', name))
  .join('\n');
const types = read('types.ts');

const all = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, found = '']) => found))].toSorted();
/** The part of the guide below a heading, up to the next one. */
function below(heading: string): string {
  const [, text] = guide.split(`${heading}\n`);
  if (text === undefined) throw new Error(`docs/sdk.md has no "${heading}"`);
  return text.split(/^#+ /m)[0] ?? '';
}
/** What stands between backticks in the first column of the tables. */
const firstColumn = (text: string): string[] =>
  all(
    text
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|')[1])
      .join('\n'),
    /`([^`]+)`/g,
  );
/** Names of members of an interface in types.ts. */
function members(name: string): string[] {
  const body = types.split(`export interface ${name} {`)[1]?.split('\n}')[0] ?? '';
  return all(body, /^ {2}(?:readonly )?(\w+)[:(<?]/gm);
}

describe('docs/sdk.md', () => {
  it('has every CSS custom property with its default, and no other', () => {
    const inCode = all(styles.cssText, /var\((--bedside-[a-z-]+)/g);
    const rows = below('### Theming').matchAll(/^\| `(--bedside-[a-z-]+)` +\| (.+?) +\|/gm);
    const documented = new Map([...rows].map(([, name = '', value = '']) => [name, value]));
    expect([...documented.keys()].toSorted()).toEqual(inCode);
    for (const [name, value] of documented)
      if (value.startsWith('`'))
        expect(styles.cssText).toContain(`var(${name}, ${value.slice(1, -1)})`);
  });

  it('has every part, and no other', () => {
    const inCode = all(element, /part="([^"]+)"/g)
      .join(' ')
      // What is filled in stands in the text of the table.
      .replaceAll(/\S*\$\{[^}]*\}/g, '')
      .split(/\s+/)
      .filter(Boolean);
    const documented = all(below('### Theming').split('::part()')[1] ?? '', /`([a-z-]+)`/g);
    const filledIn = [
      'camera',
      'screen',
      'exam',
      'self',
      '-camera',
      '-devices',
      '-end',
      '-exam',
      '-leave',
      '-screen',
    ];
    expect(documented).toEqual(
      [...new Set([...inCode, ...filledIn, 'button-microphone'])].toSorted(),
    );
  });

  it('has every event of the element, and no other', () => {
    const map = element.split('interface BedsideVisitEventMap {')[1]?.split('\n}')[0] ?? '';
    expect(firstColumn(below('### Events'))).toEqual(all(map, /^ {2}'(bedside-[a-z-]+)':/gm));
  });

  it('has every attribute and property of the element', () => {
    const declared = element.split('override readonly properties = {')[1]?.split('  };')[0] ?? '';
    const table = below('### Attributes and properties');
    for (const name of all(declared, /^ {4}(\w+):/gm)) expect(table, name).toContain(`\`${name}\``);
  });

  it('has every event of a visit, and no other', () => {
    const events = below('## Without the element').split('| Event  ')[1] ?? '';
    expect(firstColumn(events)).toEqual(members('VisitEvents'));
  });

  it('has every method and property of a visit and of the participants in it', () => {
    const text = below('## Without the element');
    const names = ['VisitApi', 'LocalParticipant', 'Participant'].flatMap(members);
    expect(names.length).toBeGreaterThan(25);
    for (const name of names) expect(text, name).toMatch(new RegExp(`\\b${name}\\b`));
  });

  it('names errors that there are', () => {
    const codes: readonly string[] = ERROR_CODES;
    const named = firstColumn(below('## Errors'));
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((code) => !codes.includes(code))).toEqual([]);
  });

  it('allows a frame every feature that the element uses', () => {
    const code = ['media/capture.ts', 'element/wake-lock.ts', 'media/playback.ts']
      .map((name) => read(name))
      .join();
    const uses: Record<string, string> = {
      camera: 'getUserMedia',
      microphone: 'getUserMedia',
      'display-capture': 'getDisplayMedia',
      autoplay: 'play()',
      'speaker-selection': 'setSinkId',
      'screen-wake-lock': 'wakeLock',
    };
    const allowed = /allow="([^"]+)"/.exec(guide)?.[1]?.split('; ') ?? [];
    expect(allowed.toSorted()).toEqual(Object.keys(uses).toSorted());
    for (const call of Object.values(uses)) expect(code).toContain(call);
  });
});
