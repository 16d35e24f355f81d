import type { CallId } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import { OnCall } from './on-call.ts';

const callId = 'call-1' as CallId;
const CALL = {
  callId,
  need: { language: 'es' },
  role: 'interpreter',
  kind: 'visit',
  until: 2_000_000_000_000,
};

const sockets: FakeSocket[] = [];
let heard: string[];
let onCall: OnCall;

beforeEach(() => {
  vi.useFakeTimers();
  sockets.length = 0;
  heard = [];
  const options = { url: 'https://gateway', clinic: 'c1', tokenProvider: () => 'token' };
  onCall = new OnCall(options, (each) => {
    const socket = new FakeSocket(each);
    sockets.push(socket);
    return socket;
  })
    .on('ring', (call) => heard.push(`ring ${call.callId}`))
    .on('ringEnded', (call, reason) => heard.push(`ended ${call.callId} ${reason}`));
});

afterEach(() => {
  onCall.close();
  vi.useRealTimers();
});

const socket = (): FakeSocket => sockets.at(-1) as FakeSocket;
const turn = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const sent = () => socket().sent.map(({ name, payload: { requestId, ...rest } }) => [name, rest]);
const says = async (name: string, payload: object) => {
  socket().receive(name, payload);
  await turn();
};
const answers = async (data: object = {}) => {
  socket().sent.at(-1)?.answer({ ok: true, data });
  await turn();
};
const refuses = async (code: string) => {
  const error = { code, kind: 'user', retryable: false, message: code };
  socket().sent.at(-1)?.answer({ ok: false, error });
  await turn();
};
const welcomes = () =>
  says('welcome', {
    version: 1,
    participantId: 's1',
    grants: ['on-call'],
    tokenExpiresInMs: 600_000,
    now: Date.now() + 60_000,
  });

async function signOn(): Promise<void> {
  const signed = onCall.signOn();
  await turn();
  await welcomes();
  await answers();
  await signed;
}

describe('signing on', () => {
  it('connects to the clinic, and is done once the gateway knows', async () => {
    const signed = onCall.signOn();
    await turn();
    expect(socket().options).toMatchObject({
      url: 'https://gateway/clinic',
      query: { clinic: 'c1' },
    });
    await welcomes();
    expect(sent()).toEqual([['sign-on', { busy: false }]]);
    expect(onCall.isOnCall).toBe(false);
    await answers();
    await signed;
    expect(onCall.isOnCall).toBe(true);
    expect(sent()).toHaveLength(1);
  });

  it('is a command of its own where one is connected already', async () => {
    const connected = onCall.connect();
    await turn();
    await welcomes();
    await connected;
    expect([sent(), onCall.isOnCall]).toEqual([[], false]);
    const signed = onCall.signOn();
    await turn();
    expect(sent()).toEqual([['sign-on', { busy: false }]]);
    await answers();
    await signed;
  });

  it('that is refused leaves one off call', async () => {
    const signed = onCall.signOn();
    const refused = expect(signed).rejects.toMatchObject({ code: 'forbidden' });
    await turn();
    await welcomes();
    await refuses('forbidden');
    await refused;
    void onCall.connect();
    await turn();
    await welcomes();
    expect([sent(), onCall.isOnCall]).toEqual([[], false]);
  });

  it('is done again by itself after a lost connection, as busy as before', async () => {
    await signOn();
    const busy = onCall.setBusy(true);
    await turn();
    await answers();
    await busy;
    await says('disconnect', {});
    await turn(10_000);
    await welcomes();
    expect(sent()).toEqual([['sign-on', { busy: true }]]);
  });

  it('is over with signOff, also for the next connection', async () => {
    await signOn();
    const busy = onCall.setBusy(true);
    await turn();
    await answers();
    await busy;
    await says('ring', CALL);
    const off = onCall.signOff();
    await turn();
    await answers();
    await off;
    expect(sent().at(-1)).toEqual(['sign-off', {}]);
    expect([onCall.isOnCall, onCall.isBusy, onCall.calls]).toEqual([false, false, []]);
    await says('disconnect', {});
    await turn(10_000);
    await welcomes();
    expect(sent()).toEqual([]);
  });
});

it('a call may ring before the answer to sign-on is there', async () => {
  const signed = onCall.signOn();
  await turn();
  await welcomes();
  await says('ring', CALL);
  await answers();
  await signed;
  expect([onCall.calls, heard]).toEqual([[CALL], ['ring call-1']]);
});

describe('a call', () => {
  beforeEach(signOn);

  it('rings once, however often it is said, and shows the newest word of it', async () => {
    await says('ring', CALL);
    await says('ring', { ...CALL, until: CALL.until + 1 });
    expect(heard).toEqual(['ring call-1']);
    expect(onCall.calls).toEqual([{ ...CALL, until: CALL.until + 1 }]);
  });

  it('that another one took is over, with the reason', async () => {
    await says('ring', CALL);
    await says('ring-ended', { callId, reason: 'taken' });
    await says('ring-ended', { callId, reason: 'taken' });
    expect(heard).toEqual(['ring call-1', 'ended call-1 taken']);
    expect(onCall.calls).toEqual([]);
  });

  it('that is accepted gives visit and token, and makes one busy', async () => {
    await says('ring', CALL);
    const accepted = onCall.accept(onCall.calls[0] as never);
    await turn();
    expect(sent().at(-1)).toEqual(['accept-call', { callId }]);
    await answers({ visit: 'v1', token: 'guest-token' });
    expect(await accepted).toEqual({ visit: 'v1', token: 'guest-token' });
    expect([onCall.isBusy, onCall.calls, heard]).toEqual([true, [], ['ring call-1']]);
  });

  it('that a colleague has taken is refused, and one is not busy', async () => {
    await says('ring', CALL);
    const accepted = onCall.accept(callId);
    const refused = expect(accepted).rejects.toMatchObject({ code: 'call-taken' });
    await turn();
    await says('ring-ended', { callId, reason: 'taken' });
    await refuses('call-taken');
    await refused;
    expect([onCall.isBusy, heard]).toEqual([false, ['ring call-1', 'ended call-1 taken']]);
  });

  it('that is declined rings no more', async () => {
    await says('ring', CALL);
    const declined = onCall.decline(callId);
    await turn();
    expect(sent().at(-1)).toEqual(['decline-call', { callId }]);
    await answers();
    await declined;
    expect([onCall.calls, heard]).toEqual([[], ['ring call-1']]);
  });

  it('stops ringing while the connection is away, and rings anew when it is back', async () => {
    await says('ring', CALL);
    await says('disconnect', {});
    expect(heard).toEqual(['ring call-1', 'ended call-1 unanswered']);
    await turn(10_000);
    await welcomes();
    await answers();
    await says('ring', CALL);
    expect(heard.at(-1)).toBe('ring call-1');
  });

  it('counts down by the gateway’s clock', () => {
    expect(onCall.now).toBe(Date.now() + 60_000);
  });
});

describe('being busy', () => {
  it('is for who is on call', async () => {
    await expect(onCall.setBusy(true)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is taken back where the gateway refuses', async () => {
    await signOn();
    const busy = onCall.setBusy(true);
    const refused = expect(busy).rejects.toMatchObject({ code: 'conflict' });
    expect(onCall.isBusy).toBe(true);
    await turn();
    await refuses('conflict');
    await refused;
    expect(onCall.isBusy).toBe(false);
  });
});
