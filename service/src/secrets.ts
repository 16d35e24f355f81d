import { readFileSync } from 'node:fs';

/** A secret in the environment, or the file that holds it now. */
export type SecretSource = { readonly value: string } | { readonly file: string };

/**
 * The secret as it is now, without the line break that editors end a file with.
 * @throws Error where the file can not be read, or is empty
 */
export function readSecret(source: SecretSource): string {
  if ('value' in source) return source.value;
  const text = readFileSync(source.file, 'utf8').trim();
  if (text === '') throw new Error('the file with the secret is empty');
  return text;
}
