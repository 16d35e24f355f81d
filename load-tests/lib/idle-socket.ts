import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** WebSocket opcodes. */
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export interface IdleSocketHandlers {
  /** A text has come. */
  text(text: string): void;
  /** It is over, or never began. */
  closed(): void;
}

/** A WebSocket of which a process can have ten thousand: texts of less than 64 kB, unmasked by a mask of zeros. */
export class IdleSocket {
  readonly #socket: Socket;
  readonly #handlers: IdleSocketHandlers;
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #isClosed = false;

  /** `url`: "ws://host:port/path?query". `localAddress`: where it comes from, where that is not the system's choice. */
  constructor(url: string, handlers: IdleSocketHandlers, localAddress?: string) {
    const { hostname, port, pathname, search } = new URL(url);
    this.#handlers = handlers;
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.#socket.once('connect', () =>
      this.#socket.write(
        [
          `GET ${pathname}${search} HTTP/1.1`,
          `Host: ${hostname}:${port}`,
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
          '',
          '',
        ].join('\r\n'),
      ),
    );
    this.#socket.on('data', (data) => this.#received(data));
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => this.#closed());
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text));
  }

  /** `closed` is called. Idempotent. */
  close(): void {
    this.#socket.destroy();
  }

  #received(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    if (!this.#isOpen) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!this.#rest.subarray(0, 12).toString().endsWith(' 101')) {
        this.close();
        return;
      }
      this.#isOpen = true;
      this.#rest = this.#rest.subarray(end + 4);
    }
    for (let frame = readFrame(this.#rest); frame; frame = readFrame(this.#rest)) {
      this.#rest = this.#rest.subarray(frame.end);
      if (frame.opcode === TEXT) this.#handlers.text(frame.payload.toString());
      else if (frame.opcode === PING) this.#write(PONG, frame.payload);
      else if (frame.opcode === CLOSE) this.close();
    }
    // What is left must not hold all that came with it.
    if (this.#rest.length === 0) this.#rest = Buffer.alloc(0);
  }

  #write(opcode: number, payload: Buffer): void {
    if (this.#isClosed) return;
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 8 : 6);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (long ? 126 : payload.length);
    if (long) head.writeUInt16BE(payload.length, 2);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.closed();
  }
}

/** The first frame, if it is whole. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short === 126 ? 4 : 2;
  if (short === 127 || bytes.length < start) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const end = start + length;
  if (bytes.length < end) return undefined;
  return { opcode: bytes.readUInt8(0) & 0x0f, payload: bytes.subarray(start, end), end };
}
