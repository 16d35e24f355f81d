import { createHash } from 'node:crypto';
import { compile, Table, textOf, type Value } from './lua.ts';
import { RedisData, WRITES } from './redis-data.ts';
import type { World } from './world.ts';

/** One command, or one script with all that it wrote: a replica has it whole or not at all. */
interface Written {
  at: number;
  commands: { name: string; args: readonly Value[] }[];
}

/** What a script was given and answered. `by`: who sent it. */
export interface Ran {
  script: string;
  keys: readonly string[];
  args: readonly string[];
  reply: Value;
  by: string;
}

export type Alter = (source: string) => string;

const compiled = new Map<string, ReturnType<typeof compile>>();

/** A Redis with a replica that is a little behind: one process, for what is asked here. */
export class RedisServer {
  /** Nobody gets through. */
  down = false;
  /** By how much its clock is wrong, milliseconds. */
  skew = 0;
  onRan: (ran: Ran) => void = () => {};
  readonly #world: World;
  #data = new RedisData();
  /** Since the beginning. */
  #written: Written[] = [];
  readonly #alter: Alter;
  /** What is run for each hash. */
  readonly #known = new Map<string, string>();

  /** @param alter What is run in place of a script, for who wants to see a broken one found. */
  constructor(world: World, alter: Alter = (source) => source) {
    this.#world = world;
    this.#alter = alter;
  }

  get data(): RedisData {
    return this.#data;
  }

  /** @throws Error as Redis answers */
  execute(name: string, args: readonly string[], by: string): Value {
    const written: Written = { at: this.#world.now, commands: [] };
    try {
      if (name === 'EVAL' || name === 'EVALSHA') return this.#evaluate(name, args, written, by);
      return this.#run(name, args, written);
    } finally {
      // A script that fails is not undone.
      if (written.commands.length > 0) this.#written.push(written);
    }
  }

  /** A replica takes over that does not have what was written in the last milliseconds. Says how much that was. */
  failover(lagMs: number): number {
    const since = this.#world.now - lagMs;
    const kept = this.#written.filter(({ at }) => at <= since);
    const lost = this.#written.length - kept.length;
    this.#written = kept;
    this.#data = new RedisData();
    for (const { commands } of kept)
      for (const { name, args } of commands) this.#data.run(name, args, this.#time);
    this.#known.clear();
    return lost;
  }

  #run(name: string, args: readonly Value[], written: Written): Value {
    const reply = this.#data.run(name, args, this.#time);
    if (WRITES.has(name)) written.commands.push({ name, args: args.map(textOf) });
    return reply;
  }

  #evaluate(name: string, args: readonly string[], written: Written, by: string): Value {
    const [text = '', count = '', ...rest] = args;
    const sha = name === 'EVAL' ? createHash('sha1').update(text).digest('hex') : text;
    if (name === 'EVAL') this.#known.set(sha, this.#alter(text));
    const source = this.#known.get(sha);
    if (source === undefined) throw new Error('NOSCRIPT No matching script');
    const script = compiled.get(source) ?? compile(source);
    compiled.set(source, script);
    const keys = rest.slice(0, Number(count));
    const argv = rest.slice(Number(count));
    const reply = script({
      KEYS: new Table([...keys]),
      ARGV: new Table([...argv]),
      'redis.call': (command, ...given) => [this.#run(textOf(command), given, written)],
    });
    this.onRan({ script: sha, keys, args: argv, reply, by });
    return reply;
  }

  #time = (): number => Math.floor((this.#world.now + this.skew) * 1000);
}
