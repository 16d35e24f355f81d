import { createHmac, randomUUID } from 'node:crypto';
import { BedsideError, parse, TOKEN_AUDIENCE, TokenClaims } from '@bedside/protocol';
import { SignJWT } from 'jose';
import type { PortalConfig } from './config.ts';

/** Seconds. The SDK asks for the next one by itself while the visit goes on. */
const TOKEN_LIFETIME = 3600;
/** What a page calls itself: random, so long that nobody guesses another's. */
const PAGE_ID = /^[A-Za-z0-9_-]{16,64}$/;

/**
 * A token for one participant of one visit, out of what the page asks for. A real portal takes role, name
 * and participant from its own login and appointment instead; here everybody may be anybody.
 * @throws BedsideError `invalid-request` that names the field.
 */
export async function mintToken(config: PortalConfig, body: unknown): Promise<string> {
  if (typeof body !== 'object' || body === null)
    throw new BedsideError('invalid-request', { field: '(root)' });
  const { visit, role, name, lang, participant } = body as Record<string, unknown>;
  if (
    participant !== undefined &&
    !(typeof participant === 'string' && PAGE_ID.test(participant))
  ) {
    throw new BedsideError('invalid-request', { field: 'participant' });
  }
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = parse(TokenClaims, {
    iss: config.tenant,
    aud: TOKEN_AUDIENCE,
    sub: subject(config, String(visit), String(role), participant ?? randomUUID()),
    visit,
    role,
    ...(typeof name === 'string' ? { name: name.trim() || undefined } : { name }),
    ...(lang === undefined || lang === '' ? {} : { lang }),
    exp: issuedAt + TOKEN_LIFETIME,
    jti: randomUUID(),
  });
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid: config.kid, typ: 'JWT' })
    .setIssuedAt(issuedAt)
    .sign(new TextEncoder().encode(config.secret));
}

/**
 * The participant's opaque id: the same for a page over its reloads. Others in the visit see it, so it
 * is a hash of what the page sent: who has seen it can not ask for a token under it.
 */
function subject(config: PortalConfig, visit: string, role: string, page: string): string {
  return createHmac('sha256', config.secret)
    .update(JSON.stringify(['participant', visit, role, page]))
    .digest('base64url')
    .slice(0, 22);
}
