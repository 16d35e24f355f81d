import type { TransportId } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { newRequestId, Page } from '../../test/page.ts';
import { createTestVisits, keyOf, settled } from '../../test/visits.ts';

/** What a page may believe while its visit goes from one gateway to another; the simulation found each of these. */

const key = keyOf();
type Gateway = ReturnType<typeof createTestVisits>;

async function enter(at: Gateway, participant: string, role: Page['identity']['role']) {
  const page = new Page(participant, role);
  await page.connect(at.visits);
  await page.join();
  return page;
}

async function follow(page: Page, to: Gateway) {
  page.drop();
  await page.connect(to.visits);
  await page.resume();
}

const texts = (page: Page) => page.payloads('message').map(({ text }) => text);

test('an unmute that is sent again, to another gateway, leaves a mute that came after it alone', async () => {
  const one = createTestVisits();
  const [ana, ben] = [await enter(one, 'ana', 'provider'), await enter(one, 'ben', 'patient')];
  const producerId = await ben.produce('microphone');
  await ben.command('pause-producer', { producerId, paused: true });
  const request = newRequestId();
  await ben.command('pause-producer', { producerId, paused: false }, request);
  await ana.command('mute', { participantId: ben.id });
  const other = createTestVisits({ store: one.store, node: one.node });
  await follow(ben, other);
  await ben.command('pause-producer', { producerId, paused: false }, request);
  await settled();
  const endpoint = one.store.snapshots.get(key)?.participants[1]?.endpoint;
  expect(endpoint?.producers[0]?.paused).toBe(true);
  expect(one.node.peer(key, endpoint?.peer as never)?.producers.get(producerId)?.paused).toBe(true);
});

test('that nothing is to change is no answer of a gateway that has lost the visit', async () => {
  const at = createTestVisits();
  const ana = await enter(at, 'ana', 'provider');
  await ana.command('raise-hand', { raised: false });
  at.store.takeOver(key);
  await expect(ana.command('raise-hand', { raised: false })).rejects.toMatchObject({
    code: 'moved',
  });
});

test('nobody reads a message that is not on record', async () => {
  const at = createTestVisits();
  const [ana, ben] = [await enter(at, 'ana', 'provider'), await enter(at, 'ben', 'patient')];
  await settled();
  const say = (text: string) =>
    ana.command('send-message', { to: { type: 'all' }, kind: 'chat', text });
  await say('first');
  at.store.takeOver(key);
  await expect(say('second')).rejects.toMatchObject({ code: 'moved' });
  expect(texts(ben)).toEqual(['first']);
});

test('nor does who comes back before it is', async () => {
  const at = createTestVisits();
  const [ana, ben] = [await enter(at, 'ana', 'provider'), await enter(at, 'ben', 'patient')];
  await settled();
  const recorded = Promise.withResolvers<void>();
  at.store.before = () => recorded.promise;
  const said = ana.command('send-message', { to: { type: 'all' }, kind: 'chat', text: 'first' });
  await settled();
  ben.drop();
  await ben.connect(at.visits);
  const resumed = await ben.command('resume', {
    consumerIds: [...ben.consumers.keys()],
    messagesAfter: 0,
  });
  expect([resumed.messages, texts(ben)]).toEqual([[], []]);
  recorded.resolve();
  await said;
  await settled();
  expect(texts(ben)).toEqual(['first']);
});

test('a page whose transports are not those of the visit does not resume, and joins', async () => {
  const at = createTestVisits();
  const ana = await enter(at, 'ana', 'provider');
  const resume = (recvTransportId: TransportId | undefined) =>
    ana.command('resume', { consumerIds: [], recvTransportId });
  await resume(ana.joined?.recvTransport.transportId);
  await expect(resume('recv-another' as TransportId)).rejects.toMatchObject({
    code: 'media-lost',
  });
});
