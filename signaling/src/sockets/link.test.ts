import { EventEmitter } from 'node:events';
import type { ClientEventPayload, CloseReason } from '@bedside/protocol';
import type { Socket } from 'socket.io';
import { expect, test } from 'vitest';
import { MAX_HELD, VisitLink } from './link.ts';

/** A socket at its port: notes what is emitted, and can be closed from the other end. */
class FakeSocket {
  readonly emitted: { name: string; payload: unknown }[] = [];
  readonly conn = Object.assign(new EventEmitter(), {
    readyState: 'open',
    close: () => this.gone(),
  });
  /** Each acknowledges one `consumers`, the oldest first. */
  readonly pending: (() => void)[] = [];

  emit(name: string, payload: unknown, done?: () => void): boolean {
    this.emitted.push({ name, payload });
    if (done) this.pending.push(done);
    return true;
  }

  disconnect(): void {
    this.gone();
  }

  gone(): void {
    this.conn.readyState = 'closed';
    this.conn.emit('close');
  }

  get names(): string[] {
    return this.emitted.map(({ name }) => name);
  }
}

const WELCOME = { participantId: 'p1' } as ClientEventPayload<'welcome'>;
const NOTHING = { added: [], removed: [], updated: [] };
const SILENCE = { participantId: null };

function linkOf() {
  const socket = new FakeSocket();
  const closes: CloseReason[] = [];
  const link = new VisitLink(socket as unknown as Socket, (reason) => closes.push(reason));
  return { socket, link, closes };
}

test('welcome is the first message; what was sent before follows in order', () => {
  const { socket, link } = linkOf();
  link.send('speaker', SILENCE);
  link.send('media-lost', {});
  expect(socket.emitted).toEqual([]);
  link.open(WELCOME);
  link.send('quality', { participants: [] });
  expect(socket.names).toEqual(['welcome', 'speaker', 'media-lost', 'quality']);
  expect(socket.emitted[0]?.payload).toBe(WELCOME);
});

test('a page that would miss a held message is closed', () => {
  const { socket, link } = linkOf();
  for (let i = 0; i < MAX_HELD; i += 1) link.send('speaker', SILENCE);
  expect(socket.conn.readyState).toBe('open');
  link.send('speaker', SILENCE);
  expect(socket.conn.readyState).toBe('closed');
});

test('close() says why, once, and closes; what comes after is dropped', () => {
  const { socket, link, closes } = linkOf();
  link.open(WELCOME);
  link.close('shutting-down', 250);
  link.close('replaced');
  link.send('speaker', SILENCE);
  expect(socket.emitted.slice(1)).toEqual([
    { name: 'closing', payload: { reason: 'shutting-down', retryAfterMs: 250 } },
  ]);
  expect(socket.conn.readyState).toBe('closed');
  expect(closes).toEqual(['shutting-down']);
});

test('a close before welcome is said after it', () => {
  const { socket, link } = linkOf();
  link.send('speaker', SILENCE);
  link.close('visit-ended');
  expect(socket.conn.readyState).toBe('open');
  link.open(WELCOME);
  expect(socket.names).toEqual(['welcome', 'speaker', 'closing']);
  expect(socket.conn.readyState).toBe('closed');
});

test('nothing is sent on a socket that is gone, and nothing thrown', () => {
  const { socket, link } = linkOf();
  link.open(WELCOME);
  socket.gone();
  link.send('speaker', SILENCE);
  link.close('replaced');
  expect(socket.names).not.toContain('speaker');
});

test('consumers count as set up when the page says so, however late, and not before', async () => {
  const { socket, link } = linkOf();
  link.open(WELCOME);
  const acted = link.sendConsumers(NOTHING);
  const isPending = await Promise.race([acted, new Promise((r) => setImmediate(r, 'pending'))]);
  expect(isPending).toBe('pending');
  socket.pending.shift()?.();
  expect(await acted).toBe(true);
});

test('consumers of a page that goes are settled at once, sent or held', async () => {
  const { socket, link } = linkOf();
  const held = link.sendConsumers(NOTHING);
  link.open(WELCOME);
  const sent = link.sendConsumers(NOTHING);
  socket.gone();
  expect(await Promise.all([held, sent, link.sendConsumers(NOTHING)])).toEqual([
    false,
    false,
    false,
  ]);
});
