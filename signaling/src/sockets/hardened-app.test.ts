import type { HttpRequest, HttpResponse, TemplatedApp, WebSocketBehavior } from 'uWebSockets.js';
import { expect, test } from 'vitest';
import { type Hardening, hardenedApp, type UpgradeRefusal } from './hardened-app.ts';

type Behavior = Required<WebSocketBehavior<object>>;

/** An app at its port, and what Engine.IO would hear of. */
function served(hardening: Partial<Hardening> = {}) {
  const heard: string[] = [];
  const counts = { open: 0, floods: 0 };
  let behavior: Behavior | undefined;
  let plain: ((res: HttpResponse) => void) | undefined;
  const app = {
    ws(_pattern: string, given: Behavior) {
      behavior = given;
      return app;
    },
    any(_pattern: string, handler: (res: HttpResponse) => void) {
      plain = handler;
      return app;
    },
    publish: () => true,
  };
  const hardened = hardenedApp(app as unknown as TemplatedApp, {
    maxPayloadBytes: 1000,
    maxBackpressureBytes: 2000,
    frames: { burst: 3, perSecond: 1 },
    refuseUpgrade: () => undefined,
    onOpen: () => {
      counts.open += 1;
    },
    onClose: () => {
      counts.open -= 1;
    },
    onFlood: () => {
      counts.floods += 1;
    },
    now: () => 0,
    ...hardening,
  });
  hardened
    .any('/socket.io/', () => void heard.push('plain'))
    .ws('/socket.io/', {
      maxPayloadLength: 1,
      upgrade: () => void heard.push('upgrade'),
      open: () => void heard.push('open'),
      message: () => void heard.push('message'),
      close: () => void heard.push('close'),
    });
  if (behavior === undefined || plain === undefined) throw new Error('nothing was mounted');
  return { hardened, app, behavior, plain, heard, counts };
}

/** A response that notes what is written. */
function response() {
  const written: unknown[] = [];
  const note = (...values: unknown[]) => {
    written.push(...values);
    return res;
  };
  const res = { writeStatus: note, writeHeader: note, end: note };
  return { res: res as unknown as HttpResponse, written };
}

const requestOf = (query: Record<string, string> = {}) =>
  ({ getQuery: (name: string) => query[name] }) as unknown as HttpRequest;

class FakeWebSocket {
  ended: unknown[] = [];
  end(...values: unknown[]): void {
    this.ended = values;
  }
}
const webSocket = () => new FakeWebSocket() as FakeWebSocket & Parameters<Behavior['open']>[0];

test('bounds of payload and backpressure are set over those of Engine.IO, and a slow client is closed', () => {
  expect(served().behavior).toMatchObject({
    compression: 0,
    maxPayloadLength: 1000,
    maxBackpressure: 2000,
    closeOnBackpressureLimit: true,
  });
});

test('what is not hardened is the app’s own', () => {
  const { hardened, app } = served();
  expect(hardened.publish).toBe(app.publish);
});

test('plain requests get one answer, and Engine.IO does not see them', () => {
  const { plain, heard } = served();
  const { res, written } = response();
  plain(res);
  expect(written[0]).toBe('400 Bad Request');
  expect(heard).toEqual([]);
});

test.each<UpgradeRefusal>([
  { status: '429 Too Many Requests', retryAfterSeconds: 3 },
  { status: '403 Forbidden' },
])('an upgrade that is refused is answered before Engine.IO sees it: $status', (refusal) => {
  const { behavior, heard } = served({ refuseUpgrade: () => refusal });
  const { res, written } = response();
  behavior.upgrade(res, requestOf(), {} as never);
  expect(written[0]).toBe(refusal.status);
  expect(written.includes('Retry-After')).toBe(refusal.retryAfterSeconds !== undefined);
  expect(heard).toEqual([]);
});

test('an upgrade that is not refused is Engine.IO’s', () => {
  const { behavior, heard } = served();
  behavior.upgrade(response().res, requestOf(), {} as never);
  expect(heard).toEqual(['upgrade']);
});

test('a second connection for a session is refused, whoever asks', () => {
  const { behavior, heard } = served();
  for (const sid of ['', 'mine']) {
    const { res, written } = response();
    behavior.upgrade(res, requestOf({ sid }), {} as never);
    expect(written[0]).toBe('400 Bad Request');
  }
  expect(heard).toEqual([]);
});

test('a socket that floods is cut; each has a bucket of its own, which time fills', () => {
  let now = 0;
  const { behavior, heard, counts } = served({ now: () => now });
  const [flooding, calm] = [webSocket(), webSocket()];
  behavior.open(flooding);
  behavior.open(calm);
  const say = (socket: typeof calm) => behavior.message(socket, new ArrayBuffer(0), false);
  for (let i = 0; i < 4; i += 1) say(flooding);
  expect(flooding.ended).toEqual([1008, 'flood']);
  expect(counts.floods).toBe(1);
  for (let i = 0; i < 3; i += 1) say(calm);
  now = 1000;
  say(calm);
  expect(calm.ended).toEqual([]);
  expect(heard.filter((what) => what === 'message')).toHaveLength(3 + 4);
});

test('open sockets are counted, and Engine.IO hears of both ends', () => {
  const { behavior, counts, heard } = served();
  const socket = webSocket();
  behavior.open(socket);
  expect(counts.open).toBe(1);
  behavior.close(socket, 1000, new ArrayBuffer(0));
  expect(counts.open).toBe(0);
  expect(heard).toEqual(['open', 'close']);
});
