/**
 * As much of Lua as the scripts of this project use, so that the simulated Redis runs their very text: a
 * model of them would prove nothing about them. What is not known here is refused. Strings hold bytes,
 * one a character.
 */

export type Value = string | number | boolean | undefined | Table | Callable;
export type Callable = (...args: Value[]) => Value[];
/** Tables are lists here; index 1 is the first. */
export class Table {
  readonly items: Value[];

  constructor(items: Value[]) {
    this.items = items;
  }
}

/** @returns what the script returns, given its globals. */
export function compile(source: string): (globals: Readonly<Record<string, Value>>) => Value {
  const run = new Parser(source).chunk();
  return (globals) => {
    const scope = new Scope(undefined);
    for (const [name, value] of Object.entries(globals)) scope.declare(name, value);
    return run(scope)?.[0];
  };
}

type Expression = (scope: Scope) => Value;
/** Gives what was returned, where something was. */
type Statement = (scope: Scope) => Value[] | undefined;

class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer: Scope | undefined) {
    this.#outer = outer;
  }

  declare(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  assign(name: string, value: Value): void {
    this.#home(name).#values.set(name, value);
  }

  get(name: string): Value {
    return this.#home(name).#values.get(name);
  }

  /** Redis forbids globals that are not its own, and so does this. */
  #home(name: string): Scope {
    let scope: Scope = this;
    while (!scope.#values.has(name)) {
      if (!scope.#outer) throw new Error(`${name} is not known`);
      scope = scope.#outer;
    }
    return scope;
  }
}

const isTrue = (value: Value): boolean => value !== undefined && value !== false;

export function numberOf(value: Value): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number !== 'number' || Number.isNaN(number)) throw new Error('no number');
  return number;
}

export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw new Error('no text');
}

function itemsOf(value: Value): Value[] {
  if (value instanceof Table) return value.items;
  throw new Error('no table');
}

const compared =
  (holds: (order: number) => boolean) =>
  (one: Value, other: Value): boolean => {
    if (typeof one !== typeof other || (typeof one !== 'number' && typeof one !== 'string'))
      throw new Error('not to be compared');
    const a = one as number;
    const b = other as number;
    return holds(a < b ? -1 : a > b ? 1 : 0);
  };

type Operator = (one: Value, other: Value) => Value;
const BINARY: readonly Readonly<Record<string, Operator>>[] = [
  {
    '==': (one, other) => one === other,
    '~=': (one, other) => one !== other,
    '<': compared((order) => order < 0),
    '>': compared((order) => order > 0),
    '<=': compared((order) => order <= 0),
    '>=': compared((order) => order >= 0),
  },
  { '..': (one, other) => textOf(one) + textOf(other) },
  {
    '+': (one, other) => numberOf(one) + numberOf(other),
    '-': (one, other) => numberOf(one) - numberOf(other),
  },
  {
    '*': (one, other) => numberOf(one) * numberOf(other),
    '/': (one, other) => numberOf(one) / numberOf(other),
  },
];

const LIBRARY: Readonly<Record<string, Callable>> = {
  tonumber: (value) => {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return [typeof number === 'number' && !Number.isNaN(number) ? number : undefined];
  },
  unpack: (table, first = 1, last) => {
    const items = itemsOf(table);
    return items.slice(numberOf(first) - 1, last === undefined ? items.length : numberOf(last));
  },
  'math.max': (...values) => [Math.max(...values.map(numberOf))],
  'math.floor': (value) => [Math.floor(numberOf(value))],
  'string.format': (format, value) => {
    if (format !== '%.0f') throw new Error('this format is not known');
    return [numberOf(value).toFixed(0)];
  },
  'table.insert': (table, value) => {
    itemsOf(table).push(value);
    return [];
  },
};

const TOKEN =
  /\s+|--[^\n]*|([A-Za-z_]\w*)|(\d+(?:\.\d+)?)|'([^'\\\n]*)'|(\.\.|[=~<>]=|[-+*/#<>=(){}[\],.])/y;
const BLOCK_ENDS = new Set(['end', 'else', 'elseif', undefined]);

interface Token {
  kind: 'name' | 'number' | 'text' | 'sign';
  text: string;
}

class Parser {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(source: string) {
    const token = new RegExp(TOKEN);
    while (token.lastIndex < source.length) {
      const start = token.lastIndex;
      const found = token.exec(source);
      if (!found) throw new Error(`not understood: ${source.slice(start, start + 20)}`);
      const [, name, number, text, sign] = found;
      if (name !== undefined) this.#tokens.push({ kind: 'name', text: name });
      else if (number !== undefined) this.#tokens.push({ kind: 'number', text: number });
      else if (text !== undefined) this.#tokens.push({ kind: 'text', text });
      else if (sign !== undefined) this.#tokens.push({ kind: 'sign', text: sign });
    }
  }

  chunk(): Statement {
    const body = this.#block();
    if (this.#at < this.#tokens.length) throw new Error(`unexpected ${this.#peek()}`);
    return body;
  }

  /** The next word or sign; a text in quotes is none. */
  #peek(): string | undefined {
    const token = this.#tokens[this.#at];
    return token?.kind === 'text' ? "'" : token?.text;
  }

  #next(): Token {
    const token = this.#tokens[this.#at++];
    if (!token) throw new Error('unexpected end');
    return token;
  }

  #take(text: string): boolean {
    if (this.#peek() !== text) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new Error(`expected ${text}, not ${this.#peek()}`);
  }

  #listOf<Item>(item: () => Item): Item[] {
    const items = [item()];
    while (this.#take(',')) items.push(item());
    return items;
  }

  #name = (): string => this.#next().text;

  #block(): Statement {
    const statements: Statement[] = [];
    while (!BLOCK_ENDS.has(this.#peek())) statements.push(this.#statement());
    return (outer) => {
      const scope = new Scope(outer);
      for (const statement of statements) {
        const returned = statement(scope);
        if (returned) return returned;
      }
      return undefined;
    };
  }

  #statement(): Statement {
    if (this.#take('local')) return this.#take('function') ? this.#function() : this.#local();
    if (this.#take('if')) return this.#if();
    if (this.#take('for')) return this.#for();
    if (this.#take('return')) {
      const values = BLOCK_ENDS.has(this.#peek()) ? () => [] : this.#values();
      return (scope) => values(scope);
    }
    const start = this.#at;
    const name = this.#name();
    if (this.#take('=')) {
      const value = this.#expression();
      return (scope) => {
        scope.assign(name, value(scope));
        return undefined;
      };
    }
    this.#at = start;
    const call = this.#expression();
    return (scope) => {
      call(scope);
      return undefined;
    };
  }

  #function(): Statement {
    const name = this.#name();
    this.#expect('(');
    const parameters = this.#listOf(this.#name);
    this.#expect(')');
    const body = this.#block();
    this.#expect('end');
    return (scope) => {
      scope.declare(name, (...args) => {
        const inner = new Scope(scope);
        for (const [index, parameter] of parameters.entries())
          inner.declare(parameter, args[index]);
        return body(inner) ?? [];
      });
      return undefined;
    };
  }

  #local(): Statement {
    const names = this.#listOf(this.#name);
    const values = this.#take('=') ? this.#values() : () => [];
    return (scope) => {
      const given = values(scope);
      for (const [index, name] of names.entries()) scope.declare(name, given[index]);
      return undefined;
    };
  }

  #if(): Statement {
    const condition = this.#expression();
    this.#expect('then');
    const body = this.#block();
    let otherwise: Statement = () => undefined;
    if (this.#take('elseif')) otherwise = this.#if();
    else {
      if (this.#take('else')) otherwise = this.#block();
      this.#expect('end');
    }
    return (scope) => (isTrue(condition(scope)) ? body(scope) : otherwise(scope));
  }

  #for(): Statement {
    const names = this.#listOf(this.#name);
    const [index = '', item] = names;
    this.#expect(item === undefined ? '=' : 'in');
    const range = this.#values();
    this.#expect('do');
    const body = this.#block();
    this.#expect('end');
    return (scope) => {
      const [first, last] = range(scope);
      const items = first instanceof Table ? first.items : undefined;
      const from = items ? 1 : numberOf(first);
      const to = items ? items.length : numberOf(last);
      for (let at = from; at <= to; at++) {
        const inner = new Scope(scope);
        inner.declare(index, at);
        if (item !== undefined) inner.declare(item, items?.[at - 1]);
        const returned = body(inner);
        if (returned) return returned;
      }
      return undefined;
    };
  }

  /** A list of expressions; the last one may give several values. */
  #values(): (scope: Scope) => Value[] {
    const expressions = this.#listOf(() => this.#expression());
    const last = expressions.pop() as Expression & { all?: (scope: Scope) => Value[] };
    return (scope) => [
      ...expressions.map((expression) => expression(scope)),
      ...(last.all ? last.all(scope) : [last(scope)]),
    ];
  }

  #expression(): Expression {
    let one = this.#conjunction();
    while (this.#take('or')) {
      const [left, right] = [one, this.#conjunction()];
      one = (scope) => {
        const value = left(scope);
        return isTrue(value) ? value : right(scope);
      };
    }
    return one;
  }

  #conjunction(): Expression {
    let one = this.#binary(0);
    while (this.#take('and')) {
      const [left, right] = [one, this.#binary(0)];
      one = (scope) => {
        const value = left(scope);
        return isTrue(value) ? right(scope) : value;
      };
    }
    return one;
  }

  #binary(level: number): Expression {
    const operators = BINARY[level];
    if (!operators) return this.#unary();
    let one = this.#binary(level + 1);
    for (;;) {
      const operator = this.#peek();
      if (operator === undefined || !Object.hasOwn(operators, operator)) return one;
      this.#at++;
      const [left, right, apply] = [one, this.#binary(level + 1), operators[operator] as Operator];
      one = (scope) => apply(left(scope), right(scope));
    }
  }

  #unary(): Expression {
    for (const [sign, apply] of [
      ['not', (value: Value) => !isTrue(value)],
      ['-', (value: Value) => -numberOf(value)],
      ['#', (value: Value) => (value instanceof Table ? value.items : textOf(value)).length],
    ] as const) {
      if (!this.#take(sign)) continue;
      const operand = this.#unary();
      return (scope) => apply(operand(scope));
    }
    return this.#suffixed();
  }

  #suffixed(): Expression {
    let one = this.#primary();
    for (;;) {
      const callee = one;
      if (this.#take('[')) {
        const index = this.#expression();
        this.#expect(']');
        one = (scope) => itemsOf(callee(scope))[numberOf(index(scope)) - 1];
      } else if (this.#take('(')) {
        const args = this.#peek() === ')' ? () => [] : this.#values();
        this.#expect(')');
        const all = (scope: Scope): Value[] => {
          const called = callee(scope);
          if (typeof called !== 'function') throw new Error('no function');
          return called(...args(scope));
        };
        one = Object.assign((scope: Scope) => all(scope)[0], { all });
      } else return one;
    }
  }

  #primary(): Expression {
    const { kind, text } = this.#next();
    if (kind === 'number') return () => Number(text);
    if (kind === 'text') return () => text;
    if (text === '(') {
      const inner = this.#expression();
      this.#expect(')');
      return (scope) => inner(scope);
    }
    if (text === '{') {
      const items = this.#peek() === '}' ? () => [] : this.#values();
      this.#expect('}');
      return (scope) => new Table(items(scope));
    }
    if (kind !== 'name') throw new Error(`unexpected ${text}`);
    if (text === 'nil') return () => undefined;
    if (text === 'true' || text === 'false') return () => text === 'true';
    // `ipairs` of what a loop goes over is that itself.
    if (text === 'ipairs') return () => (table) => [table];
    const path = this.#take('.') ? `${text}.${this.#name()}` : text;
    const known = LIBRARY[path];
    return known ? () => known : (scope) => scope.get(path);
  }
}
