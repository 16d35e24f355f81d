import type { CommandMap, EventMap, PayloadOf, ResponseOf } from '@bedside/protocol';
import * as z from 'zod/mini';
import type { Form, Shape } from './shape.ts';

/** @throws Error where the schema has something that no shape can say. */
export const shapeOf = <Schema extends z.ZodMiniType>(schema: Schema): Shape<z.infer<Schema>> =>
  formOf(z.toJSONSchema(schema, { io: 'input', metadata: z.registry() }));

/** What commands are answered with. */
export const answersOf = <Commands extends CommandMap>(commands: Commands) =>
  mapValues(commands, ({ response }) => shapeOf(response)) as {
    readonly [Name in keyof Commands]: Shape<ResponseOf<Commands, Name>>;
  };

/** What events carry. */
export const payloadsOf = <Events extends EventMap>(events: Events) =>
  mapValues(events, ({ payload }) => shapeOf(payload)) as {
    readonly [Name in keyof Events]: Shape<PayloadOf<Events, Name>>;
  };

type JsonSchema = z.core.JSONSchema.BaseSchema;

function formOf(schema: JsonSchema): Form {
  const { type, properties, required = [], additionalProperties } = schema;
  // The page would have to fill it in, and hands values on as they are.
  if ('default' in schema) throw new Error('a message for the page has a default');
  if ('const' in schema) return ['one of', schema.const];
  if (schema.enum) return ['one of', ...schema.enum];
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return ['either', ...options.map(formOf)];
  if (Array.isArray(type))
    return ['either', ...type.map((one) => formOf({ ...schema, type: one }))];
  switch (type) {
    case undefined:
      return 'any';
    case 'null':
      return ['one of', null];
    case 'boolean':
    case 'number':
      return type;
    case 'integer':
      return 'number';
    case 'string':
      return schema.minLength ? 'text' : 'string';
    case 'array':
      return ['list', formOf(schema.items as JsonSchema)];
    case 'object':
      return properties
        ? Object.fromEntries(
            Object.entries(properties).map(([name, property]) => [
              required.includes(name) ? name : `${name}?`,
              formOf(property as JsonSchema),
            ]),
          )
        : ['map', formOf(additionalProperties as JsonSchema)];
    default:
      throw new Error(`no shape says "${type}"`);
  }
}

const mapValues = <Value, Result>(
  values: Readonly<Record<string, Value>>,
  map: (value: Value) => Result,
): Record<string, Result> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
