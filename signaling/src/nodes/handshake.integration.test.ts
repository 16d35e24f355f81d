/** What proves a gateway to a node, and a node to it, while both change. */
import { once } from 'node:events';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CONTROL_AUDIENCE, type GatewayId, type NodeId } from '@bedside/protocol';
import { type ControlSettings, nameOf, systemClock } from '@bedside/service';
import { jwtVerify } from 'jose';
import { pino } from 'pino';
import { Server } from 'socket.io';
import { afterEach, expect, test } from 'vitest';
import { Authority } from '../../../load-tests/lib/authority.ts';
import { Counts } from '../../test/telemetry.ts';
import { Nodes } from './nodes.ts';

const soon = { timeout: 20_000 };

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function authority(): Authority {
  const made = new Authority();
  open.push(() => made.remove());
  return made;
}

/** A node that asks for certificates of `clients`, and keeps what it was shown. */
async function node(own: { certFile: string; keyFile: string }, clients: Authority) {
  const server = createServer({
    cert: readFileSync(own.certFile),
    key: readFileSync(own.keyFile),
    ca: readFileSync(clients.caFile),
    requestCert: true,
  });
  const io = new Server(server, { transports: ['websocket'] });
  open.push(() => io.close());
  const shown: { name: string; token: string }[] = [];
  io.on('connection', (socket) => {
    const { subject } = (socket.request.socket as TLSSocket).getPeerCertificate();
    shown.push({ name: String(subject.CN), token: socket.handshake.auth.token });
    socket.emit('welcome', {
      version: 1,
      nodeId: 'node-1' as NodeId,
      bootId: 'boot-1',
      region: 'here',
      state: 'ready',
      rtpCapabilities: { codecs: [] },
      load: { workers: [] },
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { io, shown, url };
}

async function gateway(urls: string[], control: ControlSettings) {
  const log: string[] = [];
  const telemetry = new Counts();
  const nodes = new Nodes({
    urls,
    region: 'here',
    gatewayId: 'gateway-1' as GatewayId,
    control,
    clock: systemClock,
    log: pino({ level: 'warn' }, { write: (line: string) => void log.push(line) }),
    telemetry,
    onReport: () => {},
  });
  open.push(() => nodes.close());
  await nodes.start(0);
  return { nodes, log, telemetry };
}

const isSignedBy = (token: string, secret: string) =>
  jwtVerify(token, new TextEncoder().encode(secret), { audience: CONTROL_AUDIENCE }).then(
    () => true,
    () => false,
  );

test('each link begins with the secret and the certificate that the files hold then', async () => {
  const ca = authority();
  const { io, shown, url } = await node(ca.issue('node'), ca);
  const [first, second] = [ca.issue('first'), ca.issue('second')];
  const files = { certFile: ca.file('own.pem', ''), keyFile: ca.file('own.key', '') };
  const use = (pair: typeof files) => {
    for (const name of ['certFile', 'keyFile'] as const) {
      copyFileSync(pair[name], `${files[name]}.new`);
      renameSync(`${files[name]}.new`, files[name]);
    }
  };
  use(first);
  const [a, b] = ['a'.repeat(32), 'b'.repeat(32)];
  const file = ca.file('secrets', `${a}\n${b}`);
  const control = { secrets: { file }, tls: { ...files, caFile: ca.caFile } };
  const { log } = await gateway([url], control);
  await expect.poll(() => shown.map(({ name }) => name), soon).toEqual(['first']);
  // The first of them signs.
  expect(await isSignedBy(shown[0]?.token ?? '', a)).toBe(true);

  use(second);
  writeFileSync(file, b);
  io.disconnectSockets(true);
  await expect.poll(() => shown.map(({ name }) => name), soon).toEqual(['first', 'second']);
  expect(await isSignedBy(shown[1]?.token ?? '', b)).toBe(true);

  // Half written, and the one before goes on.
  writeFileSync(file, 'short');
  writeFileSync(files.keyFile, '');
  io.disconnectSockets(true);
  await expect
    .poll(() => shown.map(({ name }) => name), soon)
    .toEqual(['first', 'second', 'second']);
  expect(await isSignedBy(shown[2]?.token ?? '', b)).toBe(true);
  expect(log.join()).toContain('those before serve on');
});

test('a node whose certificate is of another authority is not told anything', async () => {
  const [ours, theirs] = [authority(), authority()];
  const { shown, url } = await node(theirs.issue('node'), ours);
  const control = {
    secrets: { value: 'a'.repeat(32) },
    tls: { ...ours.issue('gateway'), caFile: ours.caFile },
  };
  const { log } = await gateway([url], control);
  await expect.poll(() => log.join(), soon).toContain('a node can not be reached');
  expect(shown).toEqual([]);
});

test('the built-in secret is shown to no address but those of this machine', async () => {
  const { nodes, log, telemetry } = await gateway([], {
    secrets: { value: 'bedside-development-control-secret-not-for-production' },
    tls: {},
  });
  const member = (id: string, address: string) => ({
    kind: 'node' as const,
    id,
    boot: 'boot-1',
    version: '1.0.0',
    region: 'here',
    state: 'ready' as const,
    address,
  });
  const view = new Map(
    [member('here', 'ws://127.0.0.1:1'), member('there', 'ws://198.51.100.7:7100')].map((each) => [
      nameOf(each),
      each,
    ]),
  );
  nodes.meet(view);
  nodes.meet(view);
  expect(telemetry.links.get('disconnected')).toBe(1);
  expect(log.filter((line) => line.includes('one machine only'))).toHaveLength(1);
});
