/** Makes mediasoup-client, and what came with it, smaller on its way into the scripts. */
import { globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Plugin, transform } from 'esbuild';

const require = createRequire(import.meta.url);

/** What TypeScript writes into each CommonJS file for `import *`; a module does for its named exports. */
const IMPORT_STAR = /var __createBinding = [\s\S]+?var __importStar = [\s\S]+?\n\}\)\(\);\n/;
/**
 * They are off, and would write RTP parameters of a visit to the console of whoever turned them on by
 * a key in localStorage.
 */
const LOGGER_CALLS = /\b\w*logger\.(?=(debug|warn|error)\()/gi;
/** What makes them; to be called by nobody. */
const LOGGER = 'export class Logger {}';
/**
 * The SDK opens no data channels, asks a transport for its statistics, and the browser for what it sends.
 * It pauses producers without saying so in SDP, and consumers at the gateway.
 */
const UNUSED_METHODS = [
  'produceData',
  'consumeData',
  'handleDataProducer',
  'handleDataConsumer',
  'sendDataChannel',
  'receiveDataChannel',
  'getDataChannelMaxMessageSize',
  'sendSctpAssociation',
  'receiveSctpAssociation',
  'updateIceServers',
  'setMaxSpatialLayer',
  'setRtpEncodingParameters',
  'getSenderStats',
  'getReceiverStats',
  'pauseSending',
  'resumeSending',
  'pauseReceiving',
  'resumeReceiving',
  'pausePendingConsumers',
  'resumePendingConsumers',
  'pauseMediaSection',
  'resumeSendingMediaSection',
  'resumeReceivingMediaSection',
  'muxMediaSectionSimulcast',
  'muxSimulcastStreams',
];

/**
 * The module that TypeScript made a CommonJS file of: a bundler leaves out of modules what nobody uses,
 * and shortens their names.
 * @throws Error where something of CommonJS is left, because the file is written in another way
 */
export function toModule(source: string, path: string): string {
  const enums = [...source.matchAll(/\(exports\.(\w+) = \1 = \{\}\)/g)].map(([, name]) => name);
  const module = `${source}\nexport { ${enums.join(', ')} };\n`
    .replace(IMPORT_STAR, '')
    .replace(/^"use strict";|^Object\.defineProperty\(exports, "__esModule".+$/gm, '')
    .replace(/^(exports\.\w+ = )+void 0;$/gm, '')
    .replace(
      /^(?:const|var) (\w+) = (?:__importStar\()?require\((".+?")\)+;$/gm,
      'import * as $1 from $2;',
    )
    .replace(/^exports\.(\w+) = \1;$/gm, 'export { $1 };')
    .replace(
      /^Object\.defineProperty\(exports, "(\w+)",.+ return (\w+\.\1); .+$/gm,
      'export const $1 = $2;',
    )
    .replace(/\(exports\.(\w+) = \1 = \{\}\)/g, '($1 = {})');
  const left = /.*(\bexports\.|\brequire\().*/.exec(module);
  if (left) throw new Error(`${path} is no module yet: ${left[0]}`);
  return module;
}

/** A source, laid out as TypeScript does, without the methods of these names; it may have none of them. */
export function withoutMethods(source: string, names: readonly string[]): string {
  return source.replace(
    new RegExp(`^ {4}(async )?(${names.join('|')})\\(.*\\{\\n[\\s\\S]*?^ {4}\\}\\n`, 'gm'),
    '',
  );
}

export const lighten: Plugin = {
  name: 'lighten',
  setup({ onLoad }) {
    const filter = /\/(awaitqueue|h264-profile-level-id|mediasoup-client)\/lib\/.+\.js$/;
    onLoad({ filter }, async ({ path }) => {
      if (path.endsWith('/Logger.js')) return { contents: LOGGER };
      const module = toModule(await readFile(path, 'utf8'), path);
      const light = withoutMethods(module, UNUSED_METHODS).replace(LOGGER_CALLS, 'console.');
      return { contents: (await transform(light, { drop: ['console'] })).code };
    });
  },
};

interface Rule {
  name?: string;
  push?: string;
  reg?: RegExp;
  names?: string[];
  format?: string | ((values: object) => string);
}

/** What takes all other lines; and those that the rule of other feedback would take otherwise. */
const NEEDED: ReadonlySet<string | undefined> = new Set(['invalid', 'rtcpFbTrrInt']);

/**
 * The rules of sdp-transform for those attributes that mediasoup-client reads or writes, as a script.
 * It keeps lines that no rule is for as they are.
 */
export function grammarInUse(): string {
  const { a: attributes, ...lines }: Record<string, Rule[]> = require('sdp-transform/lib/grammar');
  const handlers = join(dirname(require.resolve('mediasoup-client')), 'handlers');
  const readers = globSync(['*.js', '*/*.js'], { cwd: handlers })
    .map((file) => readFileSync(join(handlers, file), 'utf8'))
    .join('');
  const isUsed = ({ name, push }: Rule): boolean =>
    NEEDED.has(push) || new RegExp(`\\b${name ?? push}\\b`).test(readers);
  const grammar = { ...lines, a: (attributes ?? []).filter(isUsed) };
  return `module.exports = ${write(grammar)};`;
}

function write(value: unknown): string {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' ? `${value}` : JSON.stringify(value);
  if (value instanceof RegExp) return `${value}`;
  if (Array.isArray(value)) return `[${value.map(write)}]`;
  return `{${Object.entries(value).map(([key, part]) => `${key}: ${write(part)}`)}}`;
}

export const trimGrammar: Plugin = {
  name: 'trim-grammar',
  setup({ onLoad }) {
    onLoad({ filter: /\/sdp-transform\/lib\/grammar\.js$/ }, () => ({ contents: grammarInUse() }));
  },
};
