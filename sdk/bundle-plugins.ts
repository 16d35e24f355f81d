/** What esbuild does to sources on their way into the scripts, so that they stay small. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { type Plugin, transform } from 'esbuild';
import { lighten, trimGrammar, withoutMethods } from './lighten.ts';

/** Parts of packages that no page runs, and what stands in their place. */
const REPLACED: readonly { file: RegExp; contents: string }[] = [
  // The index brings a handler for the package's own tests, too.
  {
    file: /\/mediasoup-client\/lib\/index\.js$/,
    contents: "export { Device, detectDevice } from './Device.js'; export const version = 3;",
  },
  // Its EventEmitter is Node's, in full.
  {
    file: /\/mediasoup-client\/lib\/enhancedEvents\.js$/,
    contents: readFileSync(new URL('mediasoup-events.ts', import.meta.url), 'utf8'),
  },
  // It knows what a decoder can do, and what levels are called.
  {
    file: /\/h264-profile-level-id\/lib\/index\.js$/,
    contents: readFileSync(new URL('h264-profiles.ts', import.meta.url), 'utf8'),
  },
  // A page is not React Native.
  {
    file: /\/mediasoup-client\/lib\/handlers\/ReactNative106\.js$/,
    contents: 'export const ReactNative106 = undefined;',
  },
  // The SDK opens no data channels.
  {
    file: /\/mediasoup-client\/lib\/Data(Consumer|Producer)\.js$/,
    contents: 'export const DataConsumer = undefined;\nexport const DataProducer = undefined;',
  },
  // Messages are JSON: no binary attachments.
  {
    file: /\/socket\.io-parser\/build\/esm\/is-binary\.js$/,
    contents: 'export const isBinary = () => false;\nexport const hasBinary = isBinary;',
  },
  {
    file: /\/socket\.io-parser\/build\/esm\/binary\.js$/,
    contents:
      'export const deconstructPacket = undefined;\nexport const reconstructPacket = undefined;',
  },
  // signal.ts asks for WebSocket alone: no polling, no WebTransport.
  {
    file: /\/engine\.io-client\/build\/esm\/transports\/polling-xhr\.js$/,
    contents: 'export class XHR {}',
  },
  {
    file: /\/engine\.io-client\/build\/esm\/transports\/index\.js$/,
    contents: "import { WS } from './websocket.js';\nexport const transports = { websocket: WS };",
  },
];

/** @param whole The script has every one of these files in it. */
const replace = (whole: boolean): Plugin => ({
  name: 'replace',
  setup({ onLoad, onEnd }) {
    const unused = new Set(REPLACED);
    for (const entry of REPLACED) {
      onLoad({ filter: entry.file }, () => {
        unused.delete(entry);
        return { contents: entry.contents, loader: 'ts' };
      });
    }
    // A package that has moved a file would otherwise bring it back unseen.
    onEnd(() => ({
      errors: whole ? [...unused].map(({ file }) => ({ text: `no file is ${file}` })) : [],
    }));
  },
});

/**
 * Asked for no transport but WebSocket, the connection has nothing to upgrade to; the session machine
 * connects again, sends again, and listens to messages by their names.
 */
const UNUSED: readonly { file: RegExp; methods: readonly string[] }[] = [
  { file: /\/engine\.io-client\/build\/esm\/socket\.js$/, methods: ['_probe'] },
  {
    file: /\/socket\.io-client\/build\/esm\/manager\.js$/,
    methods: ['reconnect', 'onreconnect'],
  },
  {
    file: /\/socket\.io-client\/build\/esm\/socket\.js$/,
    methods: [
      'emitWithAck',
      '_addToQueue',
      ...['Any', 'AnyOutgoing'].flatMap((any) =>
        ['on', 'prepend', 'off', 'listeners'].map((what) => what + any),
      ),
    ],
  },
];

const lightenSocket: Plugin = {
  name: 'lighten-socket',
  setup({ onLoad }) {
    for (const { file, methods } of UNUSED)
      onLoad({ filter: file }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const contents = withoutMethods(source, methods);
        if (contents === source) throw new Error(`${path} has none of ${methods}`);
        return { contents };
      });
  },
};

/** The forms of messages, in place of the schemas that they are made from: see the module itself. */
const writeOutShapes: Plugin = {
  name: 'write-out-shapes',
  setup({ onLoad }) {
    onLoad({ filter: /\/wire\/shapes\.ts$/ }, async ({ path }) => {
      const shapes: Record<string, unknown> = await import(pathToFileURL(path).href);
      const lines = Object.entries(shapes).map(
        ([name, shape]) => `export const ${name} = ${JSON.stringify(shape)};`,
      );
      return { contents: lines.join('\n') };
    });
  },
};

/** The element's styles stand in a template literal, which a bundler leaves as it is. */
const minifyStyles: Plugin = {
  name: 'minify-styles',
  setup({ initialOptions, onLoad }) {
    onLoad({ filter: /\/element\/([a-z]+-)?styles\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const styles = /css`([^`]+)`/.exec(source)?.[1];
      if (styles === undefined) throw new Error(`${path} has no css literal in it`);
      const { code } = await transform(styles, {
        loader: 'css',
        minify: true,
        target: initialOptions.target ?? 'esnext',
      });
      return { contents: source.replace(styles, () => code.trim()), loader: 'ts' };
    });
  },
};

/**
 * Templates carry the white space of their source, which a bundler keeps. None of it is seen: whatever
 * stands on lines of its own is laid out by flex or grid.
 */
const tightenTemplates: Plugin = {
  name: 'tighten-templates',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/element\/[\w-]+\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8'))
        .replace(/>\s*\n\s*(?=<|\$\{)|(?<=\})\s*\n\s*(?=<)/g, (between) => between.trim())
        .replace(/\n[ \t]+/g, '\n'),
      loader: 'ts',
    }));
  },
};

/** In this order: the first one that takes a file has it. */
export const plugins: Plugin[] = [
  replace(true),
  lighten,
  trimGrammar,
  lightenSocket,
  writeOutShapes,
  minifyStyles,
  tightenTemplates,
];
/** Of the script without media and element. */
export const clinicPlugins: Plugin[] = [replace(false), lightenSocket, writeOutShapes];
