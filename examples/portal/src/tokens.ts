import { createHmac, randomUUID } from 'node:crypto';
import {
  BedsideError,
  CLINIC_AUDIENCE,
  ClinicClaims,
  type ClinicId,
  type ParticipantId,
  parse,
  TOKEN_AUDIENCE,
  TokenClaims,
} from '@bedside/protocol';
import { type JWTPayload, SignJWT } from 'jose';
import type { PortalConfig } from './config.ts';

/** Seconds. The SDK asks for the next one by itself while the visit goes on. */
const TOKEN_LIFETIME = 3600;
/** Seconds. Shorter, as it lasts for a whole day of work: who may not any more is out soon. */
const CLINIC_TOKEN_LIFETIME = 600;
/** What a page calls itself: random, so long that nobody guesses another's. */
const PAGE_ID = /^[A-Za-z0-9_-]{16,64}$/;

/** The clinic of this portal, as its gateway knows it. A portal of several has an id for each. */
export const CLINIC = 'demo' as ClinicId;

/**
 * What a token says for one participant of one visit, out of what the page asks for. A real portal takes role, name
 * and participant from its own login and appointment instead; here everybody may be anybody.
 * @throws BedsideError `invalid-request` that names the field.
 */
export function visitClaims(config: PortalConfig, body: unknown): TokenClaims {
  const { visit, role, name, lang, participant, staff } = fieldsOf(body);
  const page = pageId(participant, 'participant') ?? randomUUID();
  const employee = pageId(staff, 'staff');
  return parse(TokenClaims, {
    iss: config.tenant,
    aud: TOKEN_AUDIENCE,
    // Staff have one id in all visits, the one of their clinic token.
    sub:
      employee === undefined
        ? opaqueId(config, 'participant', String(visit), String(role), page)
        : staffId(config, employee),
    visit,
    role,
    ...nameOf(name),
    ...(lang === undefined || lang === '' ? {} : { lang }),
    ...life(TOKEN_LIFETIME),
  });
}

/**
 * What a token says with which somebody of the staff sees the clinic's queue or is on call, without being in a visit.
 * A real portal takes role and skills from its staff register: the gateway believes what is signed here.
 * @throws BedsideError `invalid-request` that names the field.
 */
export function clinicClaims(config: PortalConfig, body: unknown): ClinicClaims {
  const { staff, role, name, skills } = fieldsOf(body);
  const employee = pageId(staff, 'staff');
  if (employee === undefined) throw new BedsideError('invalid-request', { field: 'staff' });
  return parse(ClinicClaims, {
    iss: config.tenant,
    aud: CLINIC_AUDIENCE,
    sub: staffId(config, employee),
    clinic: CLINIC,
    role,
    ...nameOf(name),
    ...(skills === undefined ? {} : { skills }),
    ...life(CLINIC_TOKEN_LIFETIME),
  });
}

/** The token, with the secret that this portal and its gateway share. It never reaches a page. */
export function sign(config: PortalConfig, claims: TokenClaims | ClinicClaims): Promise<string> {
  return new SignJWT(claims as JWTPayload)
    .setProtectedHeader({ alg: 'HS256', kid: config.kid, typ: 'JWT' })
    .sign(new TextEncoder().encode(config.secret));
}

const life = (seconds: number) => ({
  exp: Math.floor(Date.now() / 1000) + seconds,
  jti: randomUUID(),
});

const nameOf = (name: unknown) =>
  typeof name === 'string' ? { name: name.trim() || undefined } : { name };

function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null)
    throw new BedsideError('invalid-request', { field: '(root)' });
  return body as Record<string, unknown>;
}

function pageId(value: unknown, field: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && PAGE_ID.test(value)) return value;
  throw new BedsideError('invalid-request', { field });
}

/** Who somebody of the staff is for the gateway, in the queue, on call and in visits. */
const staffId = (config: PortalConfig, page: string): ParticipantId =>
  opaqueId(config, 'staff', page) as ParticipantId;

/**
 * The same for a page over its reloads. Others in the visit see it, so it is a hash of what the page sent:
 * who has seen it can not ask for a token under it.
 */
function opaqueId(config: PortalConfig, ...of: string[]): string {
  return createHmac('sha256', config.secret)
    .update(JSON.stringify(of))
    .digest('base64url')
    .slice(0, 22);
}
