/** The portal's settings, from the environment. Secrets have no default: a portal without them can not mint tokens. */
export interface PortalConfig {
  readonly host: string;
  readonly port: number;
  /** Where browsers reach the gateway; pages may connect there and nowhere else. */
  readonly gatewayUrl: URL;
  /** Issuer of the tokens. */
  readonly tenant: string;
  readonly kid: string;
  readonly secret: string;
  /** For `/v1` of the gateway; without it the pages do not show who is there already. */
  readonly apiKey: string | undefined;
}

export class ConfigError extends Error {}

/** @throws ConfigError that names every wrong variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): PortalConfig {
  const wrong: string[] = [];
  const port = Number(env.PORTAL_PORT ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    wrong.push('PORTAL_PORT: a port, 0 to 65535');
  const gatewayUrl = URL.parse(env.PORTAL_GATEWAY_URL ?? 'http://127.0.0.1:7000');
  if (gatewayUrl === null || !/^https?:$/.test(gatewayUrl.protocol)) {
    wrong.push('PORTAL_GATEWAY_URL: an http or https address');
  }
  const secret = env.PORTAL_TENANT_SECRET ?? '';
  if (Buffer.byteLength(secret) < 32)
    wrong.push('PORTAL_TENANT_SECRET: at least 32 bytes, the same as in BEDSIDE_TENANTS');
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.freeze({
    host: env.PORTAL_HOST ?? '127.0.0.1',
    port,
    gatewayUrl: gatewayUrl as URL,
    tenant: env.PORTAL_TENANT ?? 'demo',
    kid: env.PORTAL_TENANT_KID ?? 'demo-1',
    secret,
    apiKey: env.PORTAL_API_KEY || undefined,
  });
}
