import type { ErrorCode, Role } from '@bedside/protocol';
import { en } from './en.ts';
import { es } from './es.ts';

/** Texts of the element. `{name}` and the like are filled in by `fill`. */
export interface Texts {
  /** BCP 47 tag of the table. */
  readonly lang: string;
  readonly dir: 'ltr' | 'rtl';
  readonly ui: Readonly<Record<TextKey, string>>;
  readonly roles: Readonly<Record<Role, string>>;
  /** What happened and what to do next, by error code. */
  readonly errors: Readonly<Record<ErrorCode, string>>;
}

/** The English table decides which keys there are: a table that lacks one does not compile. */
export type TextKey = keyof typeof en.ui;

export const TABLES: { readonly en: Texts; readonly es: Texts } = { en, es };

/**
 * The table for a language tag: its own, else that of its primary language, else English.
 * `more` holds tables of the page's own and goes first.
 */
export function textsFor(tag: string | undefined, more: readonly Texts[] = []): Texts {
  const tables: readonly Texts[] = [...more, ...Object.values(TABLES)];
  const wanted = (tag ?? '').toLowerCase();
  const exact = tables.find((table) => table.lang.toLowerCase() === wanted);
  const primary = wanted.split('-')[0];
  return exact ?? tables.find((table) => table.lang.toLowerCase().split('-')[0] === primary) ?? en;
}

/** `{key}` replaced by values; a key without a value stays. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole);
}
