/** A worker that stands still for longer than a call may take, and then goes on: nothing of it stays. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  closeAll,
  dtlsParameters,
  flow,
  metric,
  newPeer,
  newProducer,
  newVisit,
  open,
  rtpCapabilities,
  rtpParametersOf,
  startNode,
  TestGateway,
} from './testing.ts';

afterEach(closeAll);

const unavailable = { code: 'media-unavailable' };

/** A node whose worker is not taken for hung, and a gateway with a visit and a sender in it. */
async function setUp() {
  const node = await startNode({
    BEDSIDE_WATCHDOG_HUNG_MS: '20000',
    BEDSIDE_MEDIA_DEADLINE_MS: '100',
    BEDSIDE_COMMAND_DEADLINE_MS: '5000',
  });
  const gateway = await TestGateway.link(node);
  const scope = { visit: newVisit(), epoch: 1 };
  const sender = newPeer();
  const opened = await gateway.call('open-peer', {
    ...scope,
    peer: sender,
    rtpCapabilities,
    flows: [],
  });
  const pid = node.workerPids[0] ?? -1;
  const goOn = () => void process.kill(pid, 'SIGCONT');
  open.push(goOn);
  const standStill = () => void process.kill(pid, 'SIGSTOP');
  const produce = () => ({
    ...scope,
    peer: sender,
    producerId: newProducer(),
    kind: 'audio' as const,
    rtpParameters: rtpParametersOf('audio/opus'),
    paused: false,
    observed: true,
  });
  return { node, gateway, scope, sender, opened, produce, standStill, goOn };
}

describe('a call that is answered too late', () => {
  test('leaves no router, transport or visit open', async () => {
    const { node, gateway, scope, standStill, goOn } = await setUp();
    const join = { ...scope, peer: newPeer(), rtpCapabilities, flows: [] };
    const elsewhere = { ...join, visit: newVisit() };
    standStill();
    await expect(gateway.call('open-peer', join)).rejects.toMatchObject(unavailable);
    await expect(gateway.call('open-peer', elsewhere)).rejects.toMatchObject(unavailable);
    goOn();
    // Answered after those that were late.
    await gateway.call('open-peer', { ...join, peer: newPeer() });
    await expect.poll(() => metric(node, 'bedside_node_transports')).toBe(4);
    expect(await metric(node, 'bedside_node_routers')).toBe(1);
    expect(await metric(node, 'bedside_node_visits')).toBe(1);
  });

  test('leaves no producer or consumer open', async () => {
    const { node, gateway, scope, produce, standStill, goOn } = await setUp();
    const microphone = produce();
    await gateway.call('produce', microphone);
    const peer = newPeer();
    await gateway.call('open-peer', { ...scope, peer, rtpCapabilities, flows: [] });
    const plan = { ...scope, listeners: [{ peer, flows: [flow(microphone.producerId)] }] };
    standStill();
    await expect(gateway.call('produce', produce())).rejects.toMatchObject(unavailable);
    await expect(gateway.call('apply-plan', plan)).rejects.toMatchObject(unavailable);
    goOn();
    const { listeners } = await gateway.call('apply-plan', plan);
    expect(listeners[0]?.added).toHaveLength(1);
    await expect.poll(() => metric(node, 'bedside_node_consumers')).toBe(1);
    expect(await metric(node, 'bedside_node_producers')).toBe(1);
  });

  test('connect-transport can be repeated', async () => {
    const { gateway, scope, sender, opened, standStill, goOn } = await setUp();
    const { transportId } = opened.sendTransport;
    const connect = { ...scope, peer: sender, transportId, dtlsParameters: dtlsParameters() };
    standStill();
    await expect(gateway.call('connect-transport', connect)).rejects.toMatchObject(unavailable);
    goOn();
    await gateway.call('connect-transport', connect);
  });

  test('a pause that was taken back does not come true', async () => {
    const { gateway, scope, produce, standStill, goOn } = await setUp();
    const { producerId, ...rest } = produce();
    await gateway.call('produce', { ...rest, producerId });
    const pause = (paused: boolean) =>
      gateway.call('pause-producer', { ...scope, producerId, paused });
    standStill();
    await expect(pause(true)).rejects.toMatchObject(unavailable);
    const takenBack = pause(false).catch(() => {});
    goOn();
    await takenBack;
    // Answered after both.
    await gateway.call('produce', produce());
    const { peers } = await gateway.call('describe-visit', scope);
    expect(peers[0]?.producers.map(({ paused }) => paused)).toEqual([false, false]);
  });

  test('a plan that failed for one listener is repeated for all, and names again what it closed', async () => {
    const { gateway, scope, produce, standStill, goOn } = await setUp();
    const [kept, closed] = [produce(), { ...produce(), kind: 'video' as const }];
    await gateway.call('produce', kept);
    await gateway.call('produce', { ...closed, rtpParameters: rtpParametersOf('video/VP8') });
    const [one, other] = [newPeer(), newPeer()];
    const open = { ...scope, rtpCapabilities };
    const { consumers } = await gateway.call('open-peer', {
      ...open,
      peer: one,
      flows: [flow(closed.producerId)],
    });
    await gateway.call('open-peer', { ...open, peer: other, flows: [] });
    await gateway.call('close-producer', { ...scope, producerId: closed.producerId });
    const plan = {
      ...scope,
      listeners: [
        { peer: one, flows: [] },
        { peer: other, flows: [flow(kept.producerId)] },
      ],
    };
    standStill();
    await expect(gateway.call('apply-plan', plan)).rejects.toMatchObject(unavailable);
    goOn();
    const { listeners } = await gateway.call('apply-plan', plan);
    expect(listeners[0]?.removed).toEqual(consumers.map(({ consumerId }) => consumerId));
    expect(listeners[1]?.added).toHaveLength(1);
  });
});
