import type { Grant, TokenClaims } from '@bedside/protocol';

export const GRANT_FOR = {
  camera: 'publish-video',
  microphone: 'publish-audio',
} as const satisfies Record<string, Grant>;

/**
 * Whether who holds the token may send: what it grants, else what its role does. The gateway decides;
 * this only spares those who watch a question for their devices. Unknown is taken for allowed.
 */
export const maySend = (
  claims: Pick<TokenClaims, 'role' | 'grants'> | undefined,
  source: keyof typeof GRANT_FOR,
): boolean => claims?.grants?.includes(GRANT_FOR[source]) ?? claims?.role !== 'observer';
