import { expect, test } from 'vitest';
import type { ClientLink } from '../ports.ts';
import { Outbox } from './outbox.ts';

function setUp(acted = true) {
  const said: string[] = [];
  const link: ClientLink = {
    send: (name) => void said.push(name),
    sendConsumers: async () => {
      said.push('consumers');
      return acted;
    },
    close: (reason) => void said.push(`close ${reason}`),
  };
  return { said, link, outbox: new Outbox(link) };
}

const nothingChanged = { added: [], removed: [], updated: [] };
/** Past the answer, and what waits behind it. */
const later = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test('what is sent while nothing is answered goes out at once', () => {
  const { said, outbox } = setUp();
  outbox.send('media-lost', {});
  expect(said).toEqual(['media-lost']);
});

test('what happens while an answer is made goes out behind it, in order', async () => {
  const { said, outbox } = setUp();
  const answer = outbox.behind(async () => {
    outbox.send('media-lost', {});
    outbox.sendConsumers(nothingChanged, () => {});
    await Promise.resolve();
    outbox.close('moved');
    return 'the answer';
  });
  said.push(await answer);
  outbox.send('speaker', { participantId: null });
  await later();
  expect(said).toEqual(['the answer', 'media-lost', 'consumers', 'close moved', 'speaker']);
});

test('it goes out, too, where the answer is an error', async () => {
  const { said, outbox } = setUp();
  const answer = outbox.behind(async () => {
    outbox.send('media-lost', {});
    throw new Error('of the command');
  });
  await answer.catch(() => said.push('the error'));
  await later();
  expect(said).toEqual(['the error', 'media-lost']);
});

test('with two answers under way it waits for the later one', async () => {
  const { said, outbox } = setUp();
  const gate = Promise.withResolvers<void>();
  const slow = outbox.behind(() => gate.promise);
  await outbox.behind(async () => outbox.send('media-lost', {}));
  await later();
  expect(said).toEqual([]);
  gate.resolve();
  await slow;
  said.push('the answer');
  await later();
  expect(said).toEqual(['the answer', 'media-lost']);
});

test('consumers are acknowledged where the page acted, and not where it is gone', async () => {
  for (const acted of [true, false]) {
    const { outbox } = setUp(acted);
    let acknowledged = false;
    outbox.sendConsumers(nothingChanged, () => {
      acknowledged = true;
    });
    await later();
    expect(acknowledged).toBe(acted);
  }
});
