import type { ParticipantId, RequestId, VisitId } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { Page } from '../../test/page.ts';
import { createTestVisits, GRACE_MS, keyOf, settled } from '../../test/visits.ts';

/** The clinical visit as pages meet it at the actor: what is not to be seen in `decide` alone. */

const key = keyOf();

async function enter(
  at: ReturnType<typeof createTestVisits>,
  participant: string,
  role: Page['identity']['role'],
) {
  const page = new Page(participant, role);
  await page.connect(at.visits);
  await page.join();
  await settled();
  return page;
}

const say = (page: Page, text: string) =>
  page.command('send-message', { to: { type: 'all' }, kind: 'chat', text });
const received = (page: Page) =>
  page.events
    .filter(({ name }) => name === 'message')
    .map(({ payload }) => (payload as { text: string }).text);

async function created(at: ReturnType<typeof createTestVisits>) {
  await at.visits.create('clinic' as never, {
    visit: 'visit-1' as VisitId,
    kind: 'visit',
    admission: 'on-admit',
    clinic: 'eyes' as never,
  });
}

describe('an invitation', () => {
  test('lets one page in, which may come again after its grace time, and no other page', async () => {
    const at = createTestVisits();
    const provider = await enter(at, 'ana', 'provider');
    const { inviteId } = await provider.command('invite', { role: 'caregiver', knock: false });
    const [minted] = at.clinics.guests;
    const guest = new Page(minted?.participant ?? '', 'caregiver');
    guest.identity.invite = inviteId;
    await guest.connect(at.visits);
    await guest.join();
    guest.drop();
    at.clock.advance(GRACE_MS);
    await settled();
    const other = new Page(guest.id, 'caregiver');
    other.identity.invite = inviteId;
    await expect(other.connect(at.visits)).rejects.toMatchObject({ code: 'invite-used' });
    await guest.connect(at.visits);
    await guest.join();
    await provider.command('remove', { participantId: guest.id });
    await settled();
    expect(guest.closed).toBe('removed');
    await expect(guest.connect(at.visits)).rejects.toMatchObject({ code: 'removed' });
  });
});

describe('who waits', () => {
  test('stands in the clinic’s queue until they are admitted; of two who admit, one is told', async () => {
    const at = createTestVisits();
    await created(at);
    const patient = await enter(at, 'pat', 'patient');
    expect(at.clinics.entries.get(key)?.waiting.map(({ participantId }) => participantId)).toEqual([
      'pat',
    ]);
    const [ana, ben] = [await enter(at, 'ana', 'provider'), await enter(at, 'ben', 'provider')];
    const participantIds = [patient.id];
    const outcomes = await Promise.allSettled([
      ana.command('admit', { participantIds }),
      ben.command('admit', { participantIds }),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find((outcome) => outcome.status === 'rejected')?.reason).toMatchObject({
      code: 'already-admitted',
    });
    await settled();
    expect(at.clinics.entries.has(key)).toBe(false);
  });

  test('is admitted by the staff of the visit’s own clinic from outside, and by no other', async () => {
    const at = createTestVisits();
    await created(at);
    await enter(at, 'pat', 'patient');
    const staff = (clinic: string) => {
      const page = new Page('desk', 'provider');
      page.identity.attendant = { clinic: clinic as never };
      page.identity.grants = ['admit'];
      return page;
    };
    await expect(staff('ears').connect(at.visits)).rejects.toMatchObject({ code: 'unauthorized' });
    const desk = staff('eyes');
    await desk.connect(at.visits);
    await expect(desk.command('end', {})).rejects.toMatchObject({ code: 'forbidden' });
    await desk.command('admit', { participantIds: ['pat' as ParticipantId] });
    await settled();
    expect(at.clinics.entries.has(key)).toBe(false);
  });
});

describe('the quality of who waits', () => {
  test('is told to who may admit them alone, until they are in', async () => {
    const at = createTestVisits();
    await created(at);
    const ana = await enter(at, 'ana', 'provider');
    const pat = await enter(at, 'pat', 'patient');
    await ana.command('admit', {});
    const kim = await enter(at, 'kim', 'patient');
    const producerId = await kim.produce('camera');
    at.visits.report({
      type: 'scores',
      node: at.node.id,
      visit: key,
      producers: [{ producerId, score: 10 }],
      consumers: [],
    });
    pat.drop();
    await pat.connect(at.visits);
    await pat.resume();
    await settled();
    const good = { participants: [{ participantId: 'kim', level: 3 }] };
    expect(ana.payloads('quality')).toEqual([good]);
    expect(pat.payloads('quality')).toEqual([]);
    await ana.command('admit', {});
    for (const page of [pat, kim]) expect(page.payloads('quality')).toEqual([good]);
  });
});

describe('who is removed', () => {
  test('receives nothing any more once that is acknowledged', async () => {
    const at = createTestVisits();
    const ana = await enter(at, 'ana', 'provider');
    await ana.produce('microphone');
    const pat = await enter(at, 'pat', 'observer');
    const { promise, resolve } = Promise.withResolvers<void>();
    at.node.before = (name) => (name === 'close-peer' ? promise : Promise.resolve());
    let acknowledged = false;
    const removal = ana.command('remove', { participantId: pat.id }).then(() => {
      acknowledged = true;
    });
    await settled();
    expect([acknowledged, at.node.peersOf(key).length]).toEqual([false, 2]);
    resolve();
    await removal;
    expect(at.node.peersOf(key)).toHaveLength(1);
  });

  test('is so by the same request again, where the node did not answer the first time', async () => {
    const at = createTestVisits();
    const ana = await enter(at, 'ana', 'provider');
    const pat = await enter(at, 'pat', 'observer');
    at.node.up = false;
    const remove = () =>
      ana.command('remove', { participantId: pat.id }, 'request of ana' as RequestId);
    await expect(remove()).rejects.toMatchObject({ code: 'media-unavailable' });
    at.node.up = true;
    expect(await remove()).toEqual({});
    expect(at.node.peersOf(key)).toHaveLength(1);
  });
});

describe('a whisper whose hearer goes', () => {
  async function whispering(at: ReturnType<typeof createTestVisits>) {
    const [ana, ivo] = [await enter(at, 'ana', 'provider'), new Page('ivo', 'interpreter')];
    ivo.identity.grants = ['publish-audio', 'interpret', 'whisper'];
    await ivo.connect(at.visits);
    await ivo.join();
    const pat = await enter(at, 'pat', 'patient');
    const producerId = await ivo.produce('microphone');
    await ivo.command('whisper', { to: pat.id });
    await settled();
    const isPaused = () =>
      at.node
        .peersOf(key)
        .some((peer) => at.node.peer(key, peer)?.producers.get(producerId)?.paused);
    /** Of each plan that reaches the node from now on: whether the microphone is silent by then. */
    const planned: boolean[] = [];
    const watch = async (name: string) => {
      if (name === 'apply-plan') planned.push(isPaused());
    };
    at.node.before = watch;
    return { ana, ivo, pat, producerId, isPaused, planned, watch };
  }

  test('is silent at the node before anybody else could hear it, and who whispered is told', async () => {
    const at = createTestVisits();
    const { ivo, pat, producerId, isPaused, planned, watch } = await whispering(at);
    const { promise, resolve } = Promise.withResolvers<void>();
    at.node.before = (name) => (name === 'pause-producer' ? promise : watch(name));
    await pat.command('leave', {});
    await settled();
    resolve();
    await settled();
    expect([new Set(planned), isPaused()]).toEqual([new Set([true]), true]);
    expect(ivo.payloads('whisper-ended')).toEqual([{ to: 'pat' }]);
    await ivo.command('pause-producer', { producerId, paused: false });
    expect(isPaused()).toBe(false);
  });

  test('is silent though the node misses that it is to be', async () => {
    const at = createTestVisits();
    const { pat, isPaused, planned } = await whispering(at);
    at.node.fate = (name) => {
      if (name !== 'pause-producer') return 'done';
      at.node.fate = () => 'done';
      return 'request-lost';
    };
    await pat.command('leave', {});
    await settled();
    at.clock.advance(8_000);
    await settled();
    expect([new Set(planned), isPaused()]).toEqual([new Set([true]), true]);
  });
});

describe('who is let in', () => {
  test('is told who speaks', async () => {
    const at = createTestVisits();
    await created(at);
    const ana = await enter(at, 'ana', 'provider');
    const kim = await enter(at, 'kim', 'patient');
    const producerId = await ana.produce('microphone');
    at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId });
    expect(kim.payloads('speaker')).toEqual([]);
    await ana.command('admit', {});
    expect(kim.payloads('speaker')).toEqual([{ participantId: 'ana' }]);
  });
});

describe('messages', () => {
  test('reach who is entitled once and in order, also over a reconnect and another gateway', async () => {
    const at = createTestVisits();
    const [ana, pat] = [await enter(at, 'ana', 'provider'), await enter(at, 'pat', 'patient')];
    await say(ana, 'one');
    await settled();
    pat.drop();
    await say(ana, 'two');
    await say(ana, 'three');
    await pat.connect(at.visits);
    const resumed = await pat.command('resume', { consumerIds: [], messagesAfter: 1 });
    expect(resumed.messages.map(({ text }) => text)).toEqual(['two', 'three']);
    expect(received(pat)).toEqual(['one']);
    await at.visits.stop(1_000);
    const next = createTestVisits({ store: at.store, node: at.node });
    await pat.connect(next.visits);
    const taken = await pat.command('resume', { consumerIds: [], messagesAfter: 2 });
    expect(taken.messages.map(({ text }) => text)).toEqual(['three']);
  });
});

describe('a request that the staff repeats over another connection', () => {
  const staff = (id: string) => {
    const page = new Page(id, 'provider');
    page.identity.attendant = { clinic: 'eyes' as never };
    page.identity.grants = ['admit', 'chat'];
    return page;
  };
  const once = 'once' as RequestId;
  async function waiting() {
    const at = createTestVisits();
    await created(at);
    const pat = await enter(at, 'pat', 'patient');
    const ask = async (
      id: string,
      act: (desk: Page) => Promise<unknown>,
      { visits } = at,
    ): Promise<unknown> => {
      const desk = staff(id);
      await desk.connect(visits);
      const answer = await act(desk);
      desk.drop();
      await settled();
      return answer;
    };
    const write = (desk: Page) => {
      const to = { type: 'participant', participantId: pat.id } as const;
      return desk.command('send-message', { to, kind: 'chat', text: 'soon' }, once);
    };
    return { at, pat, ask, write };
  }

  test('is done once, and answered alike', async () => {
    const { pat, ask, write } = await waiting();
    expect(await ask('desk', write)).toEqual(await ask('desk', write));
    expect(received(pat)).toEqual(['soon']);
    const admit = (desk: Page) => desk.command('admit', { participantIds: [pat.id] }, once);
    expect(await ask('desk', admit)).toEqual(await ask('desk', admit));
  });

  test('says a message once at another gateway, too', async () => {
    const { at, pat, ask, write } = await waiting();
    const first = await ask('desk', write);
    const next = createTestVisits({ store: at.store, node: at.node });
    next.clock.advance(1_000);
    await pat.connect(next.visits);
    await pat.resume();
    expect(await ask('desk', write, next)).toEqual(first);
    expect(received(pat)).toEqual(['soon']);
  });

  test('is another one where somebody else makes it', async () => {
    const { pat, ask, write } = await waiting();
    await ask('desk', write);
    await ask('colleague', write);
    expect(received(pat)).toEqual(['soon', 'soon']);
  });
});

describe('a request that is repeated at another gateway', () => {
  const again = async (act: (page: Page, requestId: RequestId) => Promise<unknown>) => {
    const at = createTestVisits();
    await created(at);
    const ana = await enter(at, 'ana', 'provider');
    const pat = await enter(at, 'pat', 'patient');
    await ana.command('admit', {});
    const first = await act(ana, 'once' as RequestId);
    await settled();
    const next = createTestVisits({ store: at.store, node: at.node });
    next.clock.advance(1_000);
    for (const page of [ana, pat]) await page.connect(next.visits);
    await pat.resume();
    const second = await act(ana, 'once' as RequestId);
    await settled();
    return { at, pat, first, second };
  };

  test('says a message once', async () => {
    const { pat, first, second } = await again((page, id) =>
      page.command('send-message', { to: { type: 'all' }, kind: 'chat', text: 'hello' }, id),
    );
    expect(second).toEqual(first);
    expect(received(pat)).toEqual(['hello']);
  });

  test.each<[string, string, (page: Page, id: RequestId) => Promise<unknown>]>([
    [
      'calls once',
      'called',
      (page, id) => page.command('call', { role: 'specialist', groups: [{}] }, id),
    ],
    [
      'invites once',
      'invited',
      async (page, id) => {
        const { inviteId, expiresAt } = await page.command(
          'invite',
          { role: 'caregiver', knock: false },
          id,
        );
        return { inviteId, expiresAt };
      },
    ],
    [
      'opens one room',
      'privacy-started',
      (page, id) => page.command('move', { participantIds: [page.id], to: { type: 'room' } }, id),
    ],
  ])('%s', async (_, event, act) => {
    const { at, first, second } = await again(act);
    expect(second).toEqual(first);
    expect(at.store.ledger.filter(({ type }) => type === event)).toHaveLength(1);
  });
});

describe('a deadline', () => {
  const unattended = async (at: ReturnType<typeof createTestVisits>) => {
    await at.visits.create('clinic' as never, {
      visit: 'visit-1' as VisitId,
      kind: 'visit',
      unattendedMinutes: 10,
    });
    const [provider, patient] = [
      await enter(at, 'ana', 'provider'),
      await enter(at, 'pat', 'patient'),
    ];
    await provider.command('leave', {});
    provider.drop();
    await settled();
    return patient;
  };

  test('ends a visit that nobody answers for any more, and not before', async () => {
    const at = createTestVisits();
    const patient = await unattended(at);
    at.clock.advance(10 * 60_000 - 1);
    await settled();
    expect(patient.closed).toBeUndefined();
    at.clock.advance(1);
    await settled();
    expect(patient.closed).toBe('visit-ended');
  });

  test('that passed while nobody was in has ended the visit for who comes after it', async () => {
    const at = createTestVisits();
    const patient = await unattended(at);
    await patient.command('leave', {});
    patient.drop();
    await settled();
    expect(at.store.released).toEqual([key, key]);
    at.clock.advance(10 * 60_000);
    await expect(new Page('ana', 'provider').connect(at.visits)).rejects.toMatchObject({
      code: 'visit-ended',
    });
    expect(at.store.ledger.at(-1)).toMatchObject({ type: 'visit-ended', reason: 'unattended' });
  });

  test('that is further away than a timer goes is kept', async () => {
    const at = createTestVisits();
    const days = 40 * 24 * 60 * 60_000;
    await at.visits.create('clinic' as never, {
      visit: 'visit-1' as VisitId,
      kind: 'visit',
      startsAt: new Date(at.clock.now() + days).toISOString(),
      noShowAfterMinutes: 5,
    });
    await enter(at, 'ana', 'provider');
    const reported = () => at.store.ledger.filter(({ type }) => type === 'no-show').length;
    for (let passed = 0; passed < days; passed += days / 80) {
      at.clock.advance(days / 80);
      await settled();
    }
    expect(reported()).toBe(0);
    at.clock.advance(6 * 60_000);
    await settled();
    expect(reported()).toBe(1);
  });
});

test('who may be on call is not rung while they are in a visit, nor on their way in; a patient never is', async () => {
  const at = createTestVisits();
  await created(at);
  const patient = await enter(at, 'pat', 'patient');
  expect(at.clinics.engaged).toEqual([]);
  const interpreter = await enter(at, 'ivo', 'interpreter');
  const provider = await enter(at, 'ana', 'provider');
  expect(at.clinics.engaged).toEqual(['ivo', 'ana']);
  await interpreter.command('leave', {});
  await settled();
  expect(at.clinics.engaged).toEqual(['ana']);
  await provider.command('end', {});
  await settled();
  expect(at.clinics.engaged).toEqual([]);
  expect(patient.closed).toBe('visit-ended');
});
