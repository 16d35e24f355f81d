import type { ConsumerId } from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { arrives, join, staysSilent, visitWithTalker } from './testing/media.ts';
import { closeAll, flow, startNode, TestGateway } from './testing.ts';

afterEach(closeAll);

describe('media', () => {
  test('flows of the join are live as soon as the transport connects', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
  });

  test('flows added later are silent until the listener is ready', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, []);
    await listener.connected();
    await gateway.hear(
      'transport-state',
      ({ transportId, dtls }) =>
        transportId === listener.opened.recvTransport.transportId && dtls === 'connected',
    );
    const { peer } = listener;
    const { listeners } = await gateway.call('apply-plan', {
      ...scope,
      listeners: [{ peer, flows: [flow(producerId)] }],
    });
    await staysSilent(listener.packets);
    const consumerIds = listeners[0]?.added.map(({ consumerId }) => consumerId) ?? [];
    await gateway.call('start-consumers', { ...scope, peer, consumerIds });
    await arrives(listener.packets);
  });

  test('what the plan pauses stays silent, whatever listener and tile ask for', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    const { peer, opened } = listener;
    const plan = (paused: boolean) =>
      gateway.call('apply-plan', {
        ...scope,
        listeners: [{ peer, flows: [flow(producerId, { paused })] }],
      });
    await plan(true);
    const consumerIds: ConsumerId[] = opened.consumers.map(({ consumerId }) => consumerId);
    await gateway.call('start-consumers', { ...scope, peer, consumerIds });
    await gateway.call('prefer-consumers', {
      ...scope,
      peer,
      preferences: consumerIds.map((consumerId) => ({ consumerId, paused: false })),
    });
    await staysSilent(listener.packets);
    await plan(false);
    await arrives(listener.packets);
  });

  test('a tile that is not seen gets nothing, until it is seen', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    const consumerId = listener.opened.consumers[0]?.consumerId;
    if (!consumerId) throw new Error('no consumer');
    const prefer = (paused: boolean) =>
      gateway.call('prefer-consumers', {
        ...scope,
        peer: listener.peer,
        preferences: [{ consumerId, paused }],
      });
    await prefer(true);
    await staysSilent(listener.packets);
    await prefer(false);
    await arrives(listener.packets);
  });

  test('a muted producer is silent; closing a peer ends what it sends', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, talker, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    await gateway.call('pause-producer', { ...scope, producerId, paused: true });
    await staysSilent(listener.packets);
    await gateway.call('pause-producer', { ...scope, producerId, paused: false });
    await arrives(listener.packets);
    await gateway.call('close-peer', { ...scope, peer: talker });
    await staysSilent(listener.packets);
  });
});

describe('reports', () => {
  test('who speaks is reported, and silence', async () => {
    const gateway = await TestGateway.link(await startNode());
    let level = 20;
    const { scope, producerId } = await visitWithTalker(gateway, () => level);
    expect(await gateway.hear('speaker')).toEqual({ visit: scope.visit, producerId });
    level = 127;
    expect(await gateway.hear('speaker')).toEqual({ visit: scope.visit, producerId: null });
    level = 20;
    expect(await gateway.hear('speaker')).toEqual({ visit: scope.visit, producerId });
  });

  test('scores and states are reported to the gateway that acted last, under its epoch', async () => {
    const node = await startNode();
    const first = await TestGateway.link(node);
    const { scope, producerId } = await visitWithTalker(first);
    const owner = await TestGateway.link(node);
    const taken = { ...scope, epoch: 2 };
    await owner.call('describe-visit', taken);
    const listener = await join(owner, taken, [producerId]);
    await listener.connected();
    const { consumers } = await owner.hear('scores', (scores) => scores.consumers.length > 0);
    expect(consumers[0]).toMatchObject({
      peer: listener.peer,
      consumerId: listener.opened.consumers[0]?.consumerId,
    });
    await owner.hear(
      'transport-state',
      ({ peer, dtls }) => peer === listener.peer && dtls === 'connected',
    );
    expect(first.heard('scores', ({ consumers: theirs }) => theirs.length > 0)).toBe(0);
  });

  test('a sample of transports shows in the metrics', async () => {
    const node = await startNode({ BEDSIDE_SAMPLE_INTERVAL_MS: '50' });
    const gateway = await TestGateway.link(node);
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    const sent = async () => {
      const metric = node.metrics.registry.getSingleMetric('bedside_node_media_bytes_total');
      return (await metric?.get())?.values.find(({ labels }) => labels.direction === 'sent')?.value;
    };
    await expect.poll(sent, { timeout: 10_000 }).toBeGreaterThan(0);
  });
});
