import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const built = join(root, '.bedside', 'test', `sdk-types-${process.pid}`);

/** The compiler that a package of this project has. */
function compilerOf(...path: string[]): string {
  const { resolve } = createRequire(join(root, ...path, 'package.json'));
  return join(dirname(resolve('typescript/package.json')), 'bin', 'tsc');
}
/** The project's own, and the one that its example of a portal stands for. */
const compilers = {
  'TypeScript 5': { major: '5', tsc: compilerOf('examples', 'portal') },
  'TypeScript 7': { major: '7', tsc: compilerOf() },
};
const resolutions = {
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
};
const cases = Object.entries(compilers).flatMap(([name, { tsc, major }]) =>
  Object.entries(resolutions).map(([resolution, options]) => ({
    name,
    tsc,
    major,
    resolution,
    options,
  })),
);

/** A portal outside of this checkout: these sources, the SDK's types beside them, and nothing else. */
async function compile(
  tsc: string,
  options: Record<string, unknown>,
  sources: Record<string, string>,
): Promise<string> {
  const portal = await mkdtemp(join(tmpdir(), 'bedside-portal-'));
  try {
    for (const name of ['bedside.d.mts', 'bedside.d.ts'])
      await copyFile(join(built, name), join(portal, name));
    for (const [name, text] of Object.entries(sources)) await writeFile(join(portal, name), text);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      target: 'es2022',
      lib: ['es2022', 'dom', 'dom.iterable'],
      types: [],
      skipLibCheck: false,
      noEmit: true,
      ...options,
    };
    await writeFile(
      join(portal, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: Object.keys(sources) }),
    );
    return await run(process.execPath, [tsc, '-p', portal]).then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    );
  } finally {
    await rm(portal, { recursive: true });
  }
}

const PAGE = `
import {
  BedsideError, BedsideVisitElement, defineBedsideVisit, ERRORS, fill, TABLES, textsFor, Visit,
  type ErrorCode, type Participant, type ParticipantId, type Role, type TextKey, type Texts,
  type VisitApi, type VisitEvents, type VisitOptions,
} from './bedside.mjs';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

const options: VisitOptions = { url: 'https://visits.example.org', tokenProvider: async () => 'token' };
const visit = new Visit(options);
const api: VisitApi = visit;

visit
  .on('trackSubscribed', (track, publication, participant) => {
    same<typeof track, MediaStreamTrack>(true);
    same<typeof participant, Participant>(true);
    same<typeof publication.kind, 'audio' | 'video'>(true);
    same<typeof publication.source, 'camera' | 'microphone' | 'screen' | 'screen-audio' | 'exam'>(true);
  })
  .on('disconnected', (reason, error) => {
    if (reason === 'token-expired' || reason === 'left') return;
    // @ts-expect-error the gateway's restart is not the end of a visit
    if (reason === 'shutting-down') return;
    console.error(error?.code, error?.retryable);
  });
// @ts-expect-error no such event
visit.on('trackSubscribd', () => {});
// @ts-expect-error the listener gets a reason
visit.on('disconnected', (reason: number) => reason);
// @ts-expect-error a visit needs the gateway's address
new Visit({ token: 't' });
// @ts-expect-error the portal is told, it does not tell
visit.emit('devicesChanged');

same<Role, 'patient' | 'provider' | 'interpreter' | 'specialist' | 'caregiver' | 'observer' | 'moderator' | 'device'>(true);
const role: Role = 'patient';
// @ts-expect-error no such role
const wrongRole: Role = 'doctor';
// @ts-expect-error an id is not any text
api.participants.get('p-1');
const participant = api.participants.get('p-1' as ParticipantId);
same<typeof participant, Participant | undefined>(true);
// @ts-expect-error what a participant is called is not the page's to change
if (participant) participant.name = 'x';

const code: ErrorCode = 'permission-denied';
// @ts-expect-error no such code
const wrongCode: ErrorCode = 'permission-granted';
const text: string = ERRORS[code].text;
same<(typeof ERRORS)[ErrorCode]['kind'], 'user' | 'protocol' | 'unavailable' | 'internal'>(true);
const error = new BedsideError(code, { cause: text });
same<typeof error.code, ErrorCode>(true);
// @ts-expect-error between gateway and SDK only
error.toBody();

const mine: Texts = { ...TABLES.en, lang: 'pt', roles: { ...TABLES.en.roles, patient: 'Paciente' } };
const key: TextKey = 'leave';
// @ts-expect-error no such text
const wrongKey: TextKey = 'leaf';
fill(textsFor('pt', [mine]).ui[key], { name: text });

defineBedsideVisit();
const created = document.createElement('bedside-visit');
same<typeof created, BedsideVisitElement>(true);
created.url = 'https://visits.example.org';
created.texts = [mine];
created.camera = 'off';
// @ts-expect-error on or off
created.microphone = false;
// @ts-expect-error the element makes its visit itself
created.visit = visit;
created.style.blockSize = '80vh';
created.addEventListener('bedside-disconnected', ({ detail }) => {
  same<typeof detail.reason, NonNullable<VisitApi['disconnectReason']>>(true);
});
created.addEventListener('bedside-device-toggled', ({ detail: { source, enabled } }) => {
  same<typeof source, 'camera' | 'microphone'>(true);
  same<typeof enabled, boolean>(true);
});
// They bubble: any ancestor hears them.
document.body.addEventListener('bedside-connected', ({ detail }) => {
  detail.visit.off('devicesChanged', () => {});
});
created.addEventListener('bedside-conected', (event) => {
  // @ts-expect-error no such event, so that it is any
  event.detail;
});

const found = document.querySelector('bedside-visit');
same<typeof found, BedsideVisitElement | null>(true);
if (created instanceof BedsideVisitElement) void created.join();
class Branded extends BedsideVisitElement {}
void new Branded().leave();

const listeners: Partial<VisitEvents> = { activeSpeakerChanged: (speaker) => speaker?.role === role };
// @ts-expect-error there is no doctor
listeners.activeSpeakerChanged = (speaker) => speaker?.role === 'doctor';
void [wrongRole, wrongCode, wrongKey];
`;

/** A classic script: no import, everything under one global name. */
const SCRIPT = `
/// <reference path="./bedside.d.ts" />
const visit = new Bedside.Visit({ url: 'https://visits.example.org', token: 't' });
visit.on('devicesChanged', () => {});
// @ts-expect-error no such event
window.Bedside.Visit.prototype.on('devicesChangd', () => {});
const element = document.querySelector('bedside-visit');
if (element instanceof window.Bedside.BedsideVisitElement) element.auto = true;
`;

beforeAll(async () => {
  await mkdir(dirname(built), { recursive: true });
  await run(process.execPath, [join(import.meta.dirname, 'build.ts'), built]);
}, 120_000);
afterAll(() => rm(built, { recursive: true, force: true }));

describe('the types of the SDK', () => {
  it.each(cases)(
    'are all that a portal needs: $name, $resolution',
    async ({ tsc, major, options }) => {
      expect((await run(process.execPath, [tsc, '--version'])).stdout).toContain(
        `Version ${major}.`,
      );
      expect(await compile(tsc, options, { 'page.ts': PAGE })).toBe('');
    },
  );

  it.each(cases)('serve a script tag, too: $name, $resolution', async ({ tsc, options }) => {
    expect(await compile(tsc, options, { 'script.ts': SCRIPT })).toBe('');
  });

  it('declare what the module exports, and no value besides', async () => {
    const { metafile } = await build({
      entryPoints: [join(built, 'bedside.mjs')],
      format: 'esm',
      logLevel: 'silent',
      metafile: true,
      outfile: 'x.mjs',
      write: false,
    });
    const exported = Object.values(metafile.outputs)[0]?.exports ?? [];
    expect(exported).toContain('Visit');
    const list =
      /^export \{\n([^}]+)\};\n$/m.exec(
        await readFile(join(built, 'bedside.d.mts'), 'utf8'),
      )?.[1] ?? '';
    const declared = list.match(/\w+(?: \w+)?(?=,)/g)?.filter((name) => !name.startsWith('type '));
    expect(declared?.toSorted()).toEqual(exported.toSorted());
    // And each is a value to the compiler.
    const uses = exported.map((name) => `void Bedside.${name};`).join('\n');
    const page = `import * as Bedside from './bedside.mjs';\n${uses}\n`;
    expect(
      await compile(compilers['TypeScript 7'].tsc, resolutions.bundler, { 'page.ts': page }),
    ).toBe('');
  });

  it('are one file for each script, without an import of a package', async () => {
    const files = (await readdir(built)).filter((name) => /\.d\.m?ts$|^types$/.test(name));
    expect(files.toSorted()).toEqual(['bedside.d.mts', 'bedside.d.ts']);
    const text = await readFile(join(built, 'bedside.d.mts'), 'utf8');
    expect(text).not.toMatch(/^\s*import\b|\bimport\(|\bfrom\s*['"]|<reference/m);
  });

  it('say in a docstring what stands above a schema', async () => {
    const text = await readFile(join(built, 'bedside.d.mts'), 'utf8');
    expect(text).toContain('/** Sound or picture. */\ntype MediaKind = ');
  });
});
