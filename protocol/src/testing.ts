import fc from 'fast-check';
import * as z from 'zod/mini';

/** What Zod writes of JSON Schema, as far as messages use it. */
export interface JsonSchema {
  type?: 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';
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
  default?: unknown;
}

/** The JSON Schema of what a schema lets through. */
export const jsonSchemaOf = (schema: z.core.$ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'output' }) as JsonSchema;

const optionsOf = (schema: JsonSchema): JsonSchema[] | undefined => schema.anyOf ?? schema.oneOf;

/** A map from any key to one kind of value, not a message with named fields. */
const isMap = (schema: JsonSchema): boolean => typeof schema.additionalProperties === 'object';

/** Valid values of a schema, as they come off the wire. Lists stay short: their bounds have tests of their own. */
export function arbitraryOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const options = optionsOf(schema);
  if (options) return fc.oneof(...options.map(arbitraryOf));
  switch (schema.type) {
    case 'string':
      return stringsOf(schema);
    case 'integer':
      return fc.integer({
        min: Math.max(schema.minimum ?? -1000, -1000),
        max: Math.min(schema.maximum ?? 100_000, 100_000),
      });
    case 'number':
      return fc.double({
        min: schema.minimum ?? -1000,
        max: schema.maximum ?? 1000,
        noNaN: true,
      });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array': {
      const minLength = schema.minItems ?? 0;
      return fc.array(arbitraryOf(schema.items ?? {}), {
        minLength,
        maxLength: Math.min(schema.maxItems ?? 3, minLength + 3),
      });
    }
    case 'object':
      return isMap(schema) ? mapsOf(schema) : objectsOf(schema);
    default:
      throw new Error(`no values for ${JSON.stringify(schema)}`);
  }
}

function stringsOf({ pattern, minLength = 0, maxLength = 1000 }: JsonSchema) {
  if (pattern === undefined) return fc.string({ minLength, maxLength: Math.min(maxLength, 300) });
  return fc
    .stringMatching(new RegExp(pattern))
    .filter(({ length }) => length >= minLength && length <= maxLength);
}

function mapsOf(schema: JsonSchema) {
  const keys = arbitraryOf(schema.propertyNames ?? { type: 'string' });
  const values = arbitraryOf(schema.additionalProperties as JsonSchema);
  // What a JSON map can not hold by this name is no part of it: Zod drops it.
  return fc.dictionary(keys.filter((key) => key !== '__proto__') as fc.Arbitrary<string>, values, {
    maxKeys: 3,
    noNullPrototype: true,
  });
}

function objectsOf({ properties = {}, required = [] }: JsonSchema) {
  const fields = Object.entries(properties).map(([key, value]) => [key, arbitraryOf(value)]);
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: required,
    noNullPrototype: true,
  });
}

/** One valid value, always the same. */
export const sampleOf = (schema: JsonSchema): unknown =>
  fc.sample(arbitraryOf(schema), { numRuns: 1, seed: 1 })[0];

/** A message with one thing at, or over, its bound; the rest is right. */
export interface Bound {
  /** Where: "rtpParameters.codecs". */
  path: string;
  message: unknown;
}

/** For each bound in a schema a message that keeps it to the last, or is one over it. */
export function boundsOf(schema: JsonSchema, which: 'at' | 'over'): Bound[] {
  return [...bounds(schema, which === 'at' ? 0 : 1)].map(({ path, value }) => ({
    path: path.join('.'),
    message: value,
  }));
}

interface Part {
  path: string[];
  value: unknown;
}

const part = (value: unknown, ...path: string[]): Part => ({ path, value });

function* bounds(schema: JsonSchema, excess: 0 | 1): Generator<Part> {
  const { maxLength, pattern, minItems, maxItems, items, minimum, maximum } = schema;
  for (const option of optionsOf(schema) ?? []) yield* bounds(option, excess);
  if (maxLength !== undefined) {
    const text = 'a'.repeat(maxLength + excess);
    // At its bound the text must be right otherwise, which only some patterns allow.
    if (excess || pattern === undefined || new RegExp(pattern).test(text)) yield part(text);
  }
  if (items && maxItems !== undefined) {
    const item = sampleOf(items);
    yield part(Array(maxItems + excess).fill(item));
    if (minItems) yield part(Array(minItems - excess).fill(item));
    for (const { path, value } of bounds(items, excess)) yield part([value], '0', ...path);
  }
  if (maximum !== undefined && Number.isSafeInteger(maximum + 1)) yield part(maximum + excess);
  if (minimum !== undefined && Number.isSafeInteger(minimum - 1)) yield part(minimum - excess);
  if (isMap(schema)) yield* boundsOfMap(schema, excess);
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const whole = sampleOf(schema) as object;
    for (const { path, value } of bounds(property, excess))
      yield part({ ...whole, [key]: value }, key, ...path);
  }
}

function* boundsOfMap(schema: JsonSchema, excess: 0 | 1): Generator<Part> {
  const { propertyNames = {}, maxProperties = 0 } = schema;
  const values = schema.additionalProperties as JsonSchema;
  const value = sampleOf(values);
  const key = 'a'.repeat((propertyNames.maxLength ?? 0) + excess);
  yield part({ [key]: value }, key);
  const many = Array.from({ length: maxProperties + excess }, (_, n) => [`k${n}`, value]);
  yield part(Object.fromEntries(many));
  for (const inner of bounds(values, excess))
    yield part({ key: inner.value }, 'key', ...inner.path);
}

/** Where a schema lets through a text, list or map of any size, or anything at all. */
export function unboundedIn(schema: JsonSchema, path = ''): string[] {
  const at = (key: string) => (path === '' ? key : `${path}.${key}`);
  const options = optionsOf(schema);
  if (options) return options.flatMap((option) => unboundedIn(option, path));
  if ('const' in schema || schema.enum) return [];
  switch (schema.type) {
    case 'string':
      return schema.maxLength === undefined ? [path] : [];
    case 'array':
      return [
        ...(schema.maxItems === undefined ? [path] : []),
        ...unboundedIn(schema.items ?? {}, at('[]')),
      ];
    case 'object':
      return [
        ...(isMap(schema) ? unboundedInMap(schema, path) : []),
        ...Object.entries(schema.properties ?? {}).flatMap(([key, property]) =>
          unboundedIn(property, at(key)),
        ),
      ];
    case 'number':
    case 'integer':
    case 'boolean':
    case 'null':
      return [];
    default:
      return [path];
  }
}

function unboundedInMap(schema: JsonSchema, path: string): string[] {
  return [
    ...(schema.maxProperties === undefined ? [path] : []),
    ...unboundedIn(schema.propertyNames ?? { type: 'string' }, `${path}.(key)`),
    ...unboundedIn(schema.additionalProperties as JsonSchema, `${path}.(value)`),
  ];
}

/** A copy with a `__proto__` of its own in every object, as JSON can carry it. */
export function poisoned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(poisoned);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, poisoned(inner)]),
  );
  Object.defineProperty(copy, '__proto__', {
    value: { polluted: true },
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return copy;
}
