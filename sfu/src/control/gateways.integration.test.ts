/** What one gateway may ask of a node, and what proves that it is one. */
import { once } from 'node:events';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { LOOPBACK_CONTROL_SECRET } from '@bedside/protocol';
import { io } from 'socket.io-client';
import { afterEach, describe, expect, test } from 'vitest';
import { Authority } from '../../../load-tests/lib/authority.ts';
import {
  closeAll,
  connect,
  dtlsParameters,
  flow,
  handshake,
  metric,
  newPeer,
  newProducer,
  newVisit,
  open,
  rtpCapabilities,
  rtpParametersOf,
  startNode,
  TestGateway,
} from '../testing.ts';

afterEach(closeAll);

const soon = { timeout: 20_000 };

function authority(): Authority {
  const made = new Authority();
  open.push(() => made.remove());
  return made;
}

const openPeer = (
  gateway: TestGateway,
  scope: { visit: ReturnType<typeof newVisit>; epoch: number },
) => {
  const peer = newPeer();
  return gateway
    .call('open-peer', { ...scope, peer, rtpCapabilities, flows: [] })
    .then((offer) => ({ peer, offer }));
};

/** A visit with one peer that has a camera. */
async function visitOf(gateway: TestGateway) {
  const scope = { visit: newVisit(), epoch: 1 };
  const { peer, offer } = await openPeer(gateway, scope);
  const camera = newProducer();
  await gateway.call('produce', {
    ...scope,
    peer,
    producerId: camera,
    kind: 'video',
    rtpParameters: rtpParametersOf('video/VP8'),
    paused: false,
    observed: false,
  });
  return { scope, peer, camera, offer };
}

describe('an id that is another’s', () => {
  test('is none in one’s own visit: nothing is heard through it, paused or closed', async () => {
    const node = await startNode();
    const [victim, other] = [await TestGateway.link(node), await TestGateway.link(node)];
    const theirs = await visitOf(victim);
    const own = await visitOf(other);
    const before = await victim.call('describe-visit', theirs.scope);

    const { scope } = own;
    const notFound = { code: 'not-found' };
    const { peer, camera, offer } = theirs;
    const { transportId } = offer.sendTransport;
    for (const attempt of [
      () => other.call('pause-producer', { ...scope, producerId: camera, paused: true }),
      () =>
        other.call('connect-transport', {
          ...scope,
          peer: own.peer,
          transportId,
          dtlsParameters: dtlsParameters(),
        }),
      () => other.call('restart-ice', { ...scope, peer: own.peer, transportId }),
      () => other.call('restart-ice', { ...scope, peer, transportId }),
      () => other.call('apply-plan', { ...scope, listeners: [{ peer, flows: [] }] }),
      () => other.call('start-consumers', { ...scope, peer, consumerIds: [] }),
    ])
      await expect(attempt()).rejects.toMatchObject(notFound);
    const plan = { ...scope, listeners: [{ peer: own.peer, flows: [flow(camera)] }] };
    expect((await other.call('apply-plan', plan)).listeners).toMatchObject([
      { added: [], refused: [{ producerId: camera, code: 'not-found' }] },
    ]);
    // What is not there is closed already.
    await other.call('close-producer', { ...scope, producerId: camera });
    await other.call('close-peer', { ...scope, peer });
    expect(await victim.call('describe-visit', theirs.scope)).toEqual(before);
  });

  test('in the other’s visit is refused by its epoch, and nothing there changes', async () => {
    const node = await startNode();
    const [victim, other] = [await TestGateway.link(node), await TestGateway.link(node)];
    const { scope, peer, camera } = await visitOf(victim);
    const before = await victim.call('describe-visit', scope);
    for (const epoch of [scope.epoch, scope.epoch - 1]) {
      const as = { ...scope, epoch };
      for (const attempt of [
        () => other.call('describe-visit', as),
        () => other.call('pause-producer', { ...as, producerId: camera, paused: true }),
        () => other.call('close-producer', { ...as, producerId: camera }),
        () => other.call('close-peer', { ...as, peer }),
        () => other.call('close-visit', as),
        () => openPeer(other, as),
      ])
        await expect(attempt()).rejects.toMatchObject({ code: 'stale-epoch' });
    }
    expect(await victim.call('describe-visit', scope)).toEqual(before);
  });
});

describe('what one gateway may ask for', () => {
  test('are so many visits, also such that are not there; what it has stays, and others have theirs', async () => {
    const node = await startNode({ BEDSIDE_MAX_VISITS_PER_GATEWAY: '3' });
    const [greedy, other] = [await TestGateway.link(node), await TestGateway.link(node)];
    const { scope } = await visitOf(greedy);
    await visitOf(greedy);
    await greedy.call('describe-visit', { visit: newVisit(), epoch: 1 });
    const capacity = { code: 'capacity' };
    await expect(openPeer(greedy, { visit: newVisit(), epoch: 1 })).rejects.toMatchObject(capacity);
    await expect(
      greedy.call('describe-visit', { visit: newVisit(), epoch: 1 }),
    ).rejects.toMatchObject(capacity);
    await openPeer(greedy, scope);
    await visitOf(other);
    // Who takes a visit over is not refused, and the other has room then.
    for (const epoch of [2, 3, 4])
      await other.call('describe-visit', { visit: scope.visit, epoch });
    await openPeer(greedy, { visit: newVisit(), epoch: 1 });
    expect(await metric(node, 'bedside_node_visits')).toBe(4);
  });

  test('are so many participants; one that leaves makes room', async () => {
    const node = await startNode({ BEDSIDE_MAX_PEERS_PER_GATEWAY: '2' });
    const [greedy, other] = [await TestGateway.link(node), await TestGateway.link(node)];
    const scopes = [1, 2, 3].map(() => ({ visit: newVisit(), epoch: 1 }));
    const [first, second, third] = scopes as [
      (typeof scopes)[0],
      (typeof scopes)[0],
      (typeof scopes)[0],
    ];
    const { peer } = await openPeer(greedy, first);
    await openPeer(greedy, second);
    await expect(openPeer(greedy, first)).rejects.toMatchObject({ code: 'capacity' });
    await openPeer(other, third);
    await greedy.call('close-peer', { ...first, peer });
    await openPeer(greedy, first);
    await expect(openPeer(greedy, second)).rejects.toMatchObject({ code: 'capacity' });
    await greedy.call('close-visit', second);
    await openPeer(greedy, first);
    // With the visit its participants are the other's.
    await other.call('describe-visit', { ...first, epoch: 2 });
    await openPeer(greedy, { visit: newVisit(), epoch: 1 });
    await expect(openPeer(other, third)).rejects.toMatchObject({ code: 'capacity' });
  });

  test('are so many commands a second over all its links, and no link ends over it', async () => {
    const node = await startNode({ BEDSIDE_COMMANDS_PER_GATEWAY: '1' });
    const links = [await TestGateway.link(node, 'greedy'), await TestGateway.link(node, 'greedy')];
    const other = await TestGateway.link(node);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) =>
        (links[i % 2] as TestGateway).call('describe-visit', { visit: newVisit(), epoch: 1 }),
      ),
    );
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(7);
    for (const each of refused)
      expect(each).toMatchObject({ reason: { code: 'rate-limited', retryable: true } });
    expect(outcomes.length - refused.length).toBeGreaterThanOrEqual(4);
    await other.call('describe-visit', { visit: newVisit(), epoch: 1 });
    await expect
      .poll(
        () =>
          links[0]?.call('describe-visit', { visit: newVisit(), epoch: 1 }).catch(() => undefined),
        soon,
      )
      .toEqual({ peers: [] });
  });
});

/** The code that a handshake is refused with; undefined where it is not. */
async function refusal(node: Parameters<typeof connect>[0], secret: string) {
  const socket = connect(node, await handshake('g', { secret })) as unknown as NodeJS.EventEmitter;
  return Promise.race([
    once(socket, 'welcome').then(() => undefined),
    once(socket, 'connect_error').then(([error]) => error.data?.code ?? error.message),
  ]);
}

describe('a control secret', () => {
  const [old, next] = ['o'.repeat(32), 'n'.repeat(32)];

  test('may be one of several', async () => {
    const node = await startNode({ BEDSIDE_CONTROL_SECRET: `${next},${old}` });
    expect(await refusal(node, old)).toBeUndefined();
    expect(await refusal(node, next)).toBeUndefined();
    expect(await refusal(node, LOOPBACK_CONTROL_SECRET)).toBe('unauthorized');
  });

  test('is another once its file is, while the node runs; a file that is being written changes nothing', async () => {
    const file = authority().file('secret', `${old}\n`);
    const node = await startNode({ BEDSIDE_CONTROL_SECRET_FILE: file });
    const linked = new TestGateway(connect(node, await handshake('a', { secret: old })));
    await linked.hear('welcome');
    expect(await refusal(node, next)).toBe('unauthorized');
    writeFileSync(file, '');
    expect(await refusal(node, old)).toBeUndefined();
    writeFileSync(file, `${next}\n${old}\n`);
    expect([await refusal(node, old), await refusal(node, next)]).toEqual([undefined, undefined]);
    writeFileSync(file, next);
    expect(await refusal(node, old)).toBe('unauthorized');
    expect(await refusal(node, next)).toBeUndefined();
    await linked.call('describe-visit', { visit: newVisit(), epoch: 1 });
  });
});

describe('a node that asks for certificates', () => {
  async function asking(ca: Authority) {
    const { certFile, keyFile } = ca.issue('node');
    const caFile = ca.file('gateways.pem', readFileSync(ca.caFile, 'utf8'));
    const node = await startNode({
      BEDSIDE_CONTROL_TLS_CERT: certFile,
      BEDSIDE_CONTROL_TLS_KEY: keyFile,
      BEDSIDE_CONTROL_TLS_CA: caFile,
    });
    const links = async (by?: { certFile: string; keyFile: string }) => {
      const socket = io(node.address.control, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
        ca: readFileSync(ca.caFile, 'utf8'),
        ...(by
          ? { cert: readFileSync(by.certFile, 'utf8'), key: readFileSync(by.keyFile, 'utf8') }
          : {}),
        auth: await handshake('g'),
      });
      open.push(() => void socket.disconnect());
      return Promise.race([
        once(socket as unknown as NodeJS.EventEmitter, 'welcome').then(() => true),
        once(socket as unknown as NodeJS.EventEmitter, 'connect_error').then(() => false),
      ]);
    };
    return { links, caFile };
  }

  test('lets in who has one of its authority and the secret, and nobody else', async () => {
    const [ours, others] = [authority(), authority()];
    const { links } = await asking(ours);
    expect(await links(ours.issue('gateway'))).toBe(true);
    expect(await links()).toBe(false);
    expect(await links(others.issue('gateway'))).toBe(false);
  });

  test('asks for those of another authority once its file is another, without a new start', async () => {
    const [ours, others] = [authority(), authority()];
    const { links, caFile } = await asking(ours);
    const theirs = others.issue('gateway');
    copyFileSync(others.caFile, `${caFile}.new`);
    renameSync(`${caFile}.new`, caFile);
    await expect.poll(() => links(theirs), soon).toBe(true);
    expect(await links(ours.issue('gateway'))).toBe(false);
  });
});
