/** What the log says of a node that the gateway does not get to. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayId } from '@bedside/protocol';
import { systemClock } from '@bedside/service';
import { pino } from 'pino';
import { Server as SocketServer } from 'socket.io';
import { afterEach, expect, test, vi } from 'vitest';
import { makeCertificate } from '../../test/certificate.ts';
import { ControlCredentials } from './handshake.ts';
import { NodeLink } from './link.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function link(url: string) {
  const lines: Record<string, unknown>[] = [];
  const attempts = { count: 0 };
  let ahead = 0;
  const log = pino(
    { level: 'info' },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  );
  const made = new NodeLink({
    url,
    gatewayId: GatewayId.parse('gateway-1'),
    credentials: new ControlCredentials({ secrets: { value: 's'.repeat(32) }, tls: {} }, log),
    // Time runs as ever, only that a test may set it forward.
    clock: {
      now: () => {
        attempts.count += 1;
        return Date.now() + ahead;
      },
      after: (ms, call) => systemClock.after(ms / 20, call),
    },
    log,
    onWelcome: () => {},
    onDown: () => {},
    onLost: () => {},
    onEvent: () => {},
  });
  open.push(() => made.close());
  return {
    lines,
    failedAgain: (times: number) => {
      const from = attempts.count;
      return vi.waitFor(() => expect(attempts.count).toBeGreaterThan(from + times - 1), 15_000);
    },
    setForward: (ms: number) => {
      ahead += ms;
    },
  };
}

test('nobody listens: address and cause, once, and again after a minute', async () => {
  const { lines, failedAgain, setForward } = link('ws://user:MARKED@127.0.0.1:1');
  await failedAgain(3);
  expect(lines).toEqual([
    expect.objectContaining({
      level: 40,
      control: 'ws://127.0.0.1:1',
      code: 'ECONNREFUSED',
      msg: 'a node can not be reached',
    }),
  ]);
  setForward(60_000);
  await failedAgain(2);
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain('MARKED');
});

test('a certificate of an authority that is not trusted, and TLS spoken to plainly, are told apart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bedside-link-'));
  open.push(() => rmSync(folder, { recursive: true, force: true }));
  const server = createServer(makeCertificate(folder, 'node'));
  open.push(() => server.close());
  const address = await listen(server);
  const encrypted = link(`wss://${address}`);
  await encrypted.failedAgain(1);
  expect(encrypted.lines[0]?.code).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
  const plain = link(`ws://${address}`);
  await plain.failedAgain(1);
  expect(plain.lines[0]).toMatchObject({ control: `ws://${address}`, code: 'ECONNRESET' });
});

test('refused by the node: address and reason, not at every try', async () => {
  const http = createHttpServer();
  const node = new SocketServer(http, { transports: ['websocket'] });
  open.push(() => node.close());
  node.use((_socket, next) => next(new Error('unauthorized')));
  const address = await listen(http);
  const { lines, failedAgain } = link(`ws://${address}`);
  await failedAgain(3);
  expect(lines).toEqual([
    expect.objectContaining({
      control: `ws://${address}`,
      reason: 'unauthorized',
      msg: 'a node refused the control link',
    }),
  ]);
});
