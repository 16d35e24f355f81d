import { WebSocket } from 'k6/websockets';
import {
  ackFrame,
  commandFrame,
  connectFrame,
  disconnectFrames,
  pongFrame,
  readFrame,
  socketUrl,
} from '../shared/socket-io.ts';

/** An error that the gateway answered with, a deadline, or a socket that closed. */
export class CallError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** One page's socket: the protocol without media. */
export class Client {
  #socket;
  #deadlineMs;
  #nextAck = 0;
  #waiting = new Map();
  #onEvent;
  #closed = false;

  /** @param {(name: string, payload: any) => void} onEvent */
  constructor({ gateway, visit, token, versions, deadlineMs, onEvent }) {
    this.#deadlineMs = deadlineMs;
    this.#onEvent = onEvent;
    this.#socket = new WebSocket(socketUrl(gateway, visit));
    this.welcome = this.#expect('welcome');
    this.#socket.addEventListener('message', ({ data }) =>
      this.#read(String(data), { token, versions }),
    );
    this.#socket.addEventListener('error', () => this.#fail('socket-error'));
    this.#socket.addEventListener('close', () => this.#fail('socket-closed'));
  }

  /** @returns the answer's data @throws CallError */
  async command(name, request) {
    const ackId = this.#nextAck;
    this.#nextAck += 1;
    const answer = this.#expect(ackId);
    this.#socket.send(commandFrame(ackId, name, { requestId: `r${ackId}`, ...request }));
    const { ok, data, error } = await answer;
    if (!ok) throw new CallError(error.code);
    return data;
  }

  /** Closes the socket in order; nothing is waited for afterwards. Idempotent. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#socket.readyState === 1)
      for (const frame of disconnectFrames) this.#socket.send(frame);
    this.#socket.close();
    this.#fail('closed');
  }

  #read(text, auth) {
    const frame = readFrame(text);
    switch (frame.type) {
      case 'open':
        return this.#socket.send(connectFrame(auth));
      case 'ping':
        return this.#socket.send(pongFrame);
      case 'refused':
        return this.#settle('welcome', (waiting) => waiting.reject(new CallError('refused')));
      case 'answer':
        return this.#settle(frame.ackId, (waiting) => waiting.resolve(frame.answer));
      case 'event':
        if (frame.ackId !== undefined) this.#socket.send(ackFrame(frame.ackId));
        if (frame.name === 'welcome') {
          return this.#settle('welcome', (waiting) => waiting.resolve(frame.payload));
        }
        return this.#onEvent(frame.name, frame.payload);
      case 'closed':
        return this.#fail('closed-by-gateway');
    }
  }

  #expect(key) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(key, () => reject(new CallError('deadline'))),
        this.#deadlineMs,
      );
      this.#waiting.set(key, { resolve, reject, timer });
    });
  }

  #settle(key, act) {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    this.#waiting.delete(key);
    clearTimeout(waiting.timer);
    act(waiting);
  }

  #fail(code) {
    for (const key of [...this.#waiting.keys()]) {
      this.#settle(key, ({ reject }) => reject(new CallError(code)));
    }
  }
}
