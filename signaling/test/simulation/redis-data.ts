import { numberOf, Table, textOf, type Value } from './lua.ts';

/** Microseconds since 1970. */
export type Time = () => number;
type Entry =
  | { type: 'string'; text: string }
  | { type: 'list'; items: string[] }
  | { type: 'hash'; fields: Map<string, string> }
  | { type: 'set'; members: Set<string> }
  | { type: 'zset'; scores: Map<string, number> };
type Of<Type extends Entry['type']> = Extract<Entry, { type: Type }>;

/** Commands that change something. */
export const WRITES: ReadonlySet<string> = new Set([
  'DEL',
  'SET',
  'HSET',
  'HDEL',
  'RPUSH',
  'LTRIM',
  'SADD',
  'SREM',
  'ZADD',
  'ZREM',
  'ZREMRANGEBYSCORE',
]);

/** What Redis holds, and the commands that are used here. Nothing expires: a run is shorter than any time to live. */
export class RedisData {
  readonly #entries = new Map<string, Entry>();

  /** What no command of the product asks in this way. */
  peek = {
    text: (key: string) => this.#find(key, 'string')?.text,
    hash: (key: string) => this.#find(key, 'hash')?.fields,
    list: (key: string) => this.#find(key, 'list')?.items ?? [],
    scores: (key: string): ReadonlyMap<string, number> =>
      this.#find(key, 'zset')?.scores ?? new Map(),
  };

  run(name: string, args: readonly Value[], time: Time): Value {
    const command = this.#commands[name];
    if (!command) throw new Error(`ERR unknown command ${name}`);
    return command(args.map(textOf), time);
  }

  #find<Type extends Entry['type']>(key: string, type: Type): Of<Type> | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.type !== type) throw new Error('WRONGTYPE');
    return entry as Of<Type> | undefined;
  }

  #make<Type extends Entry['type']>(key: string, made: Of<Type>): Of<Type> {
    const entry = this.#find(key, made.type) ?? made;
    this.#entries.set(key, entry);
    return entry as Of<Type>;
  }

  /** An entry with nothing in it does not exist. */
  #tidy(key: string, size: number): void {
    if (size === 0) this.#entries.delete(key);
  }

  readonly #commands: Readonly<Record<string, (args: string[], time: Time) => Value>> = {
    TIME: (_, time) => {
      const now = time();
      return new Table([String(Math.floor(now / 1e6)), String(now % 1e6)]);
    },
    PEXPIRE: ([key = '']) => (this.#entries.has(key) ? 1 : 0),
    PTTL: () => -1,
    EXISTS: ([key = '']) => (this.#entries.has(key) ? 1 : 0),
    DEL: ([key = '']) => (this.#entries.delete(key) ? 1 : 0),
    GET: ([key = '']) => this.#find(key, 'string')?.text ?? false,
    SET: ([key = '', text = '']) => {
      this.#entries.set(key, { type: 'string', text });
      return 'OK';
    },
    HGET: ([key = '', field = '']) => this.#find(key, 'hash')?.fields.get(field) ?? false,
    HMGET: ([key = '', ...fields]) => {
      const hash = this.#find(key, 'hash')?.fields;
      return new Table(fields.map((field) => hash?.get(field) ?? false));
    },
    HGETALL: ([key = '']) => new Table([...(this.#find(key, 'hash')?.fields ?? [])].flat()),
    HSET: ([key = '', ...pairs]) => {
      const { fields } = this.#make(key, { type: 'hash', fields: new Map() });
      for (let at = 0; at < pairs.length; at += 2)
        fields.set(pairs[at] as string, pairs[at + 1] as string);
      return pairs.length / 2;
    },
    HDEL: ([key = '', field = '']) => {
      const fields = this.#find(key, 'hash')?.fields;
      const deleted = fields?.delete(field) ? 1 : 0;
      if (fields) this.#tidy(key, fields.size);
      return deleted;
    },
    LLEN: ([key = '']) => this.#find(key, 'list')?.items.length ?? 0,
    LRANGE: ([key = '', first, last]) => {
      const items = this.#find(key, 'list')?.items ?? [];
      return new Table(items.slice(...range(items.length, first, last)));
    },
    RPUSH: ([key = '', ...items]) =>
      this.#make(key, { type: 'list', items: [] }).items.push(...items),
    LTRIM: ([key = '', first, last]) => {
      const list = this.#find(key, 'list');
      if (!list) return 'OK';
      list.items = list.items.slice(...range(list.items.length, first, last));
      this.#tidy(key, list.items.length);
      return 'OK';
    },
    SADD: ([key = '', ...added]) => {
      const { members } = this.#make(key, { type: 'set', members: new Set() });
      for (const member of added) members.add(member);
      return added.length;
    },
    SREM: ([key = '', member = '']) => {
      const members = this.#find(key, 'set')?.members;
      const removed = members?.delete(member) ? 1 : 0;
      if (members) this.#tidy(key, members.size);
      return removed;
    },
    SMEMBERS: ([key = '']) => new Table([...(this.#find(key, 'set')?.members ?? [])]),
    ZADD: ([key = '', ...args]) => {
      const onlyThere = args[0] === 'XX';
      const pairs = onlyThere ? args.slice(1) : args;
      const { scores } = this.#make(key, { type: 'zset', scores: new Map() });
      for (let at = 0; at < pairs.length; at += 2) {
        const member = pairs[at + 1] as string;
        if (!onlyThere || scores.has(member)) scores.set(member, numberOf(pairs[at]));
      }
      this.#tidy(key, scores.size);
      return 0;
    },
    ZSCORE: ([key = '', member = '']) => {
      const score = this.#find(key, 'zset')?.scores.get(member);
      return score === undefined ? false : String(score);
    },
    ZREMRANGEBYSCORE: ([key = '', least = '', most = '']) => {
      const scores = this.#find(key, 'zset')?.scores ?? new Map<string, number>();
      for (const [member, score] of [...scores])
        if (isAbove(least, score) && isBelow(most, score)) scores.delete(member);
      this.#tidy(key, scores.size);
      return 0;
    },
    ZREM: ([key = '', member = '']) => {
      const scores = this.#find(key, 'zset')?.scores;
      const removed = scores?.delete(member) ? 1 : 0;
      if (scores) this.#tidy(key, scores.size);
      return removed;
    },
    ZRANGEBYSCORE: ([key = '', least = '', most = '', , offset = '0', count]) => {
      const found = [...(this.#find(key, 'zset')?.scores ?? [])]
        .filter(([, score]) => isAbove(least, score) && isBelow(most, score))
        .toSorted(([a, one], [b, other]) => one - other || (a < b ? -1 : 1))
        .map(([member]) => member);
      return new Table(
        count === undefined ? found : found.slice(Number(offset), Number(offset) + Number(count)),
      );
    },
  };
}

/** Redis' first and last, both counted from the end where negative, as the ends of a slice. */
function range(length: number, first = '0', last = '-1'): [number, number] {
  const at = (index: string) => (Number(index) < 0 ? length + Number(index) : Number(index));
  return [Math.max(0, at(first)), Math.max(0, at(last) + 1)];
}

const isAbove = (bound: string, score: number): boolean =>
  bound === '-inf' ||
  (bound.startsWith('(') ? score > Number(bound.slice(1)) : score >= Number(bound));
const isBelow = (bound: string, score: number): boolean =>
  bound === '+inf' ||
  (bound.startsWith('(') ? score < Number(bound.slice(1)) : score <= Number(bound));
