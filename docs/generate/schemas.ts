import * as protocol from '@bedside/protocol';
import * as z from 'zod/mini';
import { type Comments, commentOn } from './comments.ts';
import { code, list, remark, table } from './markdown.ts';

/** What Zod writes of JSON Schema, as far as it is shown here. */
interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  maxProperties?: number;
}

interface Row {
  field: string;
  type: string;
  meaning: string;
}

/** Renders schemas as tables, and keeps which named types they mention, to be explained once. */
export class SchemaTables {
  readonly #comments: Comments;
  readonly #definitions = new Map<string, JsonSchema>();
  /** Named types that were mentioned and are not explained yet. */
  readonly #mentioned = new Set<string>();
  readonly #explained = new Set<string>();

  constructor(comments: Comments) {
    this.#comments = comments;
    for (const [name, value] of Object.entries(protocol)) {
      if (!isSchema(value)) continue;
      z.globalRegistry.add(value, { ...z.globalRegistry.get(value), id: name });
    }
  }

  /** The fields of a message; `path` is where its declaration's comments are: "clientCommands.join.request". */
  message(schema: z.core.$ZodType, path: string): string {
    return this.#shape(this.#jsonOf(schema), path);
  }

  /** What is said of a message. @throws where nothing is */
  meaning(path: string, name: string): string {
    const text = this.#comments.texts.get(`${path}.${name}`);
    if (text === undefined) throw new Error(`${path}.${name} has no doc comment`);
    return text;
  }

  /** The named types that were mentioned since the last time, and those that they mention. */
  types(): string {
    const objects: string[] = [];
    const lists: string[][] = [];
    const simple: string[][] = [];
    // Rendering may add to what is mentioned, and the loop goes on to it.
    for (const name of this.#mentioned) {
      this.#explained.add(name);
      const schema = this.#definition(name);
      const meaning = this.#comments.texts.get(name) ?? '';
      if (schema.enum) lists.push([anchor(name), this.#typeOf(schema), meaning]);
      else if (!schema.properties && !schema.oneOf)
        simple.push([anchor(name), this.#typeOf(schema), meaning]);
      else objects.push([`#### ${name}`, meaning, this.#shape(schema, name)].join('\n\n'));
    }
    this.#mentioned.clear();
    return [
      '#### Ids, texts and numbers',
      table(['Name', 'Form', 'Meaning'], simple),
      '#### Lists of values',
      table(['Name', 'One of', 'Meaning'], lists),
      ...objects,
    ].join('\n\n');
  }

  #jsonOf(schema: z.core.$ZodType): JsonSchema {
    const { $defs = {}, ...own } = z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
    for (const [name, definition] of Object.entries($defs)) this.#definitions.set(name, definition);
    return own.$ref === undefined ? own : this.#definition(nameOf(own.$ref));
  }

  #definition(name: string): JsonSchema {
    const definition = this.#definitions.get(name);
    if (!definition) throw new Error(`${name} is mentioned and not defined`);
    return definition;
  }

  #shape(schema: JsonSchema, path: string): string {
    if (schema.oneOf) {
      return ['One of these:', ...schema.oneOf.map((one) => this.#shape(one, path))].join('\n\n');
    }
    const rows = this.#rowsOf(schema, path, '');
    if (rows.length === 0) return 'Empty: `{}`.';
    return table(
      ['Field', 'Type', 'Meaning'],
      rows.map(({ field, type, meaning }) => [code(field), type, meaning]),
    );
  }

  #rowsOf({ properties = {}, required = [] }: JsonSchema, path: string, prefix: string): Row[] {
    return Object.entries(properties).flatMap(([name, property]) => {
      const field = `${prefix}${name}`;
      const inner = property.items ?? property;
      const mark = property.items ? '[]' : '';
      return [
        {
          field: required.includes(name) ? field : `${field}?`,
          type: this.#typeOf(property),
          meaning: this.#meaningOf(property, path, name),
        },
        ...this.#rowsOf(inner, `${path}.${name}`, `${field}${mark}.`),
      ];
    });
  }

  /** Of the field itself; else of its type, where that is an id or text. */
  #meaningOf(property: JsonSchema, path: string, name: string): string {
    const own = commentOn(this.#comments, path, name);
    if (own !== undefined || property.$ref === undefined) return own ?? '';
    const type = nameOf(property.$ref);
    const { type: form, enum: values } = this.#definition(type);
    return form === 'string' && !values ? (this.#comments.texts.get(type) ?? '') : '';
  }

  #typeOf(schema: JsonSchema): string {
    if (schema.$ref !== undefined) return this.#mention(nameOf(schema.$ref));
    if ('const' in schema) return code(JSON.stringify(schema.const));
    if (schema.enum) return list(schema.enum.map((value) => code(String(value))));
    const options = schema.anyOf ?? schema.oneOf;
    if (options) return options.map((option) => this.#typeOf(option)).join(' or ');
    if (Array.isArray(schema.type))
      return schema.type.map((type) => this.#typeOf({ ...schema, type })).join(' or ');
    switch (schema.type) {
      case 'string':
        return `text${remark(lengths(schema.minLength, schema.maxLength, 'characters'))}${patternOf(schema)}`;
      case 'integer':
        return `whole number${remark(rangeOf(schema))}`;
      case 'number':
        return `number${remark(rangeOf(schema))}`;
      case 'boolean':
        return 'true or false';
      case 'null':
        return '`null`';
      case 'array': {
        const items = this.#typeOf(schema.items ?? {});
        const count = remark(lengths(schema.minItems, schema.maxItems, ''));
        return `list${count} of ${items === 'object' ? 'objects' : items}`;
      }
      case 'object':
        return typeof schema.additionalProperties === 'object' ? this.#mapOf(schema) : 'object';
      default:
        throw new Error(`no words for ${JSON.stringify(schema)}`);
    }
  }

  #mapOf({ propertyNames = {}, additionalProperties, maxProperties }: JsonSchema): string {
    const values = this.#typeOf(additionalProperties as JsonSchema);
    const count = remark(lengths(undefined, maxProperties, 'entries'));
    return `map from ${this.#typeOf(propertyNames)} to ${values}${count}`;
  }

  #mention(name: string): string {
    if (!this.#explained.has(name)) this.#mentioned.add(name);
    return `[${name}](#${name.toLowerCase()})`;
  }
}

const isSchema = (value: unknown): value is z.core.$ZodType =>
  typeof value === 'object' && value !== null && '_zod' in value;

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

/** A place in a table that links lead to. */
const anchor = (name: string): string => `<a id="${name.toLowerCase()}"></a>${name}`;

function patternOf({ pattern }: JsonSchema): string {
  return pattern === undefined ? '' : ` as ${code(pattern)}`;
}

function lengths(min: number | undefined, max: number | undefined, of: string): string {
  const unit = of === '' ? '' : ` ${of}`;
  if (max === undefined) return '';
  return min ? `${min} to ${max}${unit}` : `up to ${max}${unit}`;
}

function rangeOf({ minimum = -Infinity, maximum = Infinity }: JsonSchema): string {
  const least = minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const most = maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  if (least !== undefined) return `${least} or more`;
  return most === undefined ? '' : `up to ${most}`;
}
