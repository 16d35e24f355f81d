import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const FIN = 0x80;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;

/** Of Engine.IO. */
const PING = '2';
const PONG = '3';

export interface UpgradeOptions {
  /** In place of `EIO=4&transport=websocket&visit=v1`. */
  query?: string;
  headers?: Record<string, string>;
}

/**
 * A WebSocket client on bare TCP, for what a proper one never does: frames of any content, no answer
 * to pings, no reading.
 */
export class RawClient {
  readonly tcp: Socket;
  /** Whether it says that it is there when it is asked. */
  answersPings = false;
  /** What the gateway sent in text frames, oldest first. */
  readonly received: string[] = [];
  /** Resolves with the code of the close frame, or 0 where the connection ended without one. */
  readonly closed: Promise<number>;
  #pending: Buffer;
  #closeCode = 0;
  #wake = () => {};

  private constructor(tcp: Socket, rest: Buffer) {
    this.tcp = tcp;
    this.#pending = rest;
    this.closed = new Promise((resolve) => {
      tcp.once('close', () => {
        resolve(this.#closeCode);
        this.#wake();
      });
    });
    // A reset is an end like any other: `close` follows.
    tcp.on('error', () => undefined);
    tcp.on('data', (data) => {
      this.#pending = Buffer.concat([this.#pending, data]);
      this.#read();
    });
    this.#read();
  }

  /** @throws Error where the upgrade is refused */
  static async open(url: string, options: UpgradeOptions = {}): Promise<RawClient> {
    const { tcp, status, rest } = await upgrade(url, options);
    if (status !== 101) {
      tcp.destroy();
      throw new Error(`the upgrade was answered with ${status}`);
    }
    return new RawClient(tcp, rest);
  }

  /** Past the CONNECT of Socket.IO, welcomed. @throws Error where it is refused */
  static async join(url: string, auth: object, options: UpgradeOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(url, options);
    client.send(`40${JSON.stringify(auth)}`);
    await client.hear(/^42\["welcome"/);
    return client;
  }

  /** Engine.IO's session id, of its first message. */
  get sid(): string {
    return JSON.parse((this.received[0] ?? '').slice(1)).sid;
  }

  /** One frame; with `first` or `last` false a part of a message that comes in several. */
  send(data: string | Buffer, { first = true, last = true } = {}): void {
    const payload = Buffer.from(data);
    const opcode = !first ? CONTINUATION : typeof data === 'string' ? TEXT : BINARY;
    const mask = randomBytes(4);
    const length =
      payload.length < 126
        ? [payload.length | 0x80]
        : payload.length < 65_536
          ? [126 | 0x80, payload.length >> 8, payload.length & 255]
          : [127 | 0x80, 0, 0, 0, 0, ...uint32(payload.length)];
    const masked = payload.map((byte, i) => byte ^ (mask[i % 4] as number));
    this.tcp.write(
      Buffer.concat([Buffer.from([(last ? FIN : 0) | opcode, ...length]), mask, masked]),
    );
  }

  /** The first message that fits, of those that came and those to come. @throws Error where the connection ends first */
  async hear(pattern: RegExp): Promise<string> {
    for (let next = 0; ; ) {
      for (; next < this.received.length; next += 1) {
        const message = this.received[next] as string;
        if (pattern.test(message)) return message;
      }
      if (this.tcp.destroyed) throw new Error(`closed (${this.#closeCode}) before ${pattern}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #read(): void {
    for (;;) {
      const [first = 0, second = 0] = this.#pending;
      const extended = second === 126 ? 2 : second === 127 ? 8 : 0;
      if (this.#pending.length < 2 + extended) break;
      const length =
        extended === 0
          ? second
          : extended === 2
            ? this.#pending.readUInt16BE(2)
            : Number(this.#pending.readBigUInt64BE(2));
      const end = 2 + extended + length;
      if (this.#pending.length < end) break;
      const payload = this.#pending.subarray(2 + extended, end);
      this.#pending = this.#pending.subarray(end);
      if ((first & 15) === TEXT) this.#take(payload.toString());
      if ((first & 15) === CLOSE && length >= 2) this.#closeCode = payload.readUInt16BE(0);
    }
    this.#wake();
  }

  #take(message: string): void {
    this.received.push(message);
    if (message === PING && this.answersPings) this.send(PONG);
  }
}

/** The status that a WebSocket upgrade is answered with. */
export async function upgradeStatus(url: string, options: UpgradeOptions = {}): Promise<number> {
  const { tcp, status } = await upgrade(url, options);
  tcp.destroy();
  return status;
}

async function upgrade(
  url: string,
  { query = 'EIO=4&transport=websocket&visit=v1', headers = {} }: UpgradeOptions,
): Promise<{ tcp: Socket; status: number; rest: Buffer }> {
  const { hostname, port } = new URL(url);
  const tcp = connect(Number(port), hostname);
  await once(tcp, 'connect');
  const lines = Object.entries({
    Host: hostname,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  tcp.write(`GET /socket.io/?${query} HTTP/1.1\r\n${lines.join('')}\r\n`);
  let answer = Buffer.alloc(0);
  for (;;) {
    const [data] = (await once(tcp, 'data')) as [Buffer];
    answer = Buffer.concat([answer, data]);
    const end = answer.indexOf('\r\n\r\n');
    if (end < 0) continue;
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer.toString('latin1'))?.[1]);
    return { tcp, status, rest: answer.subarray(end + 4) };
  }
}

const uint32 = (value: number) => [
  (value >>> 24) & 255,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];
