import type { BedsideError, CallId, ClinicId, TenantId } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { redisCommand } from '../../../../load-tests/lib/redis.ts';
import { RedisServer } from '../../../../load-tests/lib/redis-server.ts';
import { until } from '../../../../load-tests/lib/wait.ts';
import {
  Caller,
  type ClinicGateway,
  StaffPage,
  startClinicGateway,
} from '../../../test/clinic-gateway.ts';
import { clientOf, handshake, welcomed } from '../../../test/harness.ts';
import { Page } from '../../../test/page.ts';
import { clinicKey } from '../keys.ts';
import { onCallKeys } from './keys.ts';

let redis: RedisServer;
let here: ClinicGateway;
let there: ClinicGateway;
/** Ended after each test, last first. */
const open: (() => unknown)[] = [];

beforeEach(async () => {
  redis = await RedisServer.start();
  open.push(() => redis.stop());
  here = await startClinicGateway('gateway-a', redis.port);
  there = await startClinicGateway('gateway-b', redis.port);
  open.push(
    () => here.stop(),
    () => there.stop(),
  );
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const CARDIOLOGY = { specialties: ['cardiology'] };
const NEED = { specialty: 'cardiology' };

async function onCall(
  at: ClinicGateway,
  person: string,
  skills: object = CARDIOLOGY,
  claims: Record<string, unknown> = {},
): Promise<StaffPage> {
  const page = await StaffPage.onCall(at.url, person, skills, claims);
  open.push(() => page.drop());
  return page;
}

test('who is on call at another gateway is rung, accepts, and joins the visit with the token', async () => {
  const ana = await onCall(there, 'ana', CARDIOLOGY, { name: 'Ana' });
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED]);
  expect(await ana.hear('ring', callId)).toMatchObject({
    need: NEED,
    role: 'specialist',
    kind: 'visit',
  });

  const { visit, token } = await ana.send('accept-call', { callId });
  expect(visit).toBe('v1');
  await provider.sees(callId, 'accepted');
  const { socket, welcome } = await welcomed(clientOf(here.url, handshake(token)));
  open.push(() => socket.disconnect());
  expect(welcome).toMatchObject({ participantId: 'ana' });
  expect(ana.all('ring-ended')).toEqual([]);
});

test('only who fits is rung: specialty, language, region and role', async () => {
  const interpreter = { role: 'interpreter' };
  const [mexican, signing, far] = [
    await onCall(here, 'mexican', { languages: ['es-MX'], regions: ['ny'] }, interpreter),
    await onCall(there, 'signing', { languages: ['ase'], regions: ['ny'] }, interpreter),
    await onCall(there, 'far', { languages: ['es'], regions: ['ca'] }, interpreter),
  ];
  const doctor = await onCall(here, 'doctor', { languages: ['es'], regions: ['ny'] });
  const provider = await Caller.open(here, 'v1');
  const spanish = await provider.call([{ language: 'es', region: 'ny' }], { role: 'interpreter' });
  const signed = await provider.call([{ language: 'ase' }], { role: 'interpreter' });
  await mexican.hear('ring', spanish);
  await signing.hear('ring', signed);
  const rung = [mexican, signing, far, doctor].map((page) => page.all('ring').length);
  expect(rung).toEqual([1, 1, 0, 0]);
});

test('of many who accept at the same time over two gateways exactly one gets the call, and all others hear that it is taken', async () => {
  const names = Array.from({ length: 6 }, (_, i) => `person-${i}`);
  const people = await Promise.all(
    names.map(async (name, i) => ({ name, page: await onCall(i % 2 ? here : there, name) })),
  );
  const winners = new Set<string>();
  for (let round = 0; round < 40; round += 1) {
    const provider = await Caller.open(round % 3 ? here : there, `v${round}`);
    const callId = await provider.call([NEED]);
    await Promise.all(people.map(({ page }) => page.hear('ring', callId)));
    // Another one is the first to press the button each time.
    people.push(...people.splice(0, 1));
    const answers = await Promise.all(
      people.map(async ({ name, page }) => ({
        name,
        page,
        code: await page.refusal('accept-call', { callId }),
      })),
    );
    const won = answers.filter(({ code }) => code === undefined);
    const lost = answers.filter(({ code }) => code === 'call-taken');
    expect([won.length, lost.length]).toEqual([1, people.length - 1]);
    await provider.sees(callId, 'accepted');
    for (const { page } of lost)
      expect(await page.hear('ring-ended', callId)).toMatchObject({ reason: 'taken' });
    for (const { name, page } of won) {
      winners.add(name);
      const ofThis = (each: { callId: CallId }) => each.callId === callId;
      expect(page.all('ring').filter(ofThis)).toHaveLength(1);
      expect(page.all('ring-ended').filter(ofThis)).toEqual([]);
      // Who accepted is busy from then on.
      await page.send('set-busy', { busy: false });
    }
  }
  expect(winners.size).toBeGreaterThan(2);
});

test('who has accepted is busy until they say that they are not', async () => {
  const ana = await onCall(there, 'ana');
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED]);
  await ana.hear('ring', callId);
  await ana.send('accept-call', { callId });
  await provider.sees(await provider.call([NEED]), 'unanswered');
  await ana.send('set-busy', { busy: false });
  await ana.hear('ring', await provider.call([NEED]));
});

test('who is in another visit of the clinic is not rung, at whatever gateway, until they leave it', async () => {
  const ana = await onCall(there, 'ana');
  const elsewhere = await Caller.open(here, 'v2');
  const specialist = new Page('ana', 'specialist', 'v2');
  await specialist.connect(here.visits);
  await specialist.join();
  const provider = await Caller.open(there, 'v1');
  await provider.sees(await provider.call([NEED]), 'unanswered');
  expect(ana.all('ring')).toEqual([]);
  await specialist.command('leave', {});
  await ana.hear('ring', await elsewhere.call([NEED]));
});

test('who goes into a visit while it rings is rung no more', async () => {
  const ana = await onCall(there, 'ana');
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED]);
  await ana.hear('ring', callId);
  await Caller.open(here, 'v2');
  const specialist = new Page('ana', 'specialist', 'v2');
  await specialist.connect(here.visits);
  await specialist.join();
  await provider.sees(callId, 'unanswered');
  await ana.hear('ring-ended', callId);
});

test('who accepts again has the call still, and nobody who was not rung can take it', async () => {
  const ana = await onCall(there, 'ana');
  const stranger = await onCall(there, 'stranger', { specialties: ['neurology'] });
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED]);
  await ana.hear('ring', callId);
  expect(await stranger.refusal('accept-call', { callId })).toBe('not-found');
  const first = await ana.send('accept-call', { callId });
  const again = await ana.send('accept-call', { callId });
  expect(again.visit).toBe(first.visit);
  expect(await stranger.refusal('accept-call', { callId })).toBe('call-taken');
  expect(await ana.refusal('accept-call', { callId: 'another' as CallId })).toBe('not-found');
});

describe('the next group rings', () => {
  const groups = [{ ...NEED, language: 'es' }, NEED];
  const SPANISH = { ...CARDIOLOGY, languages: ['es'] };

  test('when nobody answers in time, and those of the first ring on', async () => {
    const [ana, ben] = [await onCall(here, 'ana', SPANISH), await onCall(there, 'ben')];
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call(groups, { ringMs: 1_000 });
    const first = await ana.hear('ring', callId);
    expect(ben.all('ring')).toEqual([]);
    await ben.hear('ring', callId);
    const second = await ana.hear('ring', callId, ({ until }) => until > first.until);
    expect(second.need).toEqual(groups[0]);
    expect(ana.all('ring-ended')).toEqual([]);
    await ana.send('accept-call', { callId });
    await ben.hear('ring-ended', callId, ({ reason }) => reason === 'taken');
  });

  test('at once when all have declined', async () => {
    const [ana, ben] = [await onCall(here, 'ana', SPANISH), await onCall(there, 'ben')];
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call(groups);
    await ana.hear('ring', callId);
    await ana.send('decline-call', { callId });
    await ben.hear('ring', callId);
    expect(ana.all('ring')).toHaveLength(1);
    expect(await ana.refusal('accept-call', { callId })).toBe('not-found');
  });

  test('at once when nobody fits, or everybody who does is busy', async () => {
    const [ana, ben] = [await onCall(here, 'ana', SPANISH), await onCall(there, 'ben')];
    await ana.send('set-busy', { busy: true });
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call(groups);
    await ben.hear('ring', callId);
    expect(ana.all('ring')).toEqual([]);
  });

  test('when the connection of the only one who is rung is lost', async () => {
    const [ana, ben] = [await onCall(there, 'ana', SPANISH), await onCall(there, 'ben')];
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call(groups);
    await ana.hear('ring', callId);
    ana.drop();
    await ben.hear('ring', callId);
  });

  test('when the gateway of the only one who is rung is killed', async () => {
    const [ana, ben] = [await onCall(there, 'ana', SPANISH), await onCall(here, 'ben')];
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call(groups);
    await ana.hear('ring', callId);
    await there.kill();
    await ben.hear('ring', callId);
  });
});

test('a call that nobody answers ends as unanswered for everybody', async () => {
  const ana = await onCall(there, 'ana');
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED], { ringMs: 500 });
  await ana.hear('ring', callId);
  await provider.sees(callId, 'unanswered');
  expect(await ana.hear('ring-ended', callId)).toMatchObject({ reason: 'unanswered' });
  expect(await ana.refusal('accept-call', { callId })).toBe('not-found');
});

test('a call that fits nobody is unanswered at once', async () => {
  const provider = await Caller.open(here, 'v1');
  await provider.sees(await provider.call([NEED, { language: 'es' }]), 'unanswered');
});

test('a call that is cancelled rings no more', async () => {
  const ana = await onCall(there, 'ana');
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED]);
  await ana.hear('ring', callId);
  await provider.cancel(callId);
  expect(await ana.hear('ring-ended', callId)).toMatchObject({ reason: 'cancelled' });
  expect(await ana.refusal('accept-call', { callId })).toBe('not-found');
});

describe('while it rings', () => {
  test('whoever comes on call, is free again, or is back after a moment, is rung too', async () => {
    const busy = await onCall(here, 'busy');
    await busy.send('set-busy', { busy: true });
    const ana = await onCall(there, 'ana');
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await ana.hear('ring', callId);
    await busy.send('set-busy', { busy: false });
    await busy.hear('ring', callId);
    const late = await onCall(there, 'late');
    await late.hear('ring', callId);
    ana.drop();
    const back = await onCall(here, 'ana');
    await back.hear('ring', callId);
    await back.send('accept-call', { callId });
    await late.hear('ring-ended', callId, ({ reason }) => reason === 'taken');
  });

  test('all windows of one person ring, and hear what is done in one of them', async () => {
    const [one, other] = [await onCall(here, 'ana'), await onCall(there, 'ana')];
    const ben = await onCall(there, 'ben');
    const provider = await Caller.open(here, 'v1');
    const declined = await provider.call([NEED]);
    await Promise.all([one, other, ben].map((page) => page.hear('ring', declined)));
    await one.send('decline-call', { callId: declined });
    expect(await other.hear('ring-ended', declined)).toMatchObject({ reason: 'declined' });
    const accepted = await provider.call([NEED]);
    await Promise.all([one, other].map((page) => page.hear('ring', accepted)));
    await other.send('accept-call', { callId: accepted });
    expect(await one.hear('ring-ended', accepted)).toMatchObject({ reason: 'taken' });
    expect(ben.all('ring-ended').filter(({ callId }) => callId === declined)).toEqual([]);
  });

  test('who becomes busy in one window is rung in none', async () => {
    const [one, other] = [await onCall(here, 'ana'), await onCall(there, 'ana')];
    const ben = await onCall(there, 'ben');
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await Promise.all([one, other, ben].map((page) => page.hear('ring', callId)));
    await one.send('set-busy', { busy: true });
    expect(await other.hear('ring-ended', callId)).toMatchObject({ reason: 'declined' });
    expect(ben.all('ring-ended')).toEqual([]);
  });

  test('a gateway that missed the end of a call finds it', async () => {
    const ana = await onCall(there, 'ana');
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await ana.hear('ring', callId);
    there.way.cut();
    await provider.cancel(callId);
    const key = onCallKeys(clinicKey('clinic' as TenantId, 'c1' as ClinicId)).call(callId);
    const end = () => redisCommand(redis.url, 'HGET', key, 'over');
    await until('Redis has the end', end, (over) => over === 'cancelled');
    there.way.restore();
    expect(await ana.hear('ring-ended', callId)).toMatchObject({ reason: 'cancelled' });
  });

  test('who becomes busy or signs off is rung no more', async () => {
    const [ana, ben] = [await onCall(here, 'ana'), await onCall(there, 'ben')];
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await Promise.all([ana, ben].map((page) => page.hear('ring', callId)));
    await ana.send('set-busy', { busy: true });
    expect(await ana.hear('ring-ended', callId)).toMatchObject({ reason: 'declined' });
    await ben.send('sign-off', {});
    expect(await ben.hear('ring-ended', callId)).toMatchObject({ reason: 'declined' });
    await provider.sees(callId, 'unanswered');
  });

  test('the gateway of the visit is killed: another takes the visit over, and the call with it', async () => {
    const [ana, ben] = [await onCall(there, 'ana'), await onCall(there, 'ben')];
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await Promise.all([ana, ben].map((page) => page.hear('ring', callId)));
    await here.kill();
    // Nobody has the visit at this moment: the answer waits until it knows.
    let answered = false;
    const accepted = ana.send('accept-call', { callId }).finally(() => {
      answered = true;
    });
    for (let round = 0; round < 10; round += 1)
      expect(await ben.refusal('accept-call', { callId })).toBe('call-taken');
    expect(answered).toBe(false);
    await provider.move(there);
    expect(await accepted).toMatchObject({ visit: 'v1' });
    await ben.hear('ring-ended', callId, ({ reason }) => reason === 'taken');
    expect(await ben.refusal('accept-call', { callId })).toBe('call-taken');
  });
});

describe('while Redis is away', () => {
  test('nobody can take a call; when it is back, who accepts has it', async () => {
    const ana = await onCall(there, 'ana');
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await ana.hear('ring', callId);
    here.way.cut();
    const call = () => provider.call([NEED]).catch((error: BedsideError) => error.code);
    await until('nobody can be called', call, (code) => code === 'state-unavailable');
    here.way.restore();
    there.way.cut();
    expect(await ana.refusal('accept-call', { callId })).toBe('state-unavailable');
    there.way.restore();
    const accept = () => ana.refusal('accept-call', { callId });
    await until('the call is taken', accept, (code) => code === undefined);
    await provider.sees(callId, 'accepted');
  });

  test('the end of a call is not lost, nor who is on call, though Redis loses everything', async () => {
    const ana = await onCall(there, 'ana');
    const provider = await Caller.open(here, 'v1');
    const callId = await provider.call([NEED]);
    await ana.hear('ring', callId);
    here.way.cut();
    await provider.cancel(callId).catch(() => undefined);
    here.way.restore();
    expect(await ana.hear('ring-ended', callId)).toMatchObject({ reason: 'cancelled' });

    await redis.kill();
    await redis.start();
    const callAgain = async () => {
      const again = await provider.call([NEED]).catch(() => undefined);
      return again === undefined
        ? 'refused'
        : Promise.race([
            ana.hear('ring', again).then(() => 'rung'),
            provider.sees(again, 'unanswered').then(() => 'unanswered'),
          ]);
    };
    await until('it rings again', callAgain, (outcome) => outcome === 'rung');
  });
});

test('a call rings at its own clinic, for who is signed on', async () => {
  const elsewhere = await onCall(here, 'eve', CARDIOLOGY, { clinic: 'c2' });
  const idle = await StaffPage.open(here.url, {
    sub: 'idle',
    role: 'specialist',
    skills: CARDIOLOGY,
  });
  open.push(() => idle.drop());
  const ana = await onCall(here, 'ana');
  const provider = await Caller.open(here, 'v1');
  const callId = await provider.call([NEED]);
  await ana.hear('ring', callId);
  await ana.send('accept-call', { callId });
  expect([elsewhere, idle].flatMap((page) => page.all('ring'))).toEqual([]);
  expect(await elsewhere.refusal('accept-call', { callId })).toBe('not-found');
  expect(await idle.refusal('set-busy', { busy: true })).toBe('conflict');
});

test('the grant is needed for all of it', async () => {
  const page = await StaffPage.open(here.url, { sub: 'eve', role: 'moderator' });
  open.push(() => page.drop());
  const callId = 'call-1' as CallId;
  expect(await page.refusal('sign-on', { busy: false })).toBe('forbidden');
  expect(await page.refusal('sign-off', {})).toBe('forbidden');
  expect(await page.refusal('set-busy', { busy: true })).toBe('forbidden');
  expect(await page.refusal('accept-call', { callId })).toBe('forbidden');
  expect(await page.refusal('decline-call', { callId })).toBe('forbidden');
});
