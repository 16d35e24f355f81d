import { BedsideError } from '@bedside/protocol';

/**
 * What a value looks like, as JSON: types, and which fields it must have. Sizes and ranges are left
 * out: they guard a server against strangers, and a page has chosen its gateway.
 */
export type Form =
  | 'any'
  | 'boolean'
  | 'number'
  | 'string'
  /** A string that is not empty. */
  | 'text'
  | readonly ['one of', ...unknown[]]
  | readonly ['either', ...Form[]]
  | readonly ['list', Form]
  /** An object with keys of any name. */
  | readonly ['map', Form]
  /** An object; a field whose name ends in `?` may be absent. */
  | { readonly [field: string]: Form };

declare const shown: unique symbol;
/** The form of a `Value`. */
export type Shape<Value> = Form & { readonly [shown]?: Value };

/**
 * The value itself, with whatever fields it has besides.
 * @throws BedsideError `invalid-request` that names the first wrong field.
 */
export function parse<Value>(shape: Shape<Value>, value: unknown): Value {
  const path = misfit(shape, value);
  if (path) throw new BedsideError('invalid-request', { field: path.join('.') || '(root)' });
  return value as Value;
}

/** Where the first part is that does not fit; undefined where all do. */
function misfit(form: Form, value: unknown): string[] | undefined {
  const parts = partsOf(form, value);
  if (!parts) return [];
  for (const [key, inner, part] of parts) {
    const path = misfit(inner, part);
    if (path) return [key, ...path];
  }
  return undefined;
}

/** What remains to be looked at; undefined where the value itself does not fit. */
function partsOf(form: Form, value: unknown): [key: string, Form, unknown][] | undefined {
  if (typeof form === 'string') return isOfType(form, value) ? [] : undefined;
  if (isList(form)) {
    const [kind, ...of] = form;
    const [inner] = of as [Form];
    switch (kind) {
      case 'one of':
        return of.includes(value) ? [] : undefined;
      case 'either':
        return of.some((option) => !misfit(option as Form, value)) ? [] : undefined;
      case 'list':
        return isList(value) ? value.map((part, n) => [`${n}`, inner, part]) : undefined;
      case 'map':
        return isObject(value)
          ? Object.entries(value).map(([key, part]) => [key, inner, part])
          : undefined;
    }
  }
  if (!isObject(value)) return undefined;
  return Object.entries(form).flatMap(([name, inner]) => {
    const field = name.replace('?', '');
    const part = value[field];
    return part === undefined && field !== name ? [] : [[field, inner, part]];
  });
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'any') return true;
  return type === 'text' ? typeof value === 'string' && value !== '' : typeof value === type;
}

/** Array.isArray, for a list that is not to be changed, too. */
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !isList(value);
