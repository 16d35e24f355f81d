import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayId, NodeId } from '@bedside/protocol';
import { type Member, nameOf, type View } from '@bedside/service';
import { pino } from 'pino';
import { Server } from 'socket.io';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { Counts } from '../../test/telemetry.ts';
import type { NodeReport } from './client.ts';
import { Nodes } from './nodes.ts';

const NODE = 'node-1' as NodeId;

/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const viewOf = (...addresses: string[]): View =>
  new Map(
    addresses.map((address, index): [string, Member] => {
      const id = `node-${index + 1}`;
      const member: Member = {
        kind: 'node',
        id,
        boot: 'boot-1',
        version: '1.0.0',
        region: 'here',
        state: 'ready',
        address,
      };
      return [nameOf(member), member];
    }),
  );

/** A gateway's links, with a clock that stands still, and what they report. */
async function gateway() {
  const clock = new FakeClock();
  const reports: NodeReport['type'][] = [];
  const nodes = new Nodes({
    urls: [],
    region: 'here',
    gatewayId: 'gateway-1' as GatewayId,
    control: { secrets: { value: 'a-control-secret-for-tests-of-links-1' }, tls: {} },
    clock,
    log: pino({ level: 'silent' }),
    telemetry: new Counts(),
    onReport: ({ type }) => reports.push(type),
  });
  open.push(() => nodes.close());
  await nodes.start(0);
  return { nodes, clock, reports };
}

/** The other end of a control link. */
async function listen() {
  const http = createServer().listen(0, '127.0.0.1');
  await once(http, 'listening');
  const io = new Server(http, { transports: ['websocket'] });
  open.push(() => io.close());
  io.on('connection', (socket) => {
    socket.emit('welcome', {
      version: 1,
      nodeId: NODE,
      bootId: 'boot-1',
      region: 'here',
      state: 'ready',
      rtpCapabilities: { codecs: [] },
      load: { workers: [] },
    });
  });
  return { io, url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

describe('a node that was never met', () => {
  test('is not lost while a link is on its way that may be its own, and is after that', async () => {
    const { nodes, clock } = await gateway();
    // As after Redis was away for long when this gateway started.
    clock.advance(60_000);
    expect(nodes.isLost(NODE)).toBe(true);
    nodes.meet(viewOf('ws://127.0.0.1:1'));
    expect(nodes.isLost(NODE)).toBe(false);
    clock.advance(3_001);
    expect(nodes.isLost(NODE)).toBe(true);
  });
});

describe('a node whose link is down', () => {
  test('and that is not in the cluster any more is lost at once, and told so once', async () => {
    const { nodes, clock, reports } = await gateway();
    const { io, url } = await listen();
    nodes.meet(viewOf(url));
    await vi.waitFor(() => expect(nodes.linked()).toHaveLength(1), 10_000);
    io.disconnectSockets(true);
    await vi.waitFor(() => expect(nodes.linked()).toEqual([]), 10_000);
    expect([nodes.isLost(NODE), reports]).toEqual([false, ['linked']]);
    nodes.meet(viewOf());
    expect([nodes.isLost(NODE), reports]).toEqual([true, ['linked', 'lost']]);
    clock.advance(60_000);
    expect(reports).toEqual(['linked', 'lost']);
  });
});
