import {
  BedsideError,
  CONTROL_AUDIENCE,
  type ControlHandshake,
  type GatewayId,
  LOOPBACK_CONTROL_SECRET,
  SUPPORTED_VERSIONS,
} from '@bedside/protocol';
import {
  type ControlSettings,
  controlSecrets,
  isLoopback,
  type Logger,
  lastGood,
  readTls,
  type TlsMaterial,
} from '@bedside/service';
import { SignJWT } from 'jose';

const TOKEN_LIFETIME_SECONDS = 60;

/** What proves a gateway to nodes and nodes to it, as it is now: secrets and certificates change while it runs. */
export class ControlCredentials {
  readonly #secrets: () => readonly [string, ...string[]];
  readonly #tls: () => TlsMaterial;

  /** @throws Error where a file can not be read */
  constructor(settings: ControlSettings, log: Pick<Logger, 'warn'>) {
    const readOn = (what: string) => (error: unknown) =>
      log.warn({ err: error }, `control ${what} can not be read: those before serve on`);
    this.#secrets = lastGood(() => controlSecrets(settings.secrets), readOn('secrets'));
    this.#tls = lastGood(() => readTls(settings.tls), readOn('certificates'));
  }

  /** Whether that address may be shown what this end has: the secret that everybody knows proves something on this machine alone. */
  areFor(address: string): boolean {
    return this.#secrets()[0] !== LOOPBACK_CONTROL_SECRET || isLoopback(new URL(address).hostname);
  }

  /**
   * What a control link begins with; made anew for every connection, since its token lives a minute.
   * @throws BedsideError `forbidden` where they are not for that address
   */
  async handshake(gatewayId: GatewayId, address: string): Promise<ControlHandshake> {
    if (!this.areFor(address)) throw new BedsideError('forbidden');
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setAudience(CONTROL_AUDIENCE)
      .setIssuer(gatewayId)
      .setIssuedAt()
      .setExpirationTime(`${TOKEN_LIFETIME_SECONDS}s`)
      .sign(new TextEncoder().encode(this.#secrets()[0]));
    return { token, versions: SUPPORTED_VERSIONS, gatewayId, spreads: true };
  }

  /** The options of a Socket.IO client, with certificates that it reads anew at every connection. */
  withTls<Options extends object>(options: Options): Options {
    const read = (name: keyof TlsMaterial): PropertyDescriptor => ({
      enumerable: true,
      get: () => this.#tls()[name],
    });
    return Object.defineProperties(
      { ...options },
      { ca: read('ca'), cert: read('cert'), key: read('key') },
    );
  }
}
