import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Role, SERVICE_AUDIENCE, SUPPORTED_VERSIONS } from '@bedside/protocol';
import { UnsecuredJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSamples } from '../../load-tests/lib/metrics.ts';
import { redisCommand, redisKeys } from '../../load-tests/lib/redis.ts';
import { until } from '../../load-tests/lib/wait.ts';
import { NativeParticipant } from '../../load-tests/native/participant.ts';
import { sendParameters } from '../../load-tests/shared/capabilities.ts';
import { type Stack, startStack } from '../../scripts/lib/stack.mjs';
import { clientOf, eventOf, handshake, mintToken, refusal } from '../test/harness.ts';
import { RawClient, upgradeStatus } from '../test/raw-client.ts';
import { unpack } from './store/packing.ts';

/**
 * A visit is run over the real product with everything in it marked, the good way and every bad way,
 * at the level that logs most. Then no mark may be in a log, in a metric or in the name of a Redis key.
 */

/** Where a mark may never be, or only not in the open: values of Redis may hold ids and names. */
type Kind = 'person' | 'secret';
const marks: { text: string; kind: Kind }[] = [];
/** Enters a text that is looked for afterwards; without case, since headers and hosts lose it. */
function mark(text: string, kind: Kind): string {
  if (!marks.some((known) => known.text === text)) marks.push({ text, kind });
  return text;
}
const unique = (what: string) => `MARKED.${what}.${randomBytes(6).toString('hex')}`;
const person = (what: string) => mark(unique(what), 'person');
const secret = (what: string) => mark(unique(what), 'secret');

const VISIT = person('visit');
const ROLES: readonly Role[] = ['provider', 'patient', 'interpreter', 'specialist'];
const TURN_SECRET = secret('turn-secret');

let stack: Stack;
let logDir: string;
/** What was seen while the visit ran: `/metrics` and the names and values of Redis' keys. */
const metrics: string[] = [];
const keys = new Set<string>();
const values = new Map<string, string>();

const byRole = {} as Record<Role, NativeParticipant>;
const people = Object.fromEntries(
  ROLES.map((role) => [role, { id: person(role), name: person(`name-of-${role}`) }]),
) as Record<Role, { id: string; name: string }>;

async function token(role: Role, claims: object = {}): Promise<string> {
  const { id: iss, kid, secret } = stack.secrets.tenant;
  const { id: sub, name } = people[role];
  const made = await mintToken(
    { iss, visit: VISIT, role, sub, name, jti: person('jti'), ...claims },
    { kid, secret },
  );
  // Whole, and its parts: a log that had cut one off would still give the person away.
  for (const part of [made, ...made.split('.').slice(1)]) mark(part, 'secret');
  return made;
}

/** What a string in Redis says, a packed snapshot unpacked. */
const textOf = (bytes: string) => unpack(Buffer.from(bytes, 'latin1'));

/** Notes what can be seen now; at moments when much is there. */
async function look(): Promise<void> {
  const { gatewayOps, nodeOps, redis } = stack.urls;
  for (const ops of [gatewayOps, nodeOps])
    metrics.push(await (await fetch(`${ops}/metrics`)).text());
  const readers: Record<string, string[]> = {
    string: ['GET'],
    list: ['LRANGE', '0', '-1'],
    hash: ['HGETALL'],
    set: ['SMEMBERS'],
    stream: ['XRANGE', '-', '+'],
    zset: ['ZRANGE', '0', '-1'],
  };
  for (const key of await redisKeys(redis)) {
    keys.add(key);
    const [command = '', ...range] = readers[String(await redisCommand(redis, 'TYPE', key))] ?? [];
    if (command === '') continue; // It expired meanwhile.
    const value = await redisCommand(redis, command, key, ...range);
    values.set(key, typeof value === 'string' ? textOf(value) : JSON.stringify(value));
  }
}

/** Four people with media, who do all that there is to do. */
async function visit(): Promise<void> {
  await rest('POST', '/v1/visits', { body: JSON.stringify({ visit: VISIT }) });
  for (const role of ROLES) {
    const participant = await NativeParticipant.connect({
      url: stack.urls.gateway,
      visit: VISIT,
      token: await token(role),
    });
    byRole[role] = participant;
    mark(participant.welcome.sessionId, 'secret');
    for (const { username, credential } of participant.welcome.iceServers)
      for (const text of [username, credential]) if (text) mark(text, 'secret');
    await participant.join();
    for (const transport of [participant.joined.sendTransport, participant.joined.recvTransport]) {
      mark(transport.iceParameters.usernameFragment, 'secret');
      mark(transport.iceParameters.password, 'secret');
      for (const { value } of transport.dtlsParameters.fingerprints) mark(value, 'secret');
    }
    await participant.connectMedia();
    await participant.produce('camera');
    const microphone = await participant.produce('microphone');
    const { producerId } = microphone;
    await participant.command('pause-producer', { producerId, paused: true });
    await participant.command('renew-token', { token: await token(role) });
    const { transportId } = participant.joined.sendTransport;
    const { iceParameters } = await participant.command('restart-ice', { transportId });
    mark(iceParameters.usernameFragment, 'secret');
    mark(iceParameters.password, 'secret');
  }
}

/** A page by the usual client, without media. */
async function page(role: Role, more: object = {}): Promise<Socket> {
  const socket = clientOf(stack.urls.gateway, handshake(await token(role), more), { visit: VISIT });
  const welcome = eventOf<{ sessionId: string }>(socket, 'welcome');
  socket.connect();
  mark((await welcome).sessionId, 'secret');
  return socket;
}

/** The same person again: on another page, after a cut, with a session that is nobody's. */
async function comeAndGo(): Promise<void> {
  const first = await page('patient');
  const replaced = eventOf(first, 'closing');
  const second = await page('patient', { sessionId: secret('session') });
  await replaced;
  second.io.engine.close();
  (await page('patient')).disconnect();
}

async function badTokens(): Promise<void> {
  const { id: iss, kid, secret: key } = stack.secrets.tenant;
  const wrong = [
    secret('token'),
    await token('patient', { exp: 1 }),
    await token('patient', { aud: person('audience') }),
    await token('patient', { visit: person('other-visit') }),
    await token('patient', { role: person('role') }),
    await token('patient', { iss: person('tenant') }),
    await mintToken({ iss, visit: VISIT, sub: person('sub') }, { kid: person('kid'), secret: key }),
    await mintToken({ iss, visit: VISIT, sub: person('sub') }, { kid, secret: 'x'.repeat(40) }),
    new UnsecuredJWT({ iss, visit: VISIT, sub: person('sub') }).encode(),
  ];
  for (const bad of wrong) {
    const socket = clientOf(stack.urls.gateway, handshake(mark(bad, 'secret')), {
      visit: VISIT,
      headers: { origin: stack.urls.portal, 'x-forwarded-for': person('address') },
    });
    await refusal(socket);
  }
  const versions = { token: await token('patient'), versions: { min: person('version') } };
  await refusal(clientOf(stack.urls.gateway, versions, { visit: VISIT }));
  await upgradeStatus(stack.urls.gateway, {
    query: `EIO=4&transport=${person('transport')}&visit=${VISIT}&token=${person('query')}`,
    headers: { Origin: `https://${person('origin')}`, Cookie: person('cookie') },
  });
}

/** Wrong in each way that a message can be, with marks in names, keys and values. */
async function badCommands(): Promise<void> {
  const socket = await page('specialist');
  const ask = (name: string, request: unknown) =>
    socket.timeout(10_000).emitWithAck(name, request) as Promise<{ ok: boolean }>;
  const { sendTransport } = byRole.provider.joined;
  const offered = byRole.provider.welcome.rtpCapabilities;
  const rtpParameters = {
    ...sendParameters(offered, 'audio', 7),
    rtcp: { cname: secret('cname') },
    mid: secret('mid').slice(0, 32),
  };
  const dtlsParameters = {
    role: 'client',
    fingerprints: [{ algorithm: secret('algorithm'), value: secret('fingerprint') }],
  };
  const requests: [string, object][] = [
    [person('event'), {}],
    ['join', { rtpCapabilities: { codecs: [{ mimeType: secret('codec') }] } }],
    ['join', { rtpCapabilities: offered }],
    ['end', { [person('key')]: person('value') }],
    ['pause-producer', { producerId: person('producer'), paused: true }],
    ['close-producer', { producerId: person('producer') }],
    ['connect-transport', { transportId: secret('transport'), dtlsParameters }],
    ['restart-ice', { transportId: secret('transport') }],
    ['renew-token', { token: secret('token') }],
    ['renew-token', { token: await token('provider') }],
    ['prefer-consumers', { preferences: [{ consumerId: person('consumer'), paused: true }] }],
  ];
  for (const [name, request] of requests)
    await ask(name, { requestId: secret('request'), ...request });
  // Its own transport, and parameters that pass the schema and that the worker can not take.
  const joined = await socket
    .timeout(10_000)
    .emitWithAck('join', { requestId: 'again', rtpCapabilities: offered });
  const { transportId } = joined.ok ? joined.data.sendTransport : sendTransport;
  const strange = {
    ...rtpParameters,
    codecs: [{ ...rtpParameters.codecs[0], mimeType: `audio/${secret('mime')}` }],
  };
  const twisted: [string, object][] = [
    ['connect-transport', { transportId, dtlsParameters }],
    ['produce', { transportId, source: 'microphone', paused: false, rtpParameters: strange }],
    ['produce', { transportId, source: 'camera', paused: false, rtpParameters }],
    ['produce', { transportId, source: 'microphone', paused: false, rtpParameters }],
    ['produce', { transportId, source: 'microphone', paused: false, rtpParameters }],
  ];
  for (const [name, request] of twisted)
    await ask(name, { requestId: secret('request'), ...request });
  socket.disconnect();

  for (const packet of [
    `42["${person('unacknowledged')}",{"name":"${person('name')}"}]`,
    `421["leave",{"requestId":"${person('cut-off')}`,
    `40/${person('namespace')},{"token":"${secret('token')}"}`,
    `42/${person('namespace')},1["leave"]`,
    `421["leave",{"filler":"${person('large')}${'x'.repeat(70_000)}"}]`,
    Buffer.from(person('binary')),
  ]) {
    const raw = await RawClient.join(stack.urls.gateway, handshake(await token('interpreter')), {
      query: `EIO=4&transport=websocket&visit=${VISIT}`,
    });
    raw.send(packet);
    // Those that do not cut the socket are read before this, which does.
    raw.send('9');
    await raw.closed;
  }
}

async function rest(
  method: string,
  path: string,
  { key = stack.secrets.apiKey, body }: { key?: string; body?: string } = {},
): Promise<number> {
  const response = await fetch(stack.urls.gateway + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': person('address') },
    ...(body === undefined ? {} : { body }),
  });
  await response.text();
  return response.status;
}

async function restCalls(): Promise<void> {
  const key = await token('provider', { aud: SERVICE_AUDIENCE });
  expect(await rest('GET', `/v1/visits/${VISIT}`)).toBe(200);
  expect(await rest('GET', `/v1/visits/${VISIT}`, { key })).toBe(200);
  const group = JSON.stringify({ visit: VISIT, kind: 'group' });
  for (const [method, path, more] of [
    ['POST', '/v1/visits', { body: group }],
    ['POST', '/v1/visits', { body: `{"visit":"${person('body')}` }],
    ['POST', '/v1/visits', { body: JSON.stringify({ visit: person('slash/') }) }],
    ['POST', '/v1/visits', { body: JSON.stringify({ [person('key')]: person('value') }) }],
    ['GET', `/v1/visits/${person('unknown')}`, {}],
    ['GET', `/v1/visits/${person('percent')}%ZZ?token=${secret('query')}`, {}],
    ['GET', `/v1/${person('path')}`, {}],
    ['GET', `/v1/visits/${VISIT}`, { key: secret('api-key') }],
    ['POST', `/v1/visits/${VISIT}/end`, { key: await token('provider') }],
  ] as const)
    expect(await rest(method, path, more)).toBeGreaterThanOrEqual(400);
}

/** Somebody who found the node's control port. */
async function badLinks(): Promise<void> {
  const gatewayId = person('gateway');
  for (const auth of [
    { token: secret('control-token'), versions: SUPPORTED_VERSIONS, gatewayId },
    { token: await token('provider'), versions: SUPPORTED_VERSIONS, gatewayId },
    { [person('key')]: person('value') },
  ]) {
    const options = { transports: ['websocket'], reconnection: false, forceNew: true, auth };
    const socket = io(stack.urls.node, options);
    await eventOf(socket, 'connect_error');
    socket.disconnect();
  }
}

/** What breaks is logged: the worker, Redis, the node, in a visit under way. */
async function outages(): Promise<void> {
  const status = async () => (await fetch(`${stack.urls.gatewayOps}/readyz`)).status;
  const { redis, node } = stack.processes;
  redis.kill('SIGSTOP');
  const { producerId } = await byRole.provider.produce('screen').catch(() => ({ producerId: '' }));
  await byRole.provider
    .command('close-producer', { producerId: producerId as never })
    .catch(() => undefined);
  await until('not ready', status, (answer) => answer === 503);
  redis.kill('SIGCONT');
  await until('ready', status, (answer) => answer === 200);
  await node.restart('SIGKILL');
  await until('ready', status, (answer) => answer === 200);
  await page('interpreter').then((socket) => socket.disconnect());
}

beforeAll(async () => {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  if (!workerBin) throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through `npm test`.');
  logDir = mkdtempSync(join(tmpdir(), 'bedside-redaction-'));
  const BEDSIDE_LOG_LEVEL = 'trace';
  stack = await startStack({
    node22: process.execPath,
    workerBin,
    workers: 1,
    restart: false,
    logDir,
    only: ['redis', 'node', 'gateway'],
    ports: {
      redis: 29_390,
      gateway: 29_000,
      gatewayOps: 29_001,
      node: 29_100,
      nodeOps: 29_101,
      media: 29_200,
    },
    env: {
      node: { BEDSIDE_LOG_LEVEL },
      gateway: {
        BEDSIDE_LOG_LEVEL,
        BEDSIDE_TURN_URLS: 'turn:turn.example.org',
        BEDSIDE_TURN_SECRET: TURN_SECRET,
        BEDSIDE_TRUSTED_PROXIES: '127.0.0.1',
      },
    },
  });
  const { apiKey, control, tenant } = stack.secrets;
  for (const text of [apiKey, control, tenant.secret]) mark(text, 'secret');

  await visit();
  await look();
  await comeAndGo();
  await badTokens();
  await badCommands();
  await restCalls();
  await badLinks();
  await look();
  await outages();
  await look();
  await byRole.provider.command('end', {}).catch(() => rest('POST', `/v1/visits/${VISIT}/end`));
  await look();
  for (const participant of Object.values(byRole)) participant.close();
  await stack.stop();
}, 120_000);

afterAll(async () => {
  await stack?.stop();
  rmSync(logDir, { recursive: true, force: true });
});

/** The marks that are in a text, wherever they came from. */
const found = (text: string, ...kinds: Kind[]): string[] => {
  const low = text.toLowerCase();
  return marks
    .filter(({ kind }) => kinds.includes(kind))
    .map((entry) => entry.text)
    .filter((entry) => low.includes(entry.toLowerCase()));
};
const logs = () =>
  readdirSync(logDir).map((name) => ({ name, text: readFileSync(join(logDir, name), 'utf8') }));

test('the visit took place, and what is searched is there to be found', () => {
  expect(marks.length).toBeGreaterThan(100);
  for (const { text } of marks) expect(text.length).toBeGreaterThan(8);
  expect(keys.size).toBeGreaterThan(3);
  const stored = [...values.values()].join();
  for (const role of ROLES) expect(stored).toContain(people[role].name);
  expect(
    logs()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['gateway.log', 'node.log', 'redis.log']);
});

describe('none of it', () => {
  test.each(['gateway.log', 'node.log', 'redis.log'])('is in %s', (name) => {
    const { text } = logs().find((log) => log.name === name) ?? { text: '' };
    expect(text.split('\n').length).toBeGreaterThan(5);
    const guilty = text.split('\n').filter((line) => found(line, 'person', 'secret').length > 0);
    expect(guilty).toEqual([]);
  });

  test('is in a metric: neither in a name nor in a label', () => {
    expect(metrics).toHaveLength(8);
    for (const text of metrics) {
      expect(text).toMatch(/^bedside_/m);
      expect(found(text, 'person', 'secret')).toEqual([]);
    }
  });

  test('is in the name of a Redis key', () => {
    for (const key of keys) {
      expect(key).toMatch(/^bedside:/);
      expect(found(key, 'person', 'secret')).toEqual([]);
    }
  });
});

test('in Redis’ values are ids and names, and no token, session, secret or address of media', () => {
  for (const [key, value] of values) expect(found(value, 'secret'), key).toEqual([]);
});

test('the ledger holds ids, and no names', () => {
  const ledgers = [...values].filter(([key]) => key.endsWith(':events')).map(([, value]) => value);
  expect(ledgers.join()).toContain(people.provider.id);
  for (const role of ROLES) expect(ledgers.join()).not.toContain(people[role].name);
});

test('labels take no value that a client makes up', () => {
  const samples = metrics.flatMap(readSamples);
  const commands = samples.filter(({ name }) => name === 'bedside_gateway_commands_total');
  const names = new Set(commands.map(({ labels }) => labels.command));
  expect(names).toContain('unknown');
  for (const name of names) expect(name).toMatch(/^[a-z-]{3,20}$/);
  for (const { name, labels } of samples) {
    expect(name).toMatch(/^bedside_(gateway|node)_/);
    expect(Object.keys(labels).join()).not.toMatch(/visit|participant|person|tenant|peer|address/i);
  }
});
