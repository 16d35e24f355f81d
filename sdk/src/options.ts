import { BedsideError } from '@bedside/protocol';
import type { CallOptions, InviteOptions, LanguageOptions, Need } from './types.ts';

/** Every option that there is, by its name. */
type Names<Options> = Readonly<Record<keyof Options, true>>;

/**
 * An option that is misspelt would do nothing, and nobody would know.
 * @throws BedsideError `invalid-request` that names it
 */
export function refuseUnknown<Options extends object>(
  options: Options,
  names: Names<Options>,
  path = '',
): void {
  for (const [name, value] of Object.entries(options))
    if (value !== undefined && !Object.hasOwn(names, name))
      throw new BedsideError('invalid-request', { field: path + name });
}

export const CALL_OPTIONS: Names<CallOptions> = { role: true, groups: true, ringMs: true };
export const NEEDS: Names<Need> = { specialty: true, language: true, region: true, role: true };
export const INVITE_OPTIONS: Names<InviteOptions> = {
  role: true,
  name: true,
  ttlMs: true,
  knock: true,
};
export const LANGUAGE_OPTIONS: Names<LanguageOptions> = {
  speaks: true,
  hears: true,
  signs: true,
  duckDb: true,
};
