/** A token as a portal mints it, without a valid signature: only the gateway checks that. For tests. */
export function token(claims: Record<string, unknown> = {}): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = {
    iss: 'clinic',
    aud: 'bedside',
    sub: 'p1',
    visit: 'v1',
    role: 'patient',
    exp: 4_000_000_000,
    jti: 'j1',
    ...claims,
  };
  return `${encode({ alg: 'HS256' })}.${encode(payload)}.c2ln`;
}
