import { randomUUID } from 'node:crypto';
import { PipeId, type ProducerId, type VisitKey } from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { closeAll, startNode, TestGateway } from './testing.ts';
import { arrives, join, staysSilent, visitWithTalker } from './testing/media.ts';

afterEach(closeAll);

const newPipe = () => PipeId.parse(randomUUID());

/** The three calls of a gateway that carry these producers from one node to another. */
async function pipe(
  from: TestGateway,
  to: TestGateway,
  scope: { visit: VisitKey; epoch: number },
  producers: ProducerId[],
  id = newPipe(),
) {
  const sent = await from.call('send-pipe', { ...scope, pipe: id, producers });
  const received = await to.call('receive-pipe', { ...scope, pipe: id, ...sent });
  await from.call('connect-pipe', { ...scope, pipe: id, end: received.end });
  return { id, sent, received };
}

async function twoNodes() {
  const [origin, other] = await Promise.all([startNode(), startNode()]);
  return { origin: await TestGateway.link(origin), other: await TestGateway.link(other) };
}

describe('a visit on two nodes', () => {
  test('what is said at one is heard at the other', async () => {
    const { origin, other } = await twoNodes();
    const { scope, producerId } = await visitWithTalker(origin);
    await pipe(origin, other, scope, [producerId]);
    const listener = await join(other, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
  });

  test('a pause is one at both nodes', async () => {
    const { origin, other } = await twoNodes();
    const { scope, producerId } = await visitWithTalker(origin);
    const { id, sent } = await pipe(origin, other, scope, [producerId]);
    const listener = await join(other, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    await origin.call('pause-producer', { ...scope, producerId, paused: true });
    await staysSilent(listener.packets);
    const again = await origin.call('send-pipe', { ...scope, pipe: id, producers: [producerId] });
    expect(again).toEqual({ ...sent, producers: [{ ...sent.producers[0], paused: true }] });
    await other.call('receive-pipe', { ...scope, pipe: id, ...again });
    await origin.call('pause-producer', { ...scope, producerId, paused: false });
    await staysSilent(listener.packets);
    await other.call('pause-producer', { ...scope, producerId, paused: false });
    await arrives(listener.packets);
  });
});
