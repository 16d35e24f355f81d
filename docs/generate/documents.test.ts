import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  AckEnvelope,
  ClientHandshake,
  clientCommands,
  clientEvents,
  controlCommands,
  controlEvents,
  ERROR_CODES,
  parse,
} from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import type * as z from 'zod/mini';
import { PORTAL_VARIABLES } from '../../examples/portal/src/config.ts';
import { NodeEnvironment, unknownVariables as unknownToNode } from '../../sfu/src/config.ts';
import { createMetrics as createNodeMetrics, NO_NODE } from '../../sfu/src/metrics.ts';
import {
  GATEWAY_VARIABLES,
  unknownVariables as unknownToGateway,
} from '../../signaling/src/config.ts';
import { createMetrics as createGatewayMetrics } from '../../signaling/src/metrics.ts';
import { SCRIPT_VARIABLES } from './configuration.ts';
import { documents } from './documents.ts';
import { fill } from './protocol.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const generated = documents();

describe.each(Object.keys(generated))('docs/%s', (name) => {
  test('is what the code says', () => {
    const path = join(root, 'docs', name);
    const current = existsSync(path) && readFileSync(path, 'utf8') === generated[name];
    expect(current, `docs/${name} is not current: run npm run docs`).toBe(true);
  });
});

test('docs/openapi.json refers to nothing but what is in it', () => {
  const text = generated['openapi.json'] ?? '';
  const document: unknown = JSON.parse(text);
  // A JSON pointer, as RFC 6901 reads it.
  const at = (pointer: string): unknown =>
    pointer
      .split('/')
      .slice(1)
      .reduce<unknown>((found, key) => (found as Record<string, unknown>)?.[key], document);
  const refs = [...text.matchAll(/"\$ref": "#([^"]+)"/g)].map(([, to = '']) => to);
  expect(refs.length).toBeGreaterThan(20);
  expect(refs.filter((to) => at(to) === undefined)).toEqual([]);
});

describe('nothing is left out', () => {
  const headings = (name: string) => [...headingsOf(generated[name] ?? '')];

  test.each(ERROR_CODES)('errors.md has %s', (code) => {
    expect(headings('errors.md')).toContain(code);
  });

  test.each([...Object.keys(clientCommands), ...Object.keys(clientEvents)])(
    'protocol.md has %s',
    (name) => {
      expect(headings('protocol.md')).toContain(name);
    },
  );

  test.each([...Object.keys(controlCommands), ...Object.keys(controlEvents)])(
    'protocol.md has %s of the control link',
    (name) => {
      expect(headings('protocol.md')).toContain(`${name} (control link)`);
    },
  );

  test.each(metricNames())('metrics.md has %s', (name) => {
    // What gateway and node have of their process alike is listed once.
    const ofProcess = name.replace(/^bedside_(gateway|node)_/, '');
    const cells = [name, `…${ofProcess}`, ofProcess].map((text) => `\`${text}\``);
    expect(cells.some((cell) => generated['metrics.md']?.includes(cell))).toBe(true);
  });

  test.each(variableNames())('configuration.md has %s, and says what it is for', (name) => {
    expect(generated['configuration.md']).toMatch(
      new RegExp(`^\\| \`${name}\` \\| [^|]* \\| \\S.{8,} \\|$`, 'm'),
    );
  });
});

test('a variable of any component makes no other service warn of a misspelling', () => {
  const env = Object.fromEntries(
    [...variableNames(), ...composeNames()].map((name) => [name, '1']),
  );
  expect(unknownToGateway(env)).toEqual([]);
  expect(unknownToNode(env)).toEqual([]);
});

describe('the pages', () => {
  test.each(pages())('%s names variables and metrics that exist', (page) => {
    const text = read(page);
    const variables = new Set([...variableNames(), ...composeNames()]);
    const unknown = [...text.matchAll(/\b(?:BEDSIDE|PORTAL)_[A-Z0-9_]+\b/g)]
      .map(([name]) => name)
      .filter((name) => !variables.has(name));
    expect(unknown).toEqual([]);
    const metrics = new Set(metricNames());
    const unmeasured = [...text.matchAll(/\bbedside_(?:gateway|node)_\w+/g)]
      .map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
      .filter((name) => !metrics.has(name) && !metrics.has(`${name}_count`));
    expect(unmeasured).toEqual([]);
  });

  test.each(pages())('%s links to what is there', (page) => {
    const broken = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
    expect(broken).toEqual([]);
  });

  test('a link to nowhere is found', () => {
    const links = linksOf(
      '[a](nowhere.md) ![b](x.png) [c](#nope) [d](https://example.org) `[e](f)`',
    );
    expect(links).toEqual(['nowhere.md', 'x.png', '#nope']);
    for (const link of links) expect(leadsSomewhere('README.md', link)).toBe(false);
    expect(leadsSomewhere('README.md', 'docs/sdk.md#errors')).toBe(true);
    expect(leadsSomewhere('README.md', 'docs/sdk.md#nope')).toBe(false);
  });
});

describe('examples in protocol.md', () => {
  const schemas: Record<string, (name: string) => z.ZodMiniType | undefined> = {
    ack: () => AckEnvelope,
    'client-handshake': () => ClientHandshake,
    'client-event': (name) => messageOf(clientEvents, name)?.payload,
    'client-request': (name) => messageOf(clientCommands, name)?.request,
    'client-response': (name) => messageOf(clientCommands, name)?.response,
  };
  const examples = [
    ...(generated['protocol.md'] ?? '').matchAll(/^```json ?(.*)\n([\s\S]*?)^```$/gm),
  ];

  test('are there', () => {
    expect(examples.length).toBeGreaterThan(10);
  });

  test.each(examples.map(([, label = '', json = '']) => [label, json]))(
    '%s is right',
    (label, json) => {
      const [kind = '', name = ''] = label.split(' ');
      const schema = schemas[kind]?.(name);
      if (!schema) throw new Error(`no message is called ${label}`);
      const example: unknown = JSON.parse(json);
      // Equal, so that it has no field that the protocol does not know either.
      expect(parse(schema, example)).toEqual(example);
    },
  );
});

describe('fill', () => {
  test('puts in what the prose asks for', () => {
    expect(fill('{{n}} <!-- insert: t -->', { t: 'table' }, { n: '1' })).toBe('1 table');
  });

  test('refuses prose that asks for what is not there, or leaves something out', () => {
    expect(() => fill('{{m}}', {}, { n: '1' })).toThrow('asks for m');
    expect(() => fill('<!-- insert: s -->', { t: '' }, {})).toThrow('asks for s');
    expect(() => fill('{{n}}', { t: '' }, { n: '1' })).toThrow('does not use t');
  });
});

function messageOf<Message>(table: Record<string, Message>, name: string): Message | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function metricNames(): string[] {
  const node = createNodeMetrics(NO_NODE);
  return [createGatewayMetrics(), node].flatMap(({ registry }) =>
    registry.getMetricsAsArray().map(({ name }) => name),
  );
}

function variableNames(): string[] {
  return [GATEWAY_VARIABLES, NodeEnvironment.shape, PORTAL_VARIABLES, SCRIPT_VARIABLES].flatMap(
    (variables) => Object.keys(variables),
  );
}

/** What deploy/compose.yaml takes from the environment of Compose itself. */
function composeNames(): string[] {
  return [...read('deploy', 'compose.yaml').matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
}

/** Pages whose links and names must be right. The prose beside this file is held where it ends up. */
function pages(): string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.startsWith('generate'))
    .map((path) => join('docs', path));
  return ['README.md', 'deploy/README.md', ...docs];
}

const withoutCode = (markdown: string): string =>
  markdown
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/`[^`\n]*`/g, (span) => `\`${'x'.repeat(span.length - 2)}\``);

/** Targets of links and pictures that lead to this repository. */
function linksOf(markdown: string): string[] {
  // A link's text may be code; its target is not.
  return [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function* headingsOf(markdown: string): Generator<string> {
  for (const [, heading = ''] of markdown
    .replace(/^```[\s\S]*?^```$/gm, '')
    .matchAll(/^#+ (.+)$/gm))
    yield heading;
}

/** The anchors of a page, as GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set([...markdown.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id));
  for (const heading of headingsOf(markdown)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n += 1) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(root, page) : join(root, dirname(page), path);
  if (!existsSync(target)) return false;
  if (anchor === undefined) return true;
  return !statSync(target).isDirectory() && anchorsOf(readFileSync(target, 'utf8')).has(anchor);
}
