import type { Redis } from 'ioredis';
import { Table, type Value } from './lua.ts';
import type { Process } from './process.ts';
import type { RedisServer } from './redis-server.ts';

const BACKOFF_MS = 100;
const GHOST_MS = 3_000;

interface Call {
  name: string;
  args: string[];
  resolve: (reply: Value) => void;
  reject: (error: Error) => void;
}

/** One TCP connection: what was sent on a broken one may still be carried out, once nobody waits for it any more. */
interface Stream {
  broken: boolean;
  /** Milliseconds by which what was under way when it broke arrives after all. */
  ghostMs: number | undefined;
  sentUntil: number;
  heardUntil: number;
}

/** A client of Redis as ioredis is one with REDIS_OPTIONS: fails fast, and sends again after a reconnect what had no answer. */
export class RedisConnection {
  /** The network between the two. */
  reachable = true;
  /** Milliseconds a message takes at the most. */
  slowness = 3;
  /** It was away, and is there again. */
  onReconnected: () => void = () => {};
  readonly #process: Process;
  readonly #server: RedisServer;
  readonly #by: string;
  readonly #unanswered = new Set<Call>();
  #stream: Stream | undefined;
  #attempts = 0;

  constructor(process: Process, server: RedisServer, by: string) {
    this.#process = process;
    this.#server = server;
    this.#by = by;
    this.#stream = newStream();
    process.onEnd(() => this.#abandon());
  }

  /** The connection is lost. */
  break(): void {
    this.#abandon();
    this.#process.deliver(() => {
      if (!this.#stream?.broken) return;
      this.#stream = undefined;
      this.#reconnectLater();
    });
  }

  /** The part of ioredis that the store calls. */
  get client(): Redis {
    const client = {
      callBuffer: async (name: string, ...args: (string | number | Buffer)[]) =>
        bytesOf(await this.#call(name.toUpperCase(), args)),
      getBuffer: async (key: string) => bytesOf(await this.#call('GET', [key])),
      lrange: async (key: string, first: number, last: number) =>
        textsOf(await this.#call('LRANGE', [key, first, last])),
      smembers: async (key: string) => textsOf(await this.#call('SMEMBERS', [key])),
      srem: (key: string, member: string) => this.#call('SREM', [key, member]),
      pipeline: () => {
        const calls: Promise<Value>[] = [];
        const pipeline = {
          sadd: (key: string, ...members: string[]) => {
            calls.push(this.#call('SADD', [key, ...members]));
            return pipeline;
          },
          pexpire: (key: string, ms: number) => {
            calls.push(this.#call('PEXPIRE', [key, ms]));
            return pipeline;
          },
          exec: async () => (await Promise.all(calls)).map((reply) => [null, reply]),
        };
        return pipeline;
      },
    };
    return client as unknown as Redis;
  }

  #call(name: string, args: readonly (string | number | Buffer)[]): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (!this.#stream) return reject(new Error('the stream is not writeable'));
      const call = { name, args: args.map(latin), resolve, reject };
      this.#unanswered.add(call);
      this.#send(call, this.#stream);
    });
  }

  #send(call: Call, stream: Stream): void {
    const { world } = this.#process;
    stream.sentUntil = Math.max(stream.sentUntil, world.now + this.#delay());
    world.after(stream.sentUntil - world.now, () => {
      if (!stream.broken) this.#arrive(call, stream);
      else if (stream.ghostMs !== undefined)
        world.after(stream.ghostMs, () => this.#arrive(call, stream));
    });
  }

  #arrive(call: Call, stream: Stream): void {
    if (this.#server.down || (!this.reachable && !stream.broken)) return;
    let settle: () => void;
    try {
      const reply = this.#server.execute(call.name, call.args, this.#by);
      settle = () => call.resolve(reply);
    } catch (error) {
      settle = () => call.reject(error as Error);
    }
    const { world } = this.#process;
    stream.heardUntil = Math.max(stream.heardUntil, world.now + this.#delay());
    world.after(stream.heardUntil - world.now, () => {
      if (stream.broken || !this.reachable) return;
      this.#process.deliver(() => {
        if (this.#stream === stream && this.#unanswered.delete(call)) settle();
      });
    });
  }

  #delay(): number {
    return this.#process.world.random.within(0, this.slowness);
  }

  #abandon(): void {
    const { random } = this.#process.world;
    if (!this.#stream || this.#stream.broken) return;
    this.#stream.broken = true;
    if (random.chance(0.5)) this.#stream.ghostMs = random.within(0, GHOST_MS);
  }

  #reconnectLater(): void {
    const ms = Math.min(BACKOFF_MS * 2 ** this.#attempts++, 1_000) * (0.5 + Math.random() / 2);
    this.#process.clock.after(ms, () => this.#reconnect());
  }

  #reconnect(): void {
    if (!this.reachable || this.#server.down) {
      // maxRetriesPerRequest is 1.
      for (const { reject } of this.#unanswered) reject(new Error('max retries per request'));
      this.#unanswered.clear();
      this.#reconnectLater();
      return;
    }
    this.#attempts = 0;
    const stream = newStream();
    this.#stream = stream;
    for (const call of this.#unanswered) this.#send(call, stream);
    this.onReconnected();
  }
}

const newStream = (): Stream => ({
  broken: false,
  ghostMs: undefined,
  sentUntil: 0,
  heardUntil: 0,
});

/** Bytes, one a character. */
const latin = (arg: string | number | Buffer): string =>
  typeof arg === 'number' ? String(arg) : Buffer.from(arg as string).toString('latin1');

function bytesOf(reply: Value): unknown {
  if (typeof reply === 'string') return Buffer.from(reply, 'latin1');
  if (reply instanceof Table) return reply.items.map(bytesOf);
  return reply === false || reply === undefined ? null : reply;
}

const textsOf = (reply: Value): string[] =>
  reply instanceof Table ? reply.items.map((item) => String(bytesOf(item))) : [];
