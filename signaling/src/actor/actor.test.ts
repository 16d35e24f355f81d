import type {
  ClientRequest,
  ConsumerId,
  Grant,
  ParticipantId,
  ProducerId,
  RequestId,
  TenantId,
  TransportId,
  VisitId,
} from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { Page } from '../../test/page.ts';
import { createTestVisits, GRACE_MS, keyOf, settled } from '../../test/visits.ts';
import { findPresent, present } from '../visit/state.ts';

const clinic = 'clinic' as TenantId;
const visit1 = 'visit-1' as VisitId;
const key = keyOf();

let at: ReturnType<typeof createTestVisits>;

beforeEach(() => {
  at = createTestVisits();
});

async function enter(participant: string, role: Page['identity']['role'] = 'patient') {
  const page = new Page(participant, role);
  await page.connect(at.visits);
  await page.join();
  await settled();
  return page;
}

/** The visit as Redis has it. */
const stored = () => {
  const visit = at.store.snapshots.get(key);
  if (!visit) throw new Error('nothing is stored');
  return visit;
};
const here = () => present(stored()).map(({ id }) => id);

/** Consumers of a page at the node: of which producer, and whether they run. */
function heard(page: Page) {
  const peer = findPresent(stored(), page.id)?.endpoint?.peer;
  const consumers = peer && at.node.peer(key, peer)?.consumers;
  return [...(consumers ?? [])].map(([producer, { started }]) => ({ producer, started }));
}

const producersKnownTo = (page: Page): ProducerId[] =>
  [...page.consumers.values()].map(({ producerId }) => producerId);

/** Fails the next call of this name once it has been carried out, or before. */
function lose(name: string, what: 'request-lost' | 'answer-lost') {
  at.node.fate = (called) => {
    if (called !== name) return 'done';
    at.node.fate = () => 'done';
    return what;
  };
}

/** Holds the next call of this name at the node until it is let go. */
function hold(name: string): { reached: Promise<void>; letGo: () => void } {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  at.node.before = async (called) => {
    if (called !== name) return;
    at.node.before = async () => {};
    reached.resolve();
    await gate.promise;
  };
  return { reached: reached.promise, letGo: gate.resolve };
}

describe('a page that another page of its participant has replaced', () => {
  test('is told so, and what it says afterwards is refused', async () => {
    const old = await enter('ana');
    const connection = old.connection;
    await new Page('ana').connect(at.visits);
    expect(old.closed).toBe('replaced');
    await expect(connection?.command('leave', { requestId: 'r' as never })).rejects.toMatchObject({
      code: 'replaced',
    });
  });

  test('neither joins nor leaves for the newer one where its command waited meanwhile', async () => {
    await enter('ben');
    const old = await enter('ana');
    // Ben\u2019s news keeps the visit busy while these come in, in this order.
    const { reached, letGo } = hold('apply-plan');
    const camera = (await enter('cem')).produce('camera');
    await reached;
    const newer = new Page('ana');
    const connecting = newer.connect(at.visits);
    const late = [old.join(), old.command('leave', {})].map((each) =>
      expect(each).rejects.toMatchObject({ code: 'replaced' }),
    );
    letGo();
    await Promise.all([camera, connecting, ...late]);
    expect(here()).toContain('ana');
    expect(findPresent(stored(), newer.id)?.endpoint).toBeUndefined();
    // Nothing of the old page is left behind: the newer one goes, and with it the participant.
    newer.drop();
    await settled();
    at.clock.advance(GRACE_MS);
    await settled();
    expect(here()).toEqual(['ben', 'cem']);
  });
});

describe('who a page speaks for is who its latest token says', () => {
  const withGrants = (page: Page, ...grants: Grant[]) => ({ ...page.identity, grants });

  test('after a renewal, at the node too: though the call that closes a producer is lost', async () => {
    const [ana, ben] = [await enter('ana', 'provider'), await enter('ben')];
    const camera = await ana.produce('camera');
    const microphone = await ana.produce('microphone');
    await settled();
    lose('close-producer', 'request-lost');
    expect(await ana.connection?.identify(withGrants(ana, 'publish-audio'))).toEqual([
      'publish-audio',
    ]);
    await settled();
    at.clock.advance(1_000);
    await settled();
    const peer = findPresent(stored(), ana.id)?.endpoint?.peer;
    expect([...((peer && at.node.peer(key, peer)?.producers.keys()) ?? [])]).toEqual([microphone]);
    expect(producersKnownTo(ben)).toEqual([microphone]);
    expect(camera).not.toBe(microphone);
    for (const refused of [ana.produce('camera'), ana.command('end', {})])
      await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('before it joined: it joins, and ends, by what was renewed', async () => {
    const page = new Page('ana', 'provider');
    await page.connect(at.visits);
    await page.connection?.identify(withGrants(page, 'publish-audio'));
    await expect(page.command('end', {})).rejects.toMatchObject({ code: 'not-joined' });
    await page.join();
    await expect(page.command('end', {})).rejects.toMatchObject({ code: 'forbidden' });
    await expect(page.produce('camera')).rejects.toMatchObject({ code: 'forbidden' });
    await page.produce('microphone');
  });

  test('when it comes back with fewer grants before its old socket is noticed', async () => {
    const [ana, ben] = [await enter('ana', 'provider'), await enter('ben')];
    await ana.produce('camera');
    await settled();
    Object.assign(ana.identity, { grants: ['publish-audio'] });
    const { welcome } = await ana.connect(at.visits);
    expect(welcome).toMatchObject({ resumed: true, grants: ['publish-audio'] });
    await settled();
    expect(ben.consumers.size).toBe(0);
    for (const refused of [ana.produce('camera'), ana.command('end', {})])
      await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
  });

  test.each([
    ['is there', (_page: Page) => {}],
    ['is away', (page: Page) => page.drop()],
  ])('under another role a session that %s is replaced by a new one', async (_, before) => {
    const page = await enter('ana', 'patient');
    await enter('ben');
    const first = page.sessionId;
    before(page);
    await settled();
    Object.assign(page.identity, { role: 'provider' });
    const { welcome } = await page.connect(at.visits);
    expect(welcome.resumed).toBe(false);
    expect(welcome.sessionId).not.toBe(first);
    expect(findPresent(stored(), page.id)).toMatchObject({ role: 'provider' });
    expect(findPresent(stored(), page.id)?.endpoint).toBeUndefined();
    await page.command('end', {});
    expect(stored().state).toBe('ended');
  });

  test('an older socket of the session renews nothing any more', async () => {
    const ana = await enter('ana', 'provider');
    const old = ana.connection;
    await ana.connect(at.visits);
    await expect(old?.identify(withGrants(ana))).rejects.toMatchObject({ code: 'replaced' });
    expect(findPresent(stored(), ana.id)?.grants).toContain('end');
  });
});

describe('an answer of the node that is lost', () => {
  test('of apply-plan: the listeners are told of their consumers all the same, once', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    lose('apply-plan', 'answer-lost');
    const camera = await ana.produce('camera');
    await settled();
    expect(producersKnownTo(ben)).toEqual([]);
    at.clock.advance(1_000);
    await settled();
    expect(producersKnownTo(ben)).toEqual([camera]);
    expect(ben.repeats).toBe(0);
    expect(heard(ben)).toEqual([{ producer: camera, started: true }]);
  });

  test('of apply-plan that closed consumers: the listeners are told that they are gone', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    await ana.produce('camera');
    await settled();
    expect(ben.consumers.size).toBe(1);
    lose('apply-plan', 'answer-lost');
    await ana.command('leave', {});
    await settled();
    at.clock.advance(1_000);
    await settled();
    expect(ben.consumers.size).toBe(0);
  });

  test('of start-consumers: they are started all the same', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    lose('start-consumers', 'request-lost');
    const camera = await ana.produce('camera');
    await settled();
    expect(heard(ben)).toEqual([{ producer: camera, started: false }]);
    at.clock.advance(1_000);
    await settled();
    expect(heard(ben)).toEqual([{ producer: camera, started: true }]);
  });

  test('of produce: the page gets an error it may repeat, and one producer comes of the repeat', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    lose('produce', 'answer-lost');
    await expect(ana.produce('camera', 'again' as never)).rejects.toMatchObject({
      code: 'media-unavailable',
      retryable: true,
    });
    const camera = await ana.produce('camera', 'again' as never);
    await settled();
    expect(heard(ben)).toEqual([{ producer: camera, started: true }]);
  });

  test('of produce, and of its tidying up: the producer that nobody knows is closed later', async () => {
    const ana = await enter('ana');
    at.node.fate = (name) =>
      name === 'produce' ? 'answer-lost' : name === 'close-producer' ? 'request-lost' : 'done';
    await expect(ana.produce('camera')).rejects.toMatchObject({ code: 'media-unavailable' });
    at.node.fate = () => 'done';
    const peer = at.node.peer(key, at.node.peersOf(key)[0] as never);
    expect(peer?.producers.size).toBe(1);
    at.clock.advance(1_000);
    await settled();
    expect(peer?.producers.size).toBe(0);
  });

  test('of pause-producer: mute at the node follows the visit, also where the page doesn\u2019t repeat it', async () => {
    const ana = await enter('ana');
    const producerId = await ana.produce('microphone');
    await ana.command('pause-producer', { producerId, paused: true });
    lose('pause-producer', 'answer-lost');
    await expect(
      ana.command('pause-producer', { producerId, paused: false }),
    ).rejects.toMatchObject({ code: 'media-unavailable' });
    at.clock.advance(1_000);
    await settled();
    const producers = at.node.peer(key, at.node.peersOf(key)[0] as never)?.producers;
    expect(producers?.get(producerId)?.paused).toBe(true);
    expect(findPresent(stored(), ana.id)?.endpoint?.producers[0]?.paused).toBe(true);
  });

  test('of open-peer: the repeated join is a new peer, and the lost one is closed', async () => {
    const ana = new Page('ana');
    await ana.connect(at.visits);
    lose('open-peer', 'answer-lost');
    await expect(ana.join('again' as never)).rejects.toMatchObject({ retryable: true });
    await ana.join('again' as never);
    await settled();
    expect(at.node.peersOf(key)).toEqual([findPresent(stored(), ana.id)?.endpoint?.peer]);
  });
});

test('a peer of who has left is closed even where the first try is lost, and nothing else happens in the visit', async () => {
  await enter('ana');
  const ben = await enter('ben');
  lose('close-peer', 'request-lost');
  await ben.command('leave', {});
  await settled();
  expect(at.node.peersOf(key)).toHaveLength(2);
  at.clock.advance(1_000);
  await settled();
  expect(at.node.peersOf(key)).toHaveLength(1);
});

test('a consumer that the node closed by itself is replaced, and its page is told, at the next look', async () => {
  const [ana, ben] = [await enter('ana'), await enter('ben')];
  const camera = await ana.produce('camera');
  await settled();
  const [old] = ben.consumers.keys();
  at.node.peer(key, at.node.peersOf(key)[1] as never)?.consumers.clear();
  at.link();
  await settled();
  expect(heard(ben)).toEqual([{ producer: camera, started: true }]);
  expect([...ben.consumers.keys()]).not.toContain(old);
  expect(producersKnownTo(ben)).toEqual([camera]);
});

test('more faults don\u2019t put the next look at the node off', async () => {
  const [ana, ben] = [await enter('ana'), await enter('ben')];
  at.node.fate = (name) => (name === 'describe-visit' ? 'done' : 'answer-lost');
  await expect(ana.produce('camera')).rejects.toThrow();
  for (let n = 0; n < 10; n++) {
    await expect(ana.produce('camera')).rejects.toThrow();
    at.clock.advance(100);
    await settled();
  }
  expect(at.node.calls.filter((name) => name === 'describe-visit').length).toBeGreaterThan(0);
  at.node.fate = () => 'done';
  at.clock.advance(10_000);
  await settled();
  expect(heard(ben)).toEqual([]);
});

describe('when the media of the visit is lost', () => {
  const lost = () =>
    at.visits.report({
      type: 'visits-lost',
      node: at.node.id,
      visits: [key],
      reason: 'worker-died',
    });

  test('everybody is told once, nobody speaks any more, and all may join again', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const microphone = await ana.produce('microphone');
    await settled();
    at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId: microphone });
    at.node.lose();
    lost();
    await settled();
    expect(ana.payloads('media-lost')).toHaveLength(1);
    expect(ben.payloads('media-lost')).toHaveLength(1);
    expect(ben.payloads('speaker').at(-1)).toEqual({ participantId: null });
    await ana.join();
    await ben.join();
    const camera = await ana.produce('camera');
    await settled();
    expect(producersKnownTo(ben)).toEqual([camera]);
  });

  test('a join that was under way meanwhile leaves nothing behind at the node', async () => {
    const ana = await enter('ana');
    const ben = new Page('ben');
    await ben.connect(at.visits);
    const { reached, letGo } = hold('open-peer');
    const joining = ben.join();
    await reached;
    at.node.lose();
    lost();
    letGo();
    await joining;
    await settled();
    expect(ben.payloads('media-lost')).toHaveLength(1);
    expect(at.node.peersOf(key)).toEqual([]);
    await ana.join();
    await ben.join();
    await settled();
    expect(at.node.peersOf(key)).toHaveLength(2);
  });

  test('by a reboot between two commands: the later one is not sent to a node that knows nothing of it', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    at.node.reboot();
    await expect(ana.produce('camera')).rejects.toMatchObject({ code: 'media-unavailable' });
    expect(at.node.calls.at(-1)).not.toBe('produce');
    at.link();
    await settled();
    for (const page of [ana, ben]) expect(page.payloads('media-lost')).toHaveLength(1);
    await ana.join();
    expect(stored().media?.bootId).toBe(at.node.bootId);
  });

  test('by a reboot before a join: the one who joins is let in, the others are told', async () => {
    const ana = await enter('ana');
    const ben = new Page('ben');
    await ben.connect(at.visits);
    at.node.reboot();
    await ben.join();
    at.link();
    await settled();
    expect(ana.payloads('media-lost')).toHaveLength(1);
    expect(ben.payloads('media-lost')).toHaveLength(0);
    expect(at.node.peersOf(key)).toHaveLength(1);
  });
});

describe('while the node\u2019s link is down', () => {
  test('what changes is made up for once it is back, without touching what has not changed', async () => {
    const [ana, ben, cem] = [await enter('ana'), await enter('ben'), await enter('cem')];
    const camera = await ana.produce('camera');
    await settled();
    const kept = [...ben.consumers.keys()];
    at.node.up = false;
    await expect(ben.produce('camera')).rejects.toMatchObject({ code: 'media-unavailable' });
    await cem.command('leave', {});
    await settled();
    at.node.up = true;
    at.link();
    await settled();
    expect([...ben.consumers.keys()]).toEqual(kept);
    expect(heard(ben)).toEqual([{ producer: camera, started: true }]);
    expect(at.node.peersOf(key)).toHaveLength(2);
    expect(ana.payloads('media-lost')).toEqual([]);
  });

  test('a visit that ends meanwhile unloads, with no timer left', async () => {
    const ana = await enter('ana', 'provider');
    at.node.up = false;
    await ana.command('end', {});
    await settled();
    expect(ana.closed).toBe('visit-ended');
    expect([at.counts.visitsOpen, at.clock.pending]).toEqual([0, 0]);
    expect(at.store.released).toEqual([key]);
  });
});

describe('a page that is away', () => {
  test('and comes back in its grace time gets what changed, and only that', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const camera = await ana.produce('camera');
    await settled();
    const [known] = ben.consumers.keys();
    ben.drop();
    await settled();
    const microphone = await ana.produce('microphone');
    await settled();
    expect((await ben.connect(at.visits)).welcome.resumed).toBe(true);
    await ben.resume();
    expect(producersKnownTo(ben)).toEqual([camera, microphone]);
    expect(ben.consumers.has(known as ConsumerId)).toBe(true);
    expect(ben.repeats).toBe(0);
    await settled();
    expect(heard(ben).every(({ started }) => started)).toBe(true);
    expect(at.clock.pending).toBe(0);
    expect(here()).toEqual(['ana', 'ben']);
  });

  test('is told who speaks and how well everybody is heard when it is back', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const microphone = await ana.produce('microphone');
    await settled();
    at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId: microphone });
    ben.drop();
    await settled();
    at.visits.report({
      type: 'scores',
      node: at.node.id,
      visit: key,
      producers: [{ producerId: microphone, score: 5 }],
      consumers: [],
    });
    at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId: null });
    ben.events.length = 0;
    await ben.connect(at.visits);
    await ben.resume();
    await settled();
    expect(ben.payloads('speaker')).toEqual([{ participantId: null }]);
    expect(ben.payloads('quality')).toEqual([
      { participants: [{ participantId: 'ana', level: 2 }] },
    ]);
  });

  test('and missed how it is to play what it has is told when it is back', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    await ana.produce('camera');
    await settled();
    const played = () => [...ben.consumers.values()].map((each) => each.protected);
    expect(played()).toEqual([false]);
    const sign = (page: Page, signs: boolean) => page.command('set-languages', { signs });
    await sign(ben, true);
    await sign(ana, true);
    await settled();
    expect(played()).toEqual([true]);
    ben.drop();
    await sign(ana, false);
    await settled();
    await ben.connect(at.visits);
    await ben.resume();
    await settled();
    expect(played()).toEqual([false]);
  });

  test('for longer than its grace time has left, and its peer is closed', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    ben.drop();
    await settled();
    expect(ana.payloads('changed').at(-1)?.changes[0]).toMatchObject({
      participant: { participantId: 'ben', connection: 'reconnecting' },
    });
    at.clock.advance(GRACE_MS);
    await settled();
    expect(here()).toEqual(['ana']);
    expect(at.node.peersOf(key)).toHaveLength(1);
    expect((await ben.connect(at.visits)).welcome.resumed).toBe(false);
  });

  test('and sends a lost command again gets one answer for both', async () => {
    const ana = await enter('ana');
    const { reached, letGo } = hold('produce');
    const request: ClientRequest<'produce'> = {
      requestId: 'same' as RequestId,
      transportId: ana.joined?.sendTransport.transportId as TransportId,
      source: 'camera',
      rtpParameters: { codecs: [] } as never,
      paused: false,
    };
    const first = ana.connection?.command('produce', request);
    await reached;
    ana.drop();
    const connecting = ana.connect(at.visits);
    letGo();
    const second = (await connecting).command('produce', request);
    expect(await second).toEqual(await first);
    expect(findPresent(stored(), ana.id)?.endpoint?.producers).toHaveLength(1);
  });
});

describe('when another gateway takes the visit', () => {
  test('pages are told that it moved, nothing more is written, nobody is counted, no timer is left', async () => {
    const [ana, ben, cem] = [await enter('ana'), await enter('ben'), await enter('cem')];
    cem.drop();
    await settled();
    const epoch = at.store.takeOver(key);
    await at.node.call(at.node.id, 'describe-visit', { visit: key, epoch });
    const before = at.store.commits.length;
    await expect(ana.produce('camera')).rejects.toMatchObject({ code: 'moved', retryable: true });
    expect([ana.closed, ben.closed]).toEqual(['moved', 'moved']);
    await settled();
    expect(at.store.commits).toHaveLength(before);
    expect([at.counts.visitsOpen, at.counts.people, at.counts.unwritten]).toEqual([0, 0, 0]);
    expect(at.clock.pending).toBe(0);
  });

  test('in the middle of a join the join counts for nothing', async () => {
    const ana = await enter('ana');
    const ben = new Page('ben');
    await ben.connect(at.visits);
    const { reached, letGo } = hold('open-peer');
    const joining = expect(ben.join()).rejects.toMatchObject({ code: 'moved' });
    await reached;
    at.store.takeOver(key);
    // Redis says so first, by the commit that follows a socket\u2019s end.
    at.visits.redisReturned();
    await settled();
    expect(ana.closed).toBe('moved');
    letGo();
    await joining;
    await settled();
    expect([at.counts.visitsOpen, at.counts.people, at.counts.unwritten]).toEqual([0, 0, 0]);
  });

  test('the new owner takes over what the node has, and closes none of it', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const camera = await ana.produce('camera');
    await settled();
    const [peers, kept] = [at.node.peersOf(key), [...ben.consumers.keys()]];

    const first = at;
    at = createTestVisits({ store: first.store, node: first.node });
    for (const page of [ana, ben]) page.drop();
    expect((await ben.connect(at.visits)).welcome.resumed).toBe(true);
    await ben.resume();
    await ana.connect(at.visits);
    await ana.resume();
    await settled();
    expect(at.node.peersOf(key)).toEqual(peers);
    expect([...ben.consumers.keys()]).toEqual(kept);
    expect(heard(ben)).toEqual([{ producer: camera, started: true }]);
    expect(here()).toEqual(['ana', 'ben']);
  });
});

describe('an actor', () => {
  test('unloads when the last one has left, after everything is written', async () => {
    const ana = await enter('ana');
    at.store.goAway();
    await ana.command('leave', {});
    ana.drop();
    await settled();
    expect([at.counts.visitsOpen, at.counts.unwritten]).toEqual([1, 1]);
    at.store.comeBack();
    await at.visits.redisReturned();
    await settled();
    expect([at.counts.visitsOpen, at.counts.unwritten]).toEqual([0, 0]);
    expect(at.store.released).toEqual([key]);
    expect(at.clock.pending).toBe(0);
    expect(here()).toEqual([]);
  });

  test('that nobody came to for good unloads: refused, ended, never joined', async () => {
    await expect(at.visits.end(clinic, visit1)).rejects.toMatchObject({ code: 'not-found' });
    await at.visits.create(clinic, { visit: visit1, kind: 'visit' });
    const guest = new Page('ana');
    await guest.connect(at.visits);
    guest.drop();
    await settled();
    await at.visits.end(clinic, visit1);
    await settled();
    await expect(new Page('ana').connect(at.visits)).rejects.toMatchObject({ code: 'visit-ended' });
    await settled();
    expect([at.counts.visitsOpen, at.clock.pending]).toEqual([0, 0]);
  });

  test('takes commands and tells pages while Redis is away, and says nothing is lost', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    at.store.goAway();
    const camera = await ana.produce('camera');
    await ana.command('pause-producer', { producerId: camera, paused: true });
    await settled();
    expect(producersKnownTo(ben)).toEqual([camera]);
    expect(at.counts.unwritten).toBe(2);
    at.store.comeBack();
    await at.visits.redisReturned();
    expect(findPresent(stored(), ana.id)?.endpoint?.producers[0]).toMatchObject({ paused: true });
    expect(at.counts.unwritten).toBe(0);
  });

  test('closes at the node what an owner before it could not', async () => {
    const ana = await enter('ana');
    at.node.up = false;
    await ana.command('leave', {});
    ana.drop();
    await settled();
    at.node.up = true;
    at = createTestVisits({ store: at.store, node: at.node });
    await enter('ben');
    expect(at.node.peersOf(key)).toEqual([
      findPresent(stored(), 'ben' as ParticipantId)?.endpoint?.peer,
    ]);
  });

  test('tells a page that joins anew of no consumer of its peer before', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { reached, letGo } = hold('apply-plan');
    const camera = await ana.produce('camera');
    await reached;
    const joining = ben.join();
    letGo();
    await joining;
    await settled();
    expect(ben.payloads('consumers')).toEqual([]);
    expect(producersKnownTo(ben)).toEqual([camera]);
  });

  test('tells a page nothing of what happens after its join before it has the answer', async () => {
    const ana = await enter('ana');
    const ben = new Page('ben');
    await ben.connect(at.visits);
    const written = Promise.withResolvers<void>();
    at.store.before = async () => {
      at.store.before = async () => {};
      await written.promise;
    };
    const joining = ben.join().then((answer) => ({ answer, events: ben.events.length }));
    await settled();
    const camera = ana.produce('camera');
    await settled();
    written.resolve();
    const { answer, events } = await joining;
    await settled();
    expect(events).toBe(0);
    expect(answer.consumers).toEqual([]);
    expect(producersKnownTo(ben)).toEqual([await camera]);
  });
});

test('a waiting participant is told neither who speaks nor how others are heard', async () => {
  await at.visits.create(clinic, { visit: visit1, kind: 'visit', admission: 'on-admit' });
  const ana = await enter('ana', 'provider');
  const ben = await enter('ben');
  const microphone = await ana.produce('microphone');
  at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId: microphone });
  await settled();
  expect([...ben.payloads('speaker'), ...ben.payloads('quality')]).toEqual([]);
  expect(ben.consumers.size).toBe(0);
  expect(ana.payloads('speaker')).toEqual([{ participantId: null }, { participantId: 'ana' }]);
});
