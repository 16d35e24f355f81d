import crypto from 'k6/crypto';
import encoding from 'k6/encoding';

const base64url = (value) => encoding.b64encode(JSON.stringify(value), 'rawurl');

/**
 * A participant's token as a portal's server signs it: HS256 with the tenant's secret.
 *
 * @param {{ id: string, kid: string, secret: string }} tenant
 */
export function mintToken(tenant, { visit, participant, role, serial, ttlSeconds = 3_600 }) {
  const header = base64url({ alg: 'HS256', typ: 'JWT', kid: tenant.kid });
  const claims = base64url({
    iss: tenant.id,
    aud: 'bedside',
    sub: participant,
    visit,
    role,
    exp: Math.floor(Date.now() / 1_000) + ttlSeconds,
    jti: `${participant}.${serial}`,
  });
  const signed = `${header}.${claims}`;
  return `${signed}.${crypto.hmac('sha256', tenant.secret, signed, 'base64rawurl')}`;
}
