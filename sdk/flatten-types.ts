/**
 * One declaration file out of many. From the emitted declarations of a module it takes what its
 * exports reach, and nothing else, so that the result imports nothing: no file beside it, no npm
 * package. What zod infers is written out where it is made of literals and plain types. Where that is
 * not possible it says which export reaches what, and how.
 */
import {
  isClassDeclaration,
  isComputedPropertyName,
  isExpressionWithTypeArguments,
  isFunctionDeclaration,
  isHeritageClause,
  isIdentifier,
  isImportTypeNode,
  isInterfaceDeclaration,
  isModuleDeclaration,
  isQualifiedName,
  isTypeAliasDeclaration,
  isTypeQueryNode,
  isTypeReferenceNode,
  isVariableDeclaration,
  type Node,
  SyntaxKind,
  type TypeAliasDeclaration,
} from 'typescript/unstable/ast';
import {
  API,
  NodeBuilderFlags,
  type NodeHandle,
  type Project,
  SymbolFlags,
  TypeFlags,
  type Symbol as TypeScriptSymbol,
} from 'typescript/unstable/sync';

/** A name stands for a type, a value, or (a class) for both. */
type Meaning = 'type' | 'value';

/** Somewhere in a declaration, the name of another one. */
interface Reference {
  /** What is replaced where the name here is another than at the declaration. */
  start: number;
  end: number;
  name: string;
  symbol: TypeScriptSymbol;
  meaning: Meaning;
}

interface Part {
  file: string;
  position: number;
  text: string;
}

/** Types whose text means the same in every file. */
const PLAIN =
  TypeFlags.Boolean |
  TypeFlags.BooleanLiteral |
  TypeFlags.Null |
  TypeFlags.Number |
  TypeFlags.NumberLiteral |
  TypeFlags.String |
  TypeFlags.StringLiteral |
  TypeFlags.Undefined;

/** What is declared within the declaration that mentions it. */
const LOCAL: ReadonlySet<SyntaxKind> = new Set([SyntaxKind.Parameter, SyntaxKind.TypeParameter]);

/**
 * @param config A tsconfig.json whose one file is the module's emitted declaration.
 * @param values What the module exports at run time. Whatever else it exports or mentions is a type.
 * @throws Error where a declaration is reached that can not stand alone, or two have one name.
 */
export function flattenTypes(config: string, values: readonly string[]): string {
  const api = new API();
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (!project) throw new Error(`${config} can not be read`);
    return new Flattening(project, new Set(values)).text();
  } finally {
    api.close();
  }
}

class Flattening {
  readonly #project: Project;
  readonly #parts = new Map<string, Part>();
  /** Whose the names in the file are. */
  readonly #owners = new Map<string, TypeScriptSymbol>();
  /** The names of the browser and the language that declarations use, and who does. */
  readonly #globals = new Map<string, string>();
  readonly #values: ReadonlySet<string>;
  /** Names that a portal may import as types. */
  readonly #types = new Set<string>();

  constructor(project: Project, values: ReadonlySet<string>) {
    this.#project = project;
    this.#values = values;
  }

  text(): string {
    const { checker, program, rootFiles } = this.#project;
    const entry = program.getSourceFile(rootFiles[0] ?? '');
    const module = entry && checker.getSymbolAtLocation(entry);
    if (!module) throw new Error('the entry is not a module');
    const exported = new Map(
      checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]),
    );
    const lacking = [...this.#values].filter((name) => !exported.has(name));
    if (lacking.length > 0) throw new Error(`exported, but not declared: ${lacking.join(', ')}`);

    for (const [name, alias] of exported) {
      const symbol = this.#resolved(alias);
      if (symbol.name !== name) throw new Error(`${symbol.name} is exported as ${name}: rename it`);
      const isValue = this.#values.has(name);
      const isType = (symbol.flags & SymbolFlags.Type) !== 0;
      if (!isValue && !isType) throw new Error(`declared, but not exported: ${name}`);
      if (isValue) this.#take(symbol, 'value', [name]);
      if (isType) this.#take(symbol, 'type', [name]);
      if (!isValue) this.#types.add(name);
    }
    const augmentations = this.#augmentations();
    this.#refuseShadows();

    // An export of a value is one of the type of that name, too.
    const types = [...this.#types].filter((name) => !this.#values.has(name));
    const names = [
      ...[...this.#values].toSorted(),
      ...types.toSorted().map((name) => `type ${name}`),
    ];
    const order = program.getSourceFileNames();
    const parts = [...this.#parts.values()].toSorted(
      (a, b) => order.indexOf(a.file) - order.indexOf(b.file) || a.position - b.position,
    );
    const exports = `export {\n${names.map((name) => `  ${name},\n`).join('')}};`;
    return `${[...parts.map(({ text }) => text), ...augmentations, exports].join('\n\n')}\n`;
  }

  /** Adds what declares the symbol, in one meaning, and what that needs. */
  #take(symbol: TypeScriptSymbol, meaning: Meaning, via: readonly string[]): void {
    const { name } = symbol;
    const owner = this.#owners.get(name);
    if (owner && owner !== symbol)
      throw new Error(
        `two declarations are called ${name}, in ${fileOf(owner)} and ${fileOf(symbol)} (reached by ${via.join(' > ')}): rename one`,
      );
    this.#owners.set(name, symbol);
    const declarations = symbol.declarations
      .map((handle) => this.#node(handle))
      .filter((node) => meaningsOf(node).includes(meaning));
    if (declarations.length === 0)
      throw new Error(`${via.join(' > ')} is nothing that can be copied into one file`);
    for (const declaration of declarations) {
      const statement = statementOf(declaration);
      if (statement.parent.kind !== SyntaxKind.SourceFile)
        throw new Error(`${via.join(' > ')} is not declared at the top of its file`);
      const file = statement.getSourceFile().fileName;
      const key = `${file}:${statement.pos}`;
      if (this.#parts.has(key)) continue;
      // Entered before it is complete: declarations may need each other.
      const part = { file, position: statement.pos, text: '' };
      this.#parts.set(key, part);
      if (isTypeAliasDeclaration(statement) || isInterfaceDeclaration(statement))
        this.#types.add(name);
      part.text = this.#docs(statement, symbol) + this.#text(statement, via);
    }
  }

  /** The declaration's text, with what it mentions taken along. */
  #text(statement: Node, via: readonly string[]): string {
    const references = this.#references(statement, via);
    // Values that the module keeps to itself would only be there to infer a type from.
    const isPrivate = ({ symbol, meaning }: Reference): boolean =>
      meaning === 'value' && this.#origin(symbol) === 'own' && !this.#values.has(symbol.name);
    const foreign = references.find(({ symbol }) => this.#origin(symbol) === 'package');
    if (isTypeAliasDeclaration(statement) && (foreign || references.some(isPrivate))) {
      const plain = this.#plain(statement);
      if (plain !== undefined) return plain;
    }
    if (foreign)
      throw new Error(
        `${via.join(' > ')} needs ${foreign.name} of ${fileOf(foreign.symbol)}: declare it without, or mark it @internal`,
      );
    const source = statement.getSourceFile().text;
    const edits = references.flatMap(({ start, end, name, symbol, meaning }) => {
      if (this.#origin(symbol) === 'global') {
        this.#globals.set(name, via.join(' > '));
        return [];
      }
      this.#take(symbol, meaning, [...via, symbol.name]);
      return symbol.name === source.slice(start, end) ? [] : [{ start, end, text: symbol.name }];
    });
    let text = '';
    let position = afterModifiers(statement);
    for (const { start, end, text: name } of edits.toSorted((a, b) => a.start - b.start)) {
      text += source.slice(position, start) + name;
      position = end;
    }
    text += source.slice(position, statement.end);
    return isTypeAliasDeclaration(statement) || isInterfaceDeclaration(statement)
      ? text
      : `declare ${text}`;
  }

  /** An alias of what is inferred elsewhere, where that is made of literals and plain types. */
  #plain(alias: TypeAliasDeclaration): string | undefined {
    const { checker } = this.#project;
    const type = checker.getTypeAtLocation(alias.name);
    if (!type || alias.typeParameters) return undefined;
    const members = type.isUnionType() ? type.getTypes() : [type];
    if (!members.every(({ flags }) => flags & PLAIN)) return undefined;
    const text = checker.typeToString(
      type,
      alias,
      NodeBuilderFlags.NoTruncation |
        NodeBuilderFlags.InTypeAlias |
        NodeBuilderFlags.UseSingleQuotesForStringLiteralType,
    );
    return `type ${alias.name.text} = ${text};`;
  }

  /** The docstring; that of a type which zod infers stands above its schema. */
  #docs(statement: Node, symbol: TypeScriptSymbol): string {
    const documented = [
      statement,
      ...symbol.declarations.map((handle) => statementOf(this.#node(handle))),
    ];
    const docs = documented.flatMap(({ jsDoc }) => jsDoc?.at(-1) ?? [])[0];
    return docs ? `${docs.getSourceFile().text.slice(docs.pos, docs.end).trim()}\n` : '';
  }

  #references(statement: Node, via: readonly string[]): Reference[] {
    const found: Reference[] = [];
    const add = (node: Node, meaning: Meaning, range: { start: number; end: number }): void => {
      if (!isIdentifier(node)) return;
      const at = this.#project.checker.getSymbolAtLocation(node);
      const symbol = at && this.#resolved(at);
      if (!symbol || this.#project.checker.isUnknownSymbol(symbol))
        throw new Error(`${via.join(' > ')} mentions ${node.text}, which is declared nowhere`);
      if (symbol.declarations.every(({ kind }) => LOCAL.has(kind))) return;
      found.push({ ...range, name: node.text, symbol, meaning });
    };
    const name = (node: Node, meaning: Meaning): void => {
      const first = leftmost(node);
      add(first, meaning, { start: first.getStart(), end: first.end });
    };
    const visit = (node: Node): void => {
      if (isImportTypeNode(node)) {
        const { qualifier } = node;
        if (!qualifier) throw new Error(`${via.join(' > ')} mentions a whole module`);
        const last = isQualifiedName(qualifier) ? qualifier.right : qualifier;
        const start = node.isTypeOf ? node.argument.pos : node.getStart();
        add(last, node.isTypeOf ? 'value' : 'type', { start, end: qualifier.end });
      } else if (isTypeReferenceNode(node)) name(node.typeName, 'type');
      else if (isTypeQueryNode(node)) name(node.exprName, 'value');
      else if (isComputedPropertyName(node)) name(node.expression, 'value');
      else if (isExpressionWithTypeArguments(node))
        name(node.expression, isBaseClass(node) ? 'value' : 'type');
      node.forEachChild(visit);
    };
    visit(statement);
    return found;
  }

  /** `declare global` of the modules that were reached. */
  #augmentations(): string[] {
    const { program } = this.#project;
    const found: string[] = [];
    for (const file of program.getSourceFileNames()) {
      const { isDefaultLibrary, isFromExternalLibrary } = program.getSourceFileMetadata(file) ?? {};
      if (isDefaultLibrary || isFromExternalLibrary) continue;
      for (const statement of program.getSourceFile(file)?.statements ?? [])
        if (isModuleDeclaration(statement)) found.push(this.#text(statement, ['declare global']));
    }
    return found;
  }

  /** A name of ours that a declaration means the browser's by would change its meaning. */
  #refuseShadows(): void {
    for (const [name, by] of this.#globals) {
      const owner = this.#owners.get(name);
      if (owner)
        throw new Error(
          `${by} means the global ${name}, and ${fileOf(owner)} declares another: rename it`,
        );
    }
  }

  #resolved(symbol: TypeScriptSymbol): TypeScriptSymbol {
    return symbol.flags & SymbolFlags.Alias
      ? this.#project.checker.getAliasedSymbol(symbol)
      : symbol;
  }

  #origin(symbol: TypeScriptSymbol): 'global' | 'package' | 'own' {
    const files = symbol.declarations.map(({ path }) =>
      this.#project.program.getSourceFileMetadataByPath(path),
    );
    if (files.some((file) => file?.isDefaultLibrary)) return 'global';
    return files.some((file) => file?.isFromExternalLibrary) ? 'package' : 'own';
  }

  #node(handle: NodeHandle): Node {
    const node = handle.resolve(this.#project);
    if (!node) throw new Error(`${handle.path} has changed meanwhile`);
    return node;
  }
}

function meaningsOf(node: Node): Meaning[] {
  if (isClassDeclaration(node)) return ['type', 'value'];
  if (isInterfaceDeclaration(node) || isTypeAliasDeclaration(node)) return ['type'];
  return isVariableDeclaration(node) || isFunctionDeclaration(node) ? ['value'] : [];
}

/** A variable is declared in a list in a statement; everything else is the statement. */
function statementOf(node: Node): Node {
  return isVariableDeclaration(node) ? node.parent.parent : node;
}

function leftmost(node: Node): Node {
  if (isQualifiedName(node)) return leftmost(node.left);
  return node;
}

/** Of a class: an interface, or what a class implements, is a type alone. */
function isBaseClass({ parent: clause }: Node): boolean {
  return (
    isHeritageClause(clause) &&
    clause.token === SyntaxKind.ExtendsKeyword &&
    isClassDeclaration(clause.parent)
  );
}

/** For messages: from the package on, or from the emitted declarations' folder. */
function fileOf({ declarations }: TypeScriptSymbol): string {
  return (declarations[0]?.path ?? '').replace(/^.*\/(?:node_modules|types)\//, '');
}

/** Where a declaration begins without `export` and `declare`. */
function afterModifiers(statement: Node): number {
  const dropped = new Set([SyntaxKind.ExportKeyword, SyntaxKind.DeclareKeyword]);
  const { text } = statement.getSourceFile();
  let start = statement.getStart();
  statement.forEachChild((child) => {
    if (dropped.has(child.kind)) start = child.end + 1;
  });
  return start + (/^\s*/.exec(text.slice(start))?.[0].length ?? 0);
}
