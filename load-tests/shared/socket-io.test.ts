import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ackFrame, commandFrame, connectFrame, readFrame, socketUrl } from './socket-io.ts';

describe('Socket.IO frames', () => {
  test('the open frame gives the heartbeat', () => {
    expect(readFrame('0{"sid":"a","upgrades":[],"pingInterval":7000,"pingTimeout":5000}')).toEqual({
      type: 'open',
      pingIntervalMs: 7000,
      pingTimeoutMs: 5000,
    });
  });

  test('connecting to the namespace is answered or refused', () => {
    expect(connectFrame({ token: 't' })).toBe('40{"token":"t"}');
    expect(readFrame('40{"sid":"b"}')).toEqual({ type: 'connected' });
    expect(readFrame('44{"message":"unauthorized"}')).toEqual({
      type: 'refused',
      error: { message: 'unauthorized' },
    });
  });

  test('an event is read with and without the id of its acknowledgement', () => {
    expect(readFrame('42["welcome",{"version":1}]')).toEqual({
      type: 'event',
      name: 'welcome',
      payload: { version: 1 },
      ackId: undefined,
    });
    expect(readFrame('4217["consumers",{}]')).toEqual({
      type: 'event',
      name: 'consumers',
      payload: {},
      ackId: 17,
    });
    expect(ackFrame(17)).toBe('4317[]');
  });

  test('a command that is written is read back, whatever the request', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string({ minLength: 1 }), fc.jsonValue(), (ackId, name, request) => {
        const payload: unknown = JSON.parse(JSON.stringify(request));
        expect(readFrame(commandFrame(ackId, name, request))).toEqual({
          type: 'event',
          name,
          payload,
          ackId,
        });
      }),
    );
  });

  test('an answer carries its first argument', () => {
    expect(readFrame('433[{"ok":true,"data":{}}]')).toEqual({
      type: 'answer',
      ackId: 3,
      answer: { ok: true, data: {} },
    });
  });

  test('any other text is read without an exception', () => {
    fc.assert(fc.property(fc.string(), (text) => void readFrame(text)));
  });

  test('the address names the visit for the balancer', () => {
    expect(socketUrl('http://127.0.0.1:7000/', 'a b')).toBe(
      'ws://127.0.0.1:7000/socket.io/?visit=a%20b&EIO=4&transport=websocket',
    );
  });
});
