import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import {
  CLINIC_AUDIENCE,
  CLINIC_NAMESPACE,
  SUPPORTED_VERSIONS,
  TOKEN_AUDIENCE,
} from '@bedside/protocol';
import { createLog } from '@bedside/service';
import { type JWTPayload, SignJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import { type Environment, type GatewayConfig, readConfig } from '../src/config.ts';
import { createGateway, type Gateway } from '../src/gateway.ts';
import { FakeDoor } from './fake-door.ts';
import { FakeVisits } from './fake-visits.ts';

export const SECRET = 'a-secret-of-the-clinic-for-tests-0001';
export const OTHER_SECRET = 'another-secret-that-nobody-gave-us-01';
export const HOSPITAL_SECRET = 'the-secret-of-the-hospital-for-tests-1';
export const API_KEY = 'api-key-of-the-clinic-for-tests';

export const TENANTS = [
  { id: 'clinic', secrets: [{ kid: 'k1', secret: SECRET }], apiKeys: [API_KEY] },
  {
    id: 'hospital',
    secrets: [{ kid: 'h1', secret: HOSPITAL_SECRET }],
    apiKeys: ['api-key-of-the-hospital-tests'],
  },
];

export const testConfig = (environment: Environment = {}): GatewayConfig =>
  readConfig({
    BEDSIDE_GATEWAY_PORT: '0',
    BEDSIDE_GATEWAY_OPS_PORT: '0',
    BEDSIDE_TENANTS: JSON.stringify(TENANTS),
    BEDSIDE_SHUTDOWN_MS: '2000',
    ...environment,
  });

export interface Running {
  gateway: Gateway;
  visits: FakeVisits;
  clinics: FakeDoor;
  url: string;
  opsUrl: string;
  /** Everything logged so far. */
  logged(): string;
  stop(): Promise<void>;
}

/** A gateway in this process, on free ports, with fake visits and clinics behind it. */
export async function startGateway(
  environment: Environment = {},
  parts: { certificatePollMs?: number } = {},
): Promise<Running> {
  const visits = new FakeVisits();
  const clinics = new FakeDoor();
  let text = '';
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const config = testConfig(environment);
  const gateway = createGateway(config, {
    ...parts,
    core: { visits, clinics },
    log: createLog('gateway', 'debug', destination),
  });
  await gateway.start();
  const { host, port, opsPort } = gateway.address();
  return {
    gateway,
    visits,
    clinics,
    url: `${config.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    opsUrl: `http://${host}:${opsPort}`,
    logged: () => text,
    stop: () => gateway.stop(),
  };
}

/** A token that is good for visit `v1` of `clinic`; every part can be changed. */
export async function mintToken(
  claims: Record<string, unknown> = {},
  options: { kid?: string | undefined; secret?: string } = {},
): Promise<string> {
  const seconds = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: 'clinic',
    aud: TOKEN_AUDIENCE,
    sub: 'p1',
    visit: 'v1',
    role: 'patient',
    exp: seconds + 600,
    jti: randomUUID(),
    ...claims,
  })
    .setProtectedHeader({
      alg: 'HS256',
      ...('kid' in options
        ? options.kid === undefined
          ? {}
          : { kid: options.kid }
        : { kid: 'k1' }),
    })
    .sign(new TextEncoder().encode(options.secret ?? SECRET));
}

/** A token of a provider that is good for clinic `c1` of `clinic`; every part can be changed. */
export const mintClinicToken = (claims: Record<string, unknown> = {}): Promise<string> =>
  mintToken({
    aud: CLINIC_AUDIENCE,
    sub: 's1',
    visit: undefined,
    clinic: 'c1',
    role: 'provider',
    ...claims,
  });

interface ClientOptions {
  visit?: string;
  headers?: Record<string, string>;
}

/** A client that has not connected yet: call `connect()`. */
export const clientOf = (url: string, auth: object, options: ClientOptions = {}): Socket =>
  socketOf(url, auth, { visit: options.visit ?? 'v1' }, options.headers);

/** A client of a clinic that has not connected yet. */
export const clinicClientOf = (url: string, auth: object, clinic = 'c1'): Socket =>
  socketOf(url + CLINIC_NAMESPACE, auth, { clinic });

function socketOf(
  url: string,
  auth: object,
  query: Record<string, string>,
  headers?: Record<string, string>,
): Socket {
  return io(url, {
    transports: ['websocket'],
    autoConnect: false,
    reconnection: false,
    forceNew: true,
    query,
    auth,
    ...(headers === undefined ? {} : { extraHeaders: headers }),
  });
}

export const handshake = (token: string, more: object = {}) => ({
  token,
  versions: SUPPORTED_VERSIONS,
  ...more,
});

/** A welcomed client. */
export async function join(
  running: Running,
  claims: JWTPayload = {},
): Promise<{ socket: Socket; welcome: Record<string, unknown> }> {
  const token = await mintToken(claims);
  const visit = typeof claims.visit === 'string' ? claims.visit : 'v1';
  return welcomed(clientOf(running.url, handshake(token), { visit }));
}

/** Connects. @throws Error where it is refused */
export async function welcomed(
  socket: Socket,
): Promise<{ socket: Socket; welcome: Record<string, unknown> }> {
  const welcome = new Promise<Record<string, unknown>>((resolve, reject) => {
    socket.once('welcome', resolve);
    socket.once('connect_error', reject);
  });
  socket.connect();
  return { socket, welcome: await welcome };
}

/** What a handshake that must fail is answered with. */
export function refusal(socket: Socket): Promise<{ message: string; data: unknown }> {
  return new Promise((resolve, reject) => {
    socket.once('connect_error', (error: Error & { data?: unknown }) =>
      resolve({ message: error.message, data: error.data }),
    );
    socket.once('connect', () => reject(new Error('was let in')));
    socket.connect();
  });
}

export const eventOf = <T = unknown>(socket: Socket, name: string): Promise<T> =>
  new Promise((resolve) => {
    socket.once(name, resolve);
  });
