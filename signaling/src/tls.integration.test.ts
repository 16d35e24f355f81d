import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unwatchFile,
  watchFile,
  writeFileSync,
} from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SecureVersion } from 'node:tls';
import type { Socket } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Certificate, makeCertificate } from '../test/certificate.ts';
import {
  clientOf,
  eventOf,
  handshake,
  mintToken,
  type Running,
  startGateway,
} from '../test/harness.ts';

const POLL_MS = 20;

let folder: string;
const certificates = {} as Record<'one' | 'two' | 'three', Certificate>;
let files: { certFile: string; keyFile: string };
let running: Running;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-tls-'));
  files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  for (const name of ['one', 'two', 'three'] as const)
    certificates[name] = makeCertificate(folder, name);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const write = ({ cert, key }: Certificate) => {
  writeFileSync(files.keyFile, key);
  writeFileSync(files.certFile, cert);
};
const start = () =>
  startGateway(
    { BEDSIDE_TLS_CERT: files.certFile, BEDSIDE_TLS_KEY: files.keyFile },
    { certificatePollMs: POLL_MS },
  );

beforeEach(async () => {
  write(certificates.one);
  running = await start();
});
afterEach(async () => {
  await running.stop();
});

/** The common name of the certificate that a new connection is shown. */
async function served(versions: { minVersion?: SecureVersion; maxVersion?: SecureVersion } = {}) {
  const { hostname, port } = new URL(running.url);
  const socket = connect({
    host: hostname,
    port: Number(port),
    rejectUnauthorized: false,
    ciphers: 'DEFAULT@SECLEVEL=0',
    ...versions,
  });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}
/** Waits for it, and that nothing else is shown any more: two ports that are open would take turns. */
async function untilServed(name: string): Promise<void> {
  await vi.waitFor(async () => expect(await served()).toBe(name), { timeout: 10_000 });
  const names = await Promise.all(Array.from({ length: 16 }, () => served()));
  expect(new Set(names)).toEqual(new Set([name]));
}
const notRenewed = () => running.logged().match(/certificate not renewed/g)?.length ?? 0;

async function page(participant: string): Promise<Socket> {
  const socket = clientOf(running.url, handshake(await mintToken({ sub: participant })));
  socket.io.opts.rejectUnauthorized = false;
  const welcome = eventOf(socket, 'welcome');
  socket.connect();
  await welcome;
  return socket;
}
const stillServed = async (socket: Socket) =>
  expect(await socket.timeout(5000).emitWithAck('leave', { requestId: 'x' })).toMatchObject({
    ok: true,
  });

test('a new certificate is shown to new connections, and those that are open live on', async () => {
  const before = await page('p1');
  write(certificates.two);
  await untilServed('two');
  await stillServed(before);
  const after = await page('p2');
  await stillServed(after);
  const closing = [before, after].map((socket) => eventOf(socket, 'closing'));
  await running.stop();
  expect(await Promise.all(closing)).toMatchObject([
    { reason: 'shutting-down' },
    { reason: 'shutting-down' },
  ]);
});

test('a certificate that can not be used keeps the old one, is logged, and the next good one is taken', async () => {
  writeFileSync(files.certFile, 'no certificate');
  await vi.waitFor(() => expect(notRenewed()).toBe(1));
  expect(await served()).toBe('one');
  writeFileSync(files.certFile, certificates.two.cert);
  await vi.waitFor(() => expect(notRenewed()).toBe(2));
  expect(await served()).toBe('one');
  rmSync(files.certFile);
  await vi.waitFor(() => expect(notRenewed()).toBe(3));
  expect(await served()).toBe('one');
  write(certificates.three);
  await untilServed('three');
  expect(running.logged()).not.toContain(certificates.two.cert.split('\n')[1]);
});

test('a certificate that is written anew as it was opens no new port', async () => {
  write(certificates.two);
  await untilServed('two');
  // Node calls those who watch one file in their order: the gateway has looked by then.
  const looked = new Promise<void>((resolve) => {
    watchFile(files.certFile, { interval: POLL_MS }, function seen() {
      unwatchFile(files.certFile, seen);
      resolve();
    });
  });
  writeFileSync(files.certFile, certificates.two.cert);
  await looked;
  expect(running.logged().match(/certificate renewed/g)).toHaveLength(1);
});

test('files behind symbolic links that are swapped as one are followed, as Kubernetes does it', async () => {
  await running.stop();
  const place = (name: 'one' | 'two') => {
    const version = join(folder, `..${name}`);
    mkdirSync(version);
    writeFileSync(join(version, 'tls.crt'), certificates[name].cert);
    writeFileSync(join(version, 'tls.key'), certificates[name].key);
    symlinkSync(version, join(folder, '..new'));
    renameSync(join(folder, '..new'), join(folder, '..data'));
  };
  place('one');
  for (const path of Object.values(files)) rmSync(path);
  symlinkSync(join('..data', 'tls.crt'), files.certFile);
  symlinkSync(join('..data', 'tls.key'), files.keyFile);
  running = await start();
  expect(await served()).toBe('one');
  place('two');
  await untilServed('two');
  expect(notRenewed()).toBe(0);
  for (const path of Object.values(files)) rmSync(path);
});

test('TLS begins at 1.2', async () => {
  expect(await served({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).toBe('one');
  expect(await served({ minVersion: 'TLSv1.3' })).toBe('one');
  await expect(served({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).rejects.toThrow(
    /protocol version/,
  );
});

test('who speaks no TLS is cut, and others do not notice', async () => {
  const { hostname, port } = new URL(running.url);
  const plain = connectTcp(Number(port), hostname);
  plain.write('GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(plain.resume(), 'close');
  await stillServed(await page('p1'));
});
