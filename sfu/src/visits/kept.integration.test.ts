import { LIMITS } from '@bedside/protocol';
import { afterEach, expect, test } from 'vitest';
import {
  closeAll,
  newPeer,
  newVisit,
  rtpCapabilities,
  startNode,
  TestGateway,
} from '../testing.ts';

afterEach(closeAll);

type Scope = { visit: ReturnType<typeof newVisit>; epoch: number };
const text = (length: number) => 'x'.repeat(length);

test('what a gateway keeps here outlives the visit and the gateway, and is the next owner’s', async () => {
  const node = await startNode();
  const owner = await TestGateway.link(node, 'gateway-1');
  const scope = { visit: newVisit(), epoch: 1 };
  await owner.call('open-peer', { ...scope, peer: newPeer(), rtpCapabilities, flows: [] });
  await owner.call('keep-changes', { ...scope, changes: 'first' });
  await owner.call('keep-changes', { ...scope, changes: 'second' });
  await owner.call('close-visit', scope);
  owner.socket.disconnect();

  const next = await TestGateway.link(node, 'gateway-2');
  const now = { ...scope, epoch: 2 };
  expect(await next.call('kept-changes', now)).toEqual({ changes: 'second' });
  await next.call('keep-changes', now);
  expect(await next.call('kept-changes', now)).toEqual({});
});

test('once the next owner has asked, the one before keeps and forgets nothing more', async () => {
  const node = await startNode();
  const [owner, next] = [
    await TestGateway.link(node, 'gateway-1'),
    await TestGateway.link(node, 'gateway-2'),
  ];
  const scope = { visit: newVisit(), epoch: 1 };
  await owner.call('keep-changes', { ...scope, changes: 'first' });
  await next.call('kept-changes', { ...scope, epoch: 2 });
  for (const changes of ['late', undefined])
    await expect(
      owner.call('keep-changes', { ...scope, ...(changes ? { changes } : {}) }),
    ).rejects.toMatchObject({ code: 'stale-epoch' });
  expect(await next.call('kept-changes', { ...scope, epoch: 2 })).toEqual({ changes: 'first' });
});

test('what is held for one gateway has a bound; what was held before stays', async () => {
  const node = await startNode();
  const gateway = await TestGateway.link(node);
  const [small, last, ...others] = Array.from({ length: 129 }, () => ({
    visit: newVisit(),
    epoch: 1,
  })) as [Scope, Scope, ...Scope[]];
  const full = text(LIMITS.keptChangesLength);
  await gateway.call('keep-changes', { ...small, changes: 'small' });
  for (const scope of others) await gateway.call('keep-changes', { ...scope, changes: full });
  await gateway.call('keep-changes', { ...last, changes: 'before' });
  await expect(gateway.call('keep-changes', { ...last, changes: full })).rejects.toMatchObject({
    code: 'capacity',
  });
  expect(await gateway.call('kept-changes', last)).toEqual({ changes: 'before' });
  await gateway.call('keep-changes', small);
  await gateway.call('keep-changes', { ...last, changes: full });
});
