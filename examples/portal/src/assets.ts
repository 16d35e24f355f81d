import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A file as it is served; all are read once at the start. */
export interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly body: Buffer;
  readonly gzipped: Buffer | undefined;
  /** Other origins may load it, as a customer's page loads the SDK. */
  readonly isShared: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json; charset=utf-8',
  map: 'application/json; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

/** Each page by its path: layout.html with the page in it, and the script of the same name. */
const PAGES = {
  '/': 'home',
  '/check-in': 'check-in',
  '/clinic': 'clinic',
  '/on-call': 'on-call',
  '/guest': 'guest',
  '/summary': 'summary',
};
const FILES = [
  'logo.svg',
  'portal.css',
  'clinic.css',
  'texts-en.js',
  'texts-es.js',
  'page.js',
  'languages.js',
  'staff.js',
  'visit.js',
  'guest-pass.js',
  'times.js',
  'alarm.js',
  'missed-calls.js',
  'clinic-list.js',
  'clinic-dialogs.js',
  ...Object.values(PAGES).map((page) => `${page}.js`),
];
/** Pages outside of visits: they need no more of the SDK than the clinic's part. */
const OF_STAFF: ReadonlySet<string> = new Set(['clinic', 'on-call']);
const SDK = [
  'bedside.js',
  'bedside.js.map',
  'bedside.js.LEGAL.txt',
  'bedside-clinic.js',
  'bedside-clinic.js.map',
  'bedside.mjs',
  'bedside.mjs.map',
  'bedside.mjs.LEGAL.txt',
  'integrity.json',
];

/** By path. @throws where the SDK is not built. */
export async function loadAssets(
  publicDir: string,
  sdkDist: string,
): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>();
  for (const name of FILES)
    assets.set(`/${name}`, asset(name, await readFile(join(publicDir, name))));
  for (const name of SDK) {
    const body = await readFile(join(sdkDist, name)).catch((cause: unknown) => {
      throw new Error(`The SDK is not built (${name} is missing). Run: npm run build -w sdk`, {
        cause,
      });
    });
    assets.set(`/sdk/${name}`, asset(name, body, true));
  }
  const built = JSON.parse(await readFile(join(sdkDist, 'integrity.json'), 'utf8')) as Record<
    string,
    { integrity: string }
  >;
  const script = (name: string) =>
    `<script src="/sdk/${name}" integrity="${built[name]?.integrity ?? ''}" crossorigin="anonymous" defer></script>`;
  const read = (name: string) => readFile(join(publicDir, name), 'utf8');
  const layout = await read('layout.html');
  for (const [path, name] of Object.entries(PAGES)) {
    const page = layout
      .replaceAll('{{page}}', name)
      .replace('{{sdk}}', script(OF_STAFF.has(name) ? 'bedside-clinic.js' : 'bedside.js'))
      .replace('{{main}}', await read(`${name}.html`));
    assets.set(path, asset(`${name}.html`, Buffer.from(page)));
  }
  return assets;
}

function asset(name: string, body: Buffer, isShared = false): Asset {
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
  const gzipped = gzipSync(body, { level: 9 });
  return {
    type,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`,
    body,
    gzipped: gzipped.length < body.length ? gzipped : undefined,
    isShared,
  };
}
