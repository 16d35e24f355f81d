/** The portal's settings, from the environment. */
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

interface Variable {
  /** As written in the environment; absent where there is none. */
  default?: string;
  description: string;
}

/** All variables of the portal; docs/configuration.md is made from this table. */
export const PORTAL_VARIABLES = {
  PORTAL_HOST: { default: '127.0.0.1', description: 'Address that the portal listens on.' },
  PORTAL_PORT: { default: '8080', description: 'Port of the portal; 0 picks a free one.' },
  PORTAL_GATEWAY_URL: {
    default: 'http://127.0.0.1:7000',
    description: 'Where browsers reach the gateway: an http or https address.',
  },
  PORTAL_TENANT: { default: 'demo', description: 'The tenant: issuer of the tokens.' },
  PORTAL_TENANT_KID: {
    default: 'demo-1',
    description: 'Key id of the secret, as in BEDSIDE_TENANTS.',
  },
  PORTAL_TENANT_SECRET: {
    description:
      'Secret that signs the tokens, at least 32 bytes, the same as in BEDSIDE_TENANTS. Needed.',
  },
  PORTAL_API_KEY: {
    description:
      'Key for `/v1` of the gateway. Without it the pages do not show who is there already.',
  },
} as const satisfies Record<string, Variable>;

/**
 * An empty variable counts as not set.
 * @throws ConfigError that names every wrong variable.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): PortalConfig {
  const wrong: string[] = [];
  const text = (name: keyof typeof PORTAL_VARIABLES): string => {
    const variable: Variable = PORTAL_VARIABLES[name];
    return env[name] || (variable.default ?? '');
  };
  const port = Number(text('PORTAL_PORT'));
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    wrong.push('PORTAL_PORT: a port, 0 to 65535');
  const gatewayUrl = URL.parse(text('PORTAL_GATEWAY_URL'));
  if (gatewayUrl === null || !/^https?:$/.test(gatewayUrl.protocol)) {
    wrong.push('PORTAL_GATEWAY_URL: an http or https address');
  }
  const secret = text('PORTAL_TENANT_SECRET');
  if (Buffer.byteLength(secret) < 32)
    wrong.push('PORTAL_TENANT_SECRET: at least 32 bytes, the same as in BEDSIDE_TENANTS');
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.freeze({
    host: text('PORTAL_HOST'),
    port,
    gatewayUrl: gatewayUrl as URL,
    tenant: text('PORTAL_TENANT'),
    kid: text('PORTAL_TENANT_KID'),
    secret,
    apiKey: text('PORTAL_API_KEY') || undefined,
  });
}
