import {
  BedsideError,
  ClientHandshake,
  ClinicHandshake,
  negotiateVersion,
  parse,
  type SessionId,
  SignedToken,
} from '@bedside/protocol';
import { type Keyring, TokenRefused, verifyClinicToken, verifyToken } from '../auth/tokens.ts';
import type { Tenant } from '../config.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { Identity, Staff } from '../ports.ts';

export interface Handshake {
  /** Socket.IO `auth`, as it came. */
  auth: unknown;
  /** Query parameter `visit` or `clinic`, as it came. */
  place: unknown;
  origin: string | undefined;
}

export interface Admitted<Bearer> {
  identity: Bearer;
  version: number;
}

type Keyrings = ReadonlyMap<string, Keyring>;
type Telemetry = Pick<GatewayTelemetry, 'tokenFailure'>;

/**
 * Who is at the door of a visit. Every fault of the token, its absence and a visit that is not its own
 * included, is answered with the same `unauthorized`: the answer must reveal nothing, of visits above all.
 * @throws BedsideError `unauthorized`, `unsupported-version`, `invalid-request`, `deadline` (a tenant's keys can not be fetched)
 */
export function admitToVisit(
  handshake: Handshake,
  keyrings: Keyrings,
  telemetry: Telemetry,
): Promise<Admitted<Identity> & { sessionId: SessionId | undefined }> {
  return answering(telemetry, async () => {
    const token = tokenOf(handshake.auth);
    const { versions, sessionId } = parse(ClientHandshake, handshake.auth);
    const version = versionOf(versions);
    const { identity, tenant } = await verifyToken(keyrings, token, handshake.place);
    if (handshake.place !== identity.visit) throw new TokenRefused('visit');
    checkOrigin(handshake.origin, tenant);
    return { identity, version, sessionId };
  });
}

/** Who is at the door of a clinic. @throws as admitToVisit */
export function admitToClinic(
  handshake: Handshake,
  keyrings: Keyrings,
  telemetry: Telemetry,
): Promise<Admitted<Staff>> {
  return answering(telemetry, async () => {
    const token = tokenOf(handshake.auth);
    const { versions } = parse(ClinicHandshake, handshake.auth);
    const version = versionOf(versions);
    const { identity, tenant } = await verifyClinicToken(keyrings, token);
    if (handshake.place !== identity.clinic) throw new TokenRefused('clinic');
    checkOrigin(handshake.origin, tenant);
    return { identity, version };
  });
}

/** A fresh token for the same person, visit and role. @throws BedsideError `unauthorized`, `deadline` */
export function renewForVisit(
  token: string,
  present: Identity,
  keyrings: Keyrings,
  telemetry: Telemetry,
): Promise<Identity> {
  return answering(telemetry, async () => {
    const { identity } = await verifyToken(keyrings, token, present.visit);
    checkSame(identity, present, ['tenant', 'visit', 'participant', 'role']);
    if (identity.attendant?.clinic !== present.attendant?.clinic)
      throw new TokenRefused('identity');
    return identity;
  });
}

/** A fresh token for the same person, clinic and role. @throws BedsideError `unauthorized`, `deadline` */
export function renewForClinic(
  token: string,
  present: Staff,
  keyrings: Keyrings,
  telemetry: Telemetry,
): Promise<Staff> {
  return answering(telemetry, async () => {
    const { identity } = await verifyClinicToken(keyrings, token);
    checkSame(identity, present, ['tenant', 'clinic', 'participant', 'role']);
    return identity;
  });
}

function tokenOf(auth: unknown): string {
  const token: unknown =
    typeof auth === 'object' && auth !== null ? Reflect.get(auth, 'token') : undefined;
  if (typeof token !== 'string' || token === '') throw new TokenRefused('missing');
  if (!SignedToken.safeParse(token).success) throw new TokenRefused('malformed');
  return token;
}

function versionOf(offered: ClientHandshake['versions']): number {
  const version = negotiateVersion(offered);
  if (version === undefined) throw new BedsideError('unsupported-version');
  return version;
}

function checkOrigin(origin: string | undefined, { allowedOrigins }: Tenant): void {
  if (origin !== undefined && allowedOrigins?.includes(origin) === false)
    throw new TokenRefused('origin');
}

function checkSame<Bearer>(
  one: Bearer,
  other: Bearer,
  properties: readonly (keyof Bearer)[],
): void {
  if (!properties.every((key) => one[key] === other[key])) throw new TokenRefused('identity');
}

async function answering<Result>(
  telemetry: Telemetry,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    telemetry.tokenFailure(error.reason);
    throw new BedsideError('unauthorized');
  }
}
