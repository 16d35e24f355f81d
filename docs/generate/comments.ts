/**
 * What the sources of protocol/ say of their own declarations. Schemas do not carry their
 * descriptions at run time: every browser would load them. They are read from the doc comments,
 * where editors show them too.
 */
export interface Comments {
  /** Of a declaration, or of a property in it by its path: "VisitView.seq". */
  readonly texts: ReadonlyMap<string, string>;
  /** Constants that are spread into the object at a path. */
  readonly spreads: ReadonlyMap<string, readonly string[]>;
}

/**
 * The parts of a source that matter: doc comments, declarations, keys, braces, spreads. Strings,
 * other comments and regular expressions are matched so that nothing in them is taken for a part.
 */
const PARTS = new RegExp(
  [
    String.raw`/\*\*(?<doc>[\s\S]*?)\*/`,
    String.raw`/\*[\s\S]*?\*/|//.*`,
    String.raw`\.\.\.(?<spread>\w+)`,
    String.raw`\bconst\s+(?<name>\w+)[^=;]*=`,
    String.raw`(?:(?<key>[A-Za-z_]\w*)|'(?<quoted>[^'\n]*)')\s*:`,
    String.raw`'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|${'`'}(?:[^${'`'}\\]|\\.)*${'`'}`,
    String.raw`/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/`,
    String.raw`(?<mark>[{};]|\b(?:function|class|interface|type)\s+\w+)`,
  ].join('|'),
  'g',
);

/** A function's body, an interface, the second object of a list: no path leads there. */
const NAMELESS = '?';

/** Reads declarations of constants and the object literals in them. */
export function readComments(source: string): Comments {
  const texts = new Map<string, string>();
  const spreads = new Map<string, string[]>();
  /** Names of what is open between braces, outermost first. */
  const open: string[] = [];
  let doc: string | undefined;
  let name = NAMELESS;
  for (const { groups = {} } of source.matchAll(PARTS)) {
    const declared = groups.name ?? groups.key ?? groups.quoted;
    if (groups.doc !== undefined) {
      doc = textOf(groups.doc);
      continue;
    }
    if (declared !== undefined) {
      name = declared;
      if (doc !== undefined) texts.set([...open, name].join('.'), doc);
    } else if (groups.spread !== undefined) {
      const at = open.join('.');
      spreads.set(at, [...(spreads.get(at) ?? []), groups.spread]);
    } else if (groups.mark !== undefined) {
      if (groups.mark === '{') open.push(name);
      if (groups.mark === '}') open.pop();
      name = NAMELESS;
    }
    doc = undefined;
  }
  return { texts, spreads };
}

/** One text of several sources. What is spread into a declaration is said there, too. */
export function mergeComments(all: readonly Comments[]): Comments {
  const texts = new Map(all.flatMap((each) => [...each.texts]));
  const spreads = new Map(all.flatMap((each) => [...each.spreads]));
  for (const [path, constants] of [...spreads]) {
    for (const constant of constants) {
      copyUnder(texts, constant, path);
      copyUnder(spreads, constant, path);
    }
  }
  return { texts, spreads };
}

/** What is known of the fields of one declaration, for the same fields of another that has nothing of its own. */
function copyUnder<Value>(map: Map<string, Value>, from: string, to: string): void {
  for (const [path, value] of [...map]) {
    const copy = `${to}${path.slice(from.length)}`;
    if (path.startsWith(`${from}.`) && !map.has(copy)) map.set(copy, value);
  }
}

/** What is said of a field of the object at a path: there, or where it is spread from. */
export function commentOn(comments: Comments, path: string, field: string): string | undefined {
  const { texts, spreads } = comments;
  const own = texts.get(`${path}.${field}`);
  if (own !== undefined) return own;
  for (const constant of spreads.get(path) ?? []) {
    const spread = commentOn(comments, constant, field);
    if (spread !== undefined) return spread;
  }
  // `{ refused }` is a constant of that name.
  return texts.get(field);
}

function textOf(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('@'))
    .join(' ');
}
