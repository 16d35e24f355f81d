import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { createLog } from '@bedside/service';
import { afterEach, describe, expect, test } from 'vitest';
import { closeAll, connect, handshake, open, startNode, TestGateway } from '../testing.ts';
import { createControlHttpServer } from './tls.ts';

afterEach(closeAll);

function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bedside-tls-'));
  open.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A certificate of its own for 127.0.0.1, and its key. */
function makeCertificate(folder: string, name: string) {
  const files = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', ...key, '-days', '1', '-subj', `/CN=${name}`],
      ...[
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        files.keyFile,
        '-out',
        files.certFile,
      ],
    ],
    { stdio: 'ignore' },
  );
  return files;
}

describe('control link over TLS', () => {
  test('gateways link by wss, and nobody without TLS', async () => {
    const { certFile, keyFile } = makeCertificate(scratchFolder(), 'node');
    const node = await startNode({
      BEDSIDE_CONTROL_TLS_CERT: certFile,
      BEDSIDE_CONTROL_TLS_KEY: keyFile,
    });
    expect(node.address.control).toMatch(/^wss:/);
    const auth = await handshake('g');
    const gateway = new TestGateway(connect(node, auth, readFileSync(certFile, 'utf8')));
    await gateway.hear('welcome');

    const plain = connect(
      { address: { control: node.address.control.replace('wss:', 'ws:') } },
      auth,
    );
    await once(plain as unknown as NodeJS.EventEmitter, 'connect_error');
  });

  test('a renewed certificate is served once its key is there, too', async () => {
    const folder = scratchFolder();
    const files = makeCertificate(folder, 'first');
    let log = '';
    const write = (line: string) => {
      log += line;
    };
    const server = createControlHttpServer(files, createLog('node', 'info', { write }), 10);
    open.push(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const served = async () => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    expect(await served()).toBe('first');
    const renewed = makeCertificate(folder, 'second');
    renameSync(renewed.certFile, files.certFile);
    await expect.poll(() => log, { timeout: 10_000 }).toContain('not renewed');
    expect(await served()).toBe('first');
    renameSync(renewed.keyFile, files.keyFile);
    await expect.poll(served, { timeout: 10_000 }).toBe('second');
  });
});
