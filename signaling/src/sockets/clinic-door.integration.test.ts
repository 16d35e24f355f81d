import { CLINIC_AUDIENCE, TOKEN_AUDIENCE } from '@bedside/protocol';
import type { Socket } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  clientOf,
  clinicClientOf,
  eventOf,
  HOSPITAL_SECRET,
  handshake,
  mintClinicToken,
  mintToken,
  OTHER_SECRET,
  type Running,
  refusal,
  startGateway,
  welcomed,
} from '../../test/harness.ts';
import { RawClient } from '../../test/raw-client.ts';

let running: Running;
const sockets: Socket[] = [];

beforeEach(async () => {
  running = await startGateway();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect();
  await running.stop();
});

const clientWith = (token: string, clinic?: string): Socket => {
  const socket = clinicClientOf(running.url, handshake(token), clinic);
  sockets.push(socket);
  return socket;
};

async function enter(claims: Record<string, unknown> = {}) {
  const { socket, welcome } = await welcomed(clientWith(await mintClinicToken(claims)));
  const seat = running.clinics.seats.at(-1);
  if (!seat) throw new Error('the clinic was not told');
  return { socket, welcome, seat };
}

/** The code of a refused handshake. */
const refusalOf = async (socket: Socket) => (await refusal(socket)).message;

const metrics = () => fetch(`${running.opsUrl}/metrics`).then((answer) => answer.text());

describe('staff of a clinic', () => {
  test('are welcomed with what they may do, and the gateway’s time', async () => {
    const before = Date.now();
    const { welcome, seat } = await enter();
    expect(welcome).toMatchObject({
      version: 1,
      participantId: 's1',
      grants: ['queue', 'on-call'],
    });
    expect(welcome.now).toBeGreaterThanOrEqual(before);
    expect(seat.staff).toMatchObject({ tenant: 'clinic', clinic: 'c1', role: 'provider' });
    expect(running.visits.pages).toEqual([]);
  });

  test('bring the skills and the grants that their token vouches for', async () => {
    const skills = { specialties: ['cardiology'], languages: ['es', 'ase'], regions: ['r-1'] };
    const { welcome, seat } = await enter({ role: 'interpreter', skills });
    expect([welcome.grants, seat.staff.skills]).toEqual([['on-call'], skills]);
    const queue = await enter({ role: 'specialist', grants: ['queue'] });
    expect(queue.welcome.grants).toEqual(['queue']);
  });

  test('are answered what the clinic answers', async () => {
    const { socket, seat } = await enter();
    running.clinics.answer = async () => ({ entries: [], stale: true });
    const answer = await socket.emitWithAck('watch-queue', { requestId: 'r1' });
    expect(answer).toEqual({ ok: true, data: { entries: [], stale: true } });
    expect(seat.commands).toEqual([{ name: 'watch-queue', request: { requestId: 'r1' } }]);
  });

  test('hear what the clinic says to them', async () => {
    const { socket, seat } = await enter();
    const heard = eventOf(socket, 'queue');
    seat.link.send('queue', { entries: [], removed: [], stale: false });
    expect(await heard).toEqual({ entries: [], removed: [], stale: false });
  });

  test('can not send the commands of a visit', async () => {
    const { socket, seat } = await enter();
    const answer = await socket.emitWithAck('join', { requestId: 'r1' });
    expect(answer).toMatchObject({ ok: false, error: { code: 'unknown-command' } });
    expect(seat.commands).toEqual([]);
  });

  test('renew their token, and may do what the new one says', async () => {
    const { socket, seat } = await enter();
    const token = await mintClinicToken({ grants: ['on-call'] });
    const answer = await socket.emitWithAck('renew-token', { requestId: 'r1', token });
    expect(answer).toMatchObject({ ok: true, data: { grants: ['on-call'] } });
    expect(seat.staff.grants).toEqual(['on-call']);
  });

  test.each([
    { clinic: 'c2' },
    { sub: 's2' },
    { role: 'moderator' },
    { aud: TOKEN_AUDIENCE, visit: 'v1' },
  ])('can not become somebody else with a token of %j', async (claims) => {
    const { socket, seat } = await enter();
    const token = await mintClinicToken(claims);
    const answer = await socket.emitWithAck('renew-token', { requestId: 'r1', token });
    expect(answer).toMatchObject({ ok: false, error: { code: 'unauthorized' } });
    expect(seat.staff).toMatchObject({ clinic: 'c1', participant: 's1', role: 'provider' });
  });

  test('are told when the gateway stops, and the clinic when they go', async () => {
    const one = await enter();
    const other = await enter({ sub: 's2' });
    const left = new Promise((resolve) => one.socket.once('disconnect', resolve));
    one.socket.disconnect();
    await left;
    const closing = eventOf<{ reason: string }>(other.socket, 'closing');
    await running.stop();
    expect((await closing).reason).toBe('shutting-down');
    expect([one.seat.disconnects, other.seat.disconnects]).toEqual([1, 1]);
  });

  test('are counted apart from the pages of visits', async () => {
    await enter();
    expect(await metrics()).toMatch(/^bedside_gateway_clinic_sockets 1$/m);
    expect(await metrics()).toMatch(/^bedside_gateway_sockets 0$/m);
  });
});

describe('a clinic lets nobody in', () => {
  test.each<[string, Record<string, unknown>, { secret?: string; kid?: string }?]>([
    ['with a token of a visit', { aud: TOKEN_AUDIENCE, visit: 'v1' }],
    ['with a token of the portal’s server', { aud: 'bedside-service' }],
    ['with a token of another clinic', { clinic: 'c2' }],
    ['without a clinic in the token', { clinic: undefined }],
    ['with a grant that there is not', { grants: ['everything'] }],
    ['with a token that has expired', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['with a key that is not the tenant’s', {}, { secret: OTHER_SECRET }],
    ['of another tenant', { iss: 'clinic' }, { secret: HOSPITAL_SECRET, kid: 'h1' }],
  ])('%s', async (_, claims, key) => {
    const token = await mintToken(
      { aud: CLINIC_AUDIENCE, visit: undefined, clinic: 'c1', role: 'provider', ...claims },
      key,
    );
    expect(await refusalOf(clientWith(token))).toBe('unauthorized');
    expect(running.clinics.seats).toEqual([]);
  });

  test('without a clinic in the address', async () => {
    const socket = clinicClientOf(running.url, handshake(await mintClinicToken()), '');
    sockets.push(socket);
    expect(await refusalOf(socket)).toBe('unauthorized');
  });

  test('a second time on one connection, into a visit neither', async () => {
    const query = 'EIO=4&transport=websocket&clinic=c1&visit=v1';
    const client = await RawClient.open(running.url, { query });
    client.send(`40/clinic,${JSON.stringify(handshake(await mintClinicToken()))}`);
    await client.hear(/"welcome"/);
    client.send(`40${JSON.stringify(handshake(await mintToken()))}`);
    await client.closed;
    expect([running.visits.pages, running.clinics.seats.length]).toEqual([[], 1]);
  });
});

describe('a clinic’s token at a visit', () => {
  const attend = async (claims: Record<string, unknown> = {}, visit = 'v1') => {
    const socket = clientOf(running.url, handshake(await mintClinicToken(claims)), { visit });
    sockets.push(socket);
    return socket;
  };

  test('makes an attendant of the clinic, whom the visit judges', async () => {
    await welcomed(await attend({}, 'v7'));
    const [page] = running.visits.pages;
    expect(page?.identity).toMatchObject({
      tenant: 'clinic',
      visit: 'v7',
      participant: 's1',
      attendant: { clinic: 'c1' },
    });
    expect(page?.identity.grants).toEqual(['admit', 'hand-over', 'chat']);
    await welcomed(await attend({ grants: ['queue', 'remove'] }, 'v8'));
    expect(running.visits.pages[1]?.identity.grants).toContain('remove');
  });

  test('is refused without the grant for the queue, and where no visit is named', async () => {
    expect(await refusalOf(await attend({ grants: ['on-call'] }))).toBe('unauthorized');
    expect(await refusalOf(await attend({}, ''))).toBe('unauthorized');
    expect(await refusalOf(await attend({}, 'no visit'))).toBe('unauthorized');
    expect(running.visits.pages).toEqual([]);
    expect(await metrics()).toContain('token_failures_total{reason="grant"} 1');
  });

  test('is renewed by one of the same clinic only, and never by one of the visit', async () => {
    const { socket } = await welcomed(await attend());
    const renew = async (token: string) =>
      (await socket.emitWithAck('renew-token', { requestId: 'r1', token })).ok;
    expect(await renew(await mintClinicToken())).toBe(true);
    expect(await renew(await mintClinicToken({ clinic: 'c2' }))).toBe(false);
    expect(await renew(await mintToken({ sub: 's1', role: 'provider' }))).toBe(false);
  });

  test('of a participant makes no attendant, whatever its claims say', async () => {
    const token = await mintToken({ clinic: 'c1', attendant: { clinic: 'c1' } });
    const socket = clientOf(running.url, handshake(token));
    sockets.push(socket);
    await welcomed(socket);
    expect(running.visits.pages[0]?.identity.attendant).toBeUndefined();
  });
});
