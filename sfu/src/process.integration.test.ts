/** The node as its supervisor sees it: a process, its signals, its exit code and its log. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { PipeId } from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { MediaTransport } from '../../load-tests/native/media-transport.ts';
import {
  closeAll,
  connect,
  flow,
  handshake,
  newPeer,
  newProducer,
  newVisit,
  open,
  rtpCapabilities,
  rtpParametersOf,
  TestGateway,
} from './testing.ts';

afterEach(closeAll);

interface Line {
  msg: string;
  pid?: number;
  control?: string;
  ops?: string;
  how?: string;
}

/** A node in a process of its own, with no more of this one's environment than it needs. */
function spawnNode(env: Record<string, string> = {}) {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url))], {
    env: {
      BEDSIDE_NODE_PORT: '0',
      BEDSIDE_NODE_OPS_PORT: '0',
      BEDSIDE_MEDIA_PORT: '0',
      BEDSIDE_WORKERS: '2',
      ...(workerBin === undefined ? {} : { MEDIASOUP_WORKER_BIN: workerBin }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  open.push(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const lines = (msg: string): Line[] =>
    output
      .split('\n')
      .filter((line) => line.includes(`"${msg}"`))
      .map((line) => JSON.parse(line) as Line);
  return {
    child,
    exited,
    output: () => output,
    lines,
    /** The first line of the log with this message. */
    says: (msg: string): Promise<Line> =>
      expect
        .poll(() => lines(msg)[0], { timeout: 15_000 })
        .toBeDefined()
        .then(() => lines(msg)[0] as Line),
    workerPids: () => lines('worker started').map(({ pid }) => pid ?? -1),
  };
}

/** A node that has started, a gateway's link with it, and a visit with somebody in it. */
async function nodeWithVisit(env: Record<string, string> = {}) {
  const node = spawnNode(env);
  const { control = '' } = await node.says('node started');
  const gateway = await TestGateway.link({ address: { control } });
  const scope = { visit: newVisit(), epoch: 1 };
  const join = { ...scope, peer: newPeer(), rtpCapabilities, flows: [] };
  const opened = await gateway.call('open-peer', join);
  return { node, control, gateway, scope, join, opened };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const allGone = (pids: number[]) =>
  expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([]);

describe('start', () => {
  test('wrong variables: exit code 78, all of them named at once, no value shown', async () => {
    const { exited, output } = spawnNode({
      BEDSIDE_NODE_PORT: 'port-of-call',
      BEDSIDE_WORKERS: '0',
      BEDSIDE_CONTROL_SECRET: 'short-secret',
      BEDSIDE_MEDIA_LISTEN_IP: 'somewhere',
    });
    expect(await exited).toEqual([78, null]);
    for (const name of [
      'BEDSIDE_NODE_PORT',
      'BEDSIDE_WORKERS',
      'BEDSIDE_CONTROL_SECRET',
      'BEDSIDE_MEDIA_LISTEN_IP',
    ]) {
      expect(output()).toContain(name);
    }
    for (const value of ['port-of-call', 'short-secret', 'somewhere']) {
      expect(output()).not.toContain(value);
    }
  });

  test.each([
    ['is not there', '/nonexistent/mediasoup-worker'],
    ['is not executable', fileURLToPath(new URL('main.ts', import.meta.url))],
  ])('a worker binary that %s: exit code 78, and what to do', async (_, path) => {
    const node = spawnNode({ MEDIASOUP_WORKER_BIN: path });
    expect(await node.exited).toEqual([78, null]);
    expect(node.output()).toContain(`MEDIASOUP_WORKER_BIN: no executable at ${path};`);
  });

  test.each(['BEDSIDE_NODE_PORT', 'BEDSIDE_NODE_OPS_PORT', 'BEDSIDE_MEDIA_PORT'])(
    'a port of %s that is taken: exit code 1, the variable in the log, no worker left',
    async (variable) => {
      const taken = createServer().listen(0, '127.0.0.1');
      open.push(() => void taken.close());
      await once(taken, 'listening');
      const { port } = taken.address() as AddressInfo;
      const node = spawnNode({ [variable]: String(port) });
      expect(await node.exited).toEqual([1, null]);
      expect(node.output()).toMatch(new RegExp(`can not listen on the ports? of ${variable}"`));
      await allGone(node.workerPids());
    },
  );
});

describe('end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: gateways are told, exit code 0, no worker left',
    async (signal) => {
      const { node, gateway, scope } = await nodeWithVisit({ BEDSIDE_DRAIN_MS: '0' });
      node.child.kill(signal);
      expect(await gateway.hear('visits-lost')).toEqual({
        visits: [scope.visit],
        reason: 'shutting-down',
      });
      expect(await node.exited).toEqual([0, null]);
      expect(node.workerPids()).toHaveLength(2);
      await allGone(node.workerPids());
      // They ended because they were asked to.
      expect(node.lines('worker lost')).toEqual([]);
    },
  );

  test('SIGTERM: the gateways are told to move its visits, and it ends once they are gone', async () => {
    const { node, gateway, scope } = await nodeWithVisit();
    let lost = 0;
    gateway.socket.on('visits-lost', () => {
      lost += 1;
    });
    node.child.kill('SIGTERM');
    await gateway.hear('load', ({ state }) => state === 'draining');
    expect(node.lines('drained')).toEqual([]);
    await gateway.call('close-visit', scope);
    expect(await node.exited).toEqual([0, null]);
    expect(lost).toBe(0);
  });

  test('a second SIGTERM ends it at once', async () => {
    const { node, gateway } = await nodeWithVisit();
    node.child.kill('SIGTERM');
    await node.says('draining, then stopping; the next signal stops at once');
    node.child.kill('SIGTERM');
    expect(await gateway.hear('visits-lost')).toMatchObject({ reason: 'shutting-down' });
    expect(await node.exited).toEqual([0, null]);
  });

  test('SIGTERM with a hung worker: it is killed before the process ends', async () => {
    const { node } = await nodeWithVisit({
      BEDSIDE_WATCHDOG_HUNG_MS: '60000',
      BEDSIDE_DRAIN_MS: '0',
      BEDSIDE_SHUTDOWN_MS: '600',
    });
    const [pid = -1] = node.workerPids();
    process.kill(pid, 'SIGSTOP');
    open.push(() => void (isAlive(pid) && process.kill(pid, 'SIGKILL')));
    node.child.kill('SIGTERM');
    expect(await node.exited).toEqual([0, null]);
    await allGone(node.workerPids());
  });

  test('SIGTERM while it starts: exit code 0, no worker left', async () => {
    const node = spawnNode();
    await node.says('worker started');
    node.child.kill('SIGTERM');
    expect(await node.exited).toEqual([0, null]);
    await allGone(node.workerPids());
  });

  test('SIGKILL: its workers end by themselves', async () => {
    const { node } = await nodeWithVisit();
    expect(node.workerPids()).toHaveLength(2);
    node.child.kill('SIGKILL');
    await node.exited;
    await allGone(node.workerPids());
  });
});

describe('log', () => {
  test('at its most talkative it holds no credential, address, parameter or id of a visit', async () => {
    const secret = 'control-secret-of-this-test-0123456789';
    const node = spawnNode({ BEDSIDE_LOG_LEVEL: 'trace', BEDSIDE_CONTROL_SECRET: secret });
    const { control = '' } = await node.says('node started');
    const auth = await handshake('gateway-1', { secret });
    const gateway = new TestGateway(connect({ address: { control } }, auth));
    await gateway.hear('welcome');
    const refused = await handshake('gateway-2', { secret: 'x'.repeat(32) });
    await once(
      connect({ address: { control } }, refused) as unknown as NodeJS.EventEmitter,
      'connect_error',
    );

    const scope = { visit: newVisit(), epoch: 2 };
    const peer = newPeer();
    const join = { ...scope, peer, rtpCapabilities, flows: [] };
    const { sendTransport } = await gateway.call('open-peer', join);
    const transport = new MediaTransport(sendTransport);
    open.push(() => transport.close());
    const { id: transportId, dtlsParameters } = transport;
    await Promise.all([
      transport.connect(),
      gateway.call('connect-transport', { ...scope, peer, transportId, dtlsParameters }),
    ]);
    const { iceParameters } = await gateway.call('restart-ice', { ...scope, peer, transportId });
    const producerId = newProducer();
    const rtpParameters = {
      ...rtpParametersOf('audio/opus'),
      mid: 'mid-of-this-test',
      rtcp: { cname: 'cname-of-this-test' },
    };
    const produce = {
      ...scope,
      peer,
      producerId,
      kind: 'audio',
      rtpParameters,
      paused: false,
      observed: true,
    } as const;
    await gateway.call('produce', produce);
    const pipe = PipeId.parse('pipe-of-this-test');
    const { end } = await gateway.call('send-pipe', { ...scope, pipe, producers: [producerId] });
    const keyBase64 = Buffer.alloc(44, 7).toString('base64');
    const badKeyBase64 = Buffer.alloc(43, 9).toString('base64');
    const elsewhere = { ...end, srtp: { ...end.srtp, keyBase64 } };
    // Refused by mediasoup, by the protocol, by the fence, by the list of addresses, and by nobody being there.
    const wrong = [
      gateway.call('produce', { ...produce, producerId: newProducer() }),
      gateway.call('produce', { ...produce, kind: 'smell' as 'audio' }),
      gateway.call('open-peer', { ...join, epoch: 1, flows: [flow(producerId)] }),
      gateway.call('restart-ice', { ...scope, peer: newPeer(), transportId }),
      gateway.call('connect-pipe', {
        ...scope,
        pipe,
        end: { ...end, srtp: { ...end.srtp, keyBase64: badKeyBase64 } },
      }),
      gateway.call('connect-pipe', { ...scope, pipe, end: { ...elsewhere, ip: '192.0.2.77' } }),
      gateway.call('connect-transport', {
        ...scope,
        peer,
        transportId,
        dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value: 'value-of-this-test' }] },
      }),
    ];
    for (const outcome of await Promise.allSettled(wrong)) expect(outcome.status).toBe('rejected');
    await gateway.call('connect-pipe', { ...scope, pipe, end: elsewhere });
    process.kill(node.workerPids()[0] ?? -1, 'SIGKILL');
    process.kill(node.workerPids()[1] ?? -1, 'SIGKILL');
    await gateway.hear('visits-lost');
    node.child.kill('SIGTERM');
    await node.exited;

    const log = node.output();
    for (const msg of ['control link refused', 'command refused', 'worker lost', 'node stopped']) {
      expect(log).toContain(msg);
    }
    const marked = [
      secret,
      auth.token,
      refused.token,
      scope.visit,
      peer,
      producerId,
      transportId,
      rtpParameters.mid,
      rtpParameters.rtcp.cname,
      'value-of-this-test',
      pipe,
      '192.0.2.77',
      end.srtp.keyBase64,
      keyBase64,
      badKeyBase64,
      sendTransport.iceParameters.usernameFragment,
      sendTransport.iceParameters.password,
      iceParameters.password,
      ...[...dtlsParameters.fingerprints, ...sendTransport.dtlsParameters.fingerprints].map(
        ({ value }) => value,
      ),
    ];
    for (const text of marked) expect(log).not.toContain(text);
    // And what somebody needs who looks for the cause.
    expect(node.lines('worker lost')[0]?.how).toContain('SIGKILL');
  });
});
