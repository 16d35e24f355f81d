import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  BedsideError,
  CONTROL_AUDIENCE,
  ControlHandshake,
  type GatewayId,
  type NodeId,
  parse,
  SUPPORTED_VERSIONS,
  type VisitKey,
} from '@bedside/protocol';
import { systemClock } from '@bedside/service';
import { jwtVerify } from 'jose';
import { pino } from 'pino';
import { Server, type Socket } from 'socket.io';
import { afterEach, describe, expect, test } from 'vitest';
import { Counts } from '../../test/telemetry.ts';
import type { NodeReport } from './client.ts';
import { Nodes } from './nodes.ts';

const SECRET = 'a-control-secret-for-tests-of-links-1';
const scope = { visit: 'visit-key' as VisitKey, epoch: 1 };
const NODE = 'node-1' as NodeId;

/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** The other end of control links: what a node says and hears, without a node behind it. */
class Peer {
  readonly io: Server;
  readonly url: string;
  readonly handshakes: unknown[] = [];
  bootId = 'boot-1';
  /** The next handshakes are refused. */
  refusing = false;
  #sockets: Socket[] = [];

  private constructor(io: Server, url: string) {
    this.io = io;
    this.url = url;
    io.use((socket, next) => {
      this.handshakes.push(socket.handshake.auth);
      next(this.refusing ? new Error('unauthorized') : undefined);
    });
    io.on('connection', (socket) => {
      this.#sockets.push(socket);
      socket.emit('welcome', this.welcome());
    });
  }

  static async listen(): Promise<Peer> {
    const http = createServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    const io = new Server(http, { transports: ['websocket'] });
    open.push(() => io.close());
    return new Peer(io, `ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  }

  welcome: () => unknown = () => ({
    version: 1,
    nodeId: NODE,
    bootId: this.bootId,
    region: 'here',
    state: 'ready',
    rtpCapabilities: { codecs: [] },
    load: { workers: [] },
  });

  get socket(): Socket {
    const socket = this.#sockets.at(-1);
    if (!socket) throw new Error('nobody is connected');
    return socket;
  }
}

async function link(...peers: Peer[]) {
  const reports: NodeReport[] = [];
  let wake = () => {};
  const logged: string[] = [];
  const telemetry = new Counts();
  const nodes = new Nodes({
    urls: peers.map(({ url }) => url),
    region: 'here',
    gatewayId: 'gateway-1' as GatewayId,
    control: { secrets: { value: SECRET }, tls: {} },
    clock: systemClock,
    log: pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) }),
    telemetry,
    onReport: (report) => {
      reports.push(report);
      wake();
    },
  });
  open.push(() => nodes.close());
  await nodes.start(500);
  const heard = async (type: NodeReport['type'], times = 1): Promise<NodeReport[]> => {
    for (;;) {
      const found = reports.filter((report) => report.type === type);
      if (found.length >= times) return found;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { nodes, heard, logged, telemetry };
}

const describeVisit = (nodes: Nodes) => nodes.call(NODE, 'describe-visit', scope);

describe('the handshake', () => {
  test('carries a token of the control secret that lives for a minute, the versions and the gateway', async () => {
    const peer = await Peer.listen();
    await link(peer);
    const { token, ...rest } = parse(ControlHandshake, peer.handshakes[0]);
    expect(rest).toEqual({ versions: SUPPORTED_VERSIONS, gatewayId: 'gateway-1', spreads: true });
    const { payload } = await jwtVerify(token, new TextEncoder().encode(SECRET), {
      audience: CONTROL_AUDIENCE,
      algorithms: ['HS256'],
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  });

  test('that is refused is tried again, and never in a loop without a pause', async () => {
    const peer = await Peer.listen();
    peer.refusing = true;
    const { nodes, heard, logged } = await link(peer);
    expect(nodes.linked()).toEqual([]);
    expect(peer.handshakes).toHaveLength(1);
    expect(logged.join()).toContain('refused the control link');
    peer.refusing = false;
    await heard('linked');
    expect(peer.handshakes).toHaveLength(2);
  });
});

describe('a link', () => {
  test('that the node closed, or that broke, comes back by itself, and each time is told with the boot', async () => {
    const peer = await Peer.listen();
    const { nodes, heard, telemetry } = await link(peer);
    expect(telemetry.links).toEqual(
      new Map([
        ['connected', 1],
        ['disconnected', 0],
      ]),
    );
    peer.socket.disconnect(true);
    await heard('linked', 2);
    peer.bootId = 'boot-2';
    peer.socket.conn.close();
    const reports = await heard('linked', 3);
    expect(reports.map((report) => report.type === 'linked' && report.node.bootId)).toEqual([
      'boot-1',
      'boot-1',
      'boot-2',
    ]);
    expect(nodes.linked()).toMatchObject([{ nodeId: NODE, bootId: 'boot-2' }]);
  });

  test('without a welcome that can be read is none, and does no harm', async () => {
    const [broken, good] = [await Peer.listen(), await Peer.listen()];
    broken.welcome = () => ({ nodeId: 7 });
    const { nodes, logged, telemetry } = await link(broken, good);
    expect(nodes.linked()).toHaveLength(1);
    expect(telemetry.links.get('disconnected')).toBe(1);
    expect(logged.join()).toContain('does not match its schema');
  });

  test('brings what the node reports, checked, with the node that said it', async () => {
    const peer = await Peer.listen();
    const { nodes, heard, logged } = await link(peer);
    peer.socket.emit('speaker', { visit: 7 });
    peer.socket.emit('visits-lost', 'nothing');
    peer.socket.emit('unheard-of', {});
    peer.socket.emit('load', { state: 'draining', load: { workers: [] } });
    peer.socket.emit('visits-lost', { visits: ['v'], reason: 'worker-died' });
    expect(await heard('visits-lost')).toEqual([
      { type: 'visits-lost', node: NODE, visits: ['v'], reason: 'worker-died' },
    ]);
    expect(await heard('speaker', 0)).toEqual([]);
    expect(logged).toHaveLength(2);
    expect(nodes.linked()).toMatchObject([{ state: 'draining' }]);
  });
});

describe('a call', () => {
  test('gives the node\u2019s answer, or throws its error', async () => {
    const peer = await Peer.listen();
    const { nodes } = await link(peer);
    peer.socket.once('describe-visit', (request, answer) => {
      expect(request).toEqual(scope);
      answer({ ok: true, data: { peers: [] } });
    });
    expect(await describeVisit(nodes)).toEqual({ peers: [] });
    peer.socket.once('describe-visit', (_request, answer) =>
      answer({ ok: false, error: new BedsideError('stale-epoch').toBody() }),
    );
    await expect(describeVisit(nodes)).rejects.toMatchObject({ code: 'stale-epoch' });
  });

  test('whose answer is not of the protocol is a fault of ours, and the link stays', async () => {
    const peer = await Peer.listen();
    const { nodes } = await link(peer);
    for (const wrong of ['yes', { ok: true, data: { peers: 7 } }, undefined]) {
      peer.socket.once('describe-visit', (_request, answer) => answer(wrong));
      await expect(describeVisit(nodes)).rejects.toMatchObject({ code: 'internal' });
    }
    expect(nodes.linked()).toHaveLength(1);
  });

  test('that the node does not answer ends at its deadline, and a late answer does no harm', async () => {
    const peer = await Peer.listen();
    const { nodes } = await link(peer);
    let late: (answer: unknown) => void = () => {};
    peer.socket.once('describe-visit', (_request, answer) => {
      late = answer;
    });
    await expect(describeVisit(nodes)).rejects.toMatchObject({
      code: 'media-unavailable',
      retryable: true,
    });
    late({ ok: true, data: { peers: [] } });
    peer.socket.once('describe-visit', (_request, answer) =>
      answer({ ok: true, data: { peers: [] } }),
    );
    expect(await describeVisit(nodes)).toEqual({ peers: [] });
  });

  test('under way when the link breaks fails at once; one without a link fails, and is never sent', async () => {
    const peer = await Peer.listen();
    const { nodes, heard } = await link(peer);
    const heardAtNode: unknown[] = [];
    peer.io.on('connection', (socket) =>
      socket.onAny((...event: unknown[]) => heardAtNode.push(event)),
    );
    peer.socket.once('describe-visit', () => peer.socket.conn.close());
    await expect(describeVisit(nodes)).rejects.toMatchObject({ code: 'media-unavailable' });
    await expect(describeVisit(nodes)).rejects.toMatchObject({ code: 'media-unavailable' });
    await heard('linked', 2);
    peer.socket.once('describe-visit', (_request, answer) =>
      answer({ ok: true, data: { peers: [] } }),
    );
    await describeVisit(nodes);
    expect(heardAtNode).toHaveLength(1);
  });

  test('to a node that nobody knows fails', async () => {
    const { nodes } = await link(await Peer.listen());
    await expect(nodes.call('node-2' as NodeId, 'describe-visit', scope)).rejects.toMatchObject({
      code: 'media-unavailable',
    });
  });
});

test('a gateway starts without any node, after a deadline, and knows no capabilities until one is linked', async () => {
  const peer = await Peer.listen();
  peer.refusing = true;
  const { nodes, heard } = await link(peer);
  expect(nodes.rtpCapabilities()).toBeUndefined();
  peer.refusing = false;
  await heard('linked');
  expect(nodes.rtpCapabilities()).toEqual({ codecs: [] });
});
