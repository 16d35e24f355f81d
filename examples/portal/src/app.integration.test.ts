import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from './app.ts';
import { loadAssets } from './assets.ts';
import { type PortalConfig, readConfig } from './config.ts';
import { securityHeaders } from './headers.ts';

const publicDir = join(import.meta.dirname, '..', 'public');
const SDK_SCRIPT = `/* the SDK */ ${'x'.repeat(2000)}`;
const sdk: Record<string, string> = {
  'bedside.js': SDK_SCRIPT,
  'bedside.js.map': '{}',
  'bedside.js.LEGAL.txt': 'legal',
  'bedside-clinic.js': '/* the clinic */',
  'bedside-clinic.js.map': '{}',
  'bedside.mjs': 'export {}',
  'bedside.mjs.map': '{}',
  'bedside.mjs.LEGAL.txt': 'legal',
  'integrity.json': JSON.stringify({
    'bedside.js': { integrity: 'sha384-of-the-script' },
    'bedside-clinic.js': { integrity: 'sha384-of-the-clinic' },
  }),
};

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
const close = async (server: Server | undefined): Promise<void> => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
};

describe('the portal', () => {
  let dist: string;
  let portal: Server;
  let port: number;
  let config: PortalConfig;
  /** Stands for the gateway's `/v1`. */
  let gateway: Server;
  let answer: { status: number; body: unknown } | 'none';
  const asked: {
    method: string | undefined;
    path: string | undefined;
    authorization: string | undefined;
    body: string;
  }[] = [];

  beforeAll(async () => {
    dist = await mkdtemp(join(tmpdir(), 'bedside-portal-'));
    for (const [name, content] of Object.entries(sdk)) await writeFile(join(dist, name), content);
    gateway = createServer(async (request, response) => {
      const { url: path, method, headers } = request;
      let body = '';
      for await (const chunk of request) body += String(chunk);
      asked.push({ method, path, authorization: headers.authorization, body });
      if (answer === 'none') return;
      response.statusCode = answer.status;
      response.end(JSON.stringify(answer.body));
    });
    config = readConfig({
      PORTAL_TENANT_SECRET: 's'.repeat(32),
      PORTAL_API_KEY: 'the key',
      PORTAL_GATEWAY_URL: `http://127.0.0.1:${await listen(gateway)}`,
    });
    portal = createServer(createApp(config, await loadAssets(publicDir, dist)));
    port = await listen(portal);
  });

  afterAll(async () => {
    await close(portal);
    await close(gateway);
    await rm(dist, { recursive: true, force: true });
  });

  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, init);
  const post = (path: string, body: string, type = 'application/json'): Promise<Response> =>
    get(path, { method: 'POST', headers: { 'Content-Type': type }, body });
  const postToken = (body: string, type?: string): Promise<Response> =>
    post('/api/token', body, type);
  const postJson = async (path: string, body: object) => {
    const response = await post(path, JSON.stringify(body));
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  /** As it is written: fetch would tidy the path up. */
  const raw = (path: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port, path }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once('error', reject)
        .end();
    });

  describe('pages', () => {
    it.each([
      ['/', 'text/html; charset=utf-8'],
      ['/?visit=v1&role=patient', 'text/html; charset=utf-8'],
      ['/check-in', 'text/html; charset=utf-8'],
      ['/clinic', 'text/html; charset=utf-8'],
      ['/on-call', 'text/html; charset=utf-8'],
      ['/guest', 'text/html; charset=utf-8'],
      ['/summary', 'text/html; charset=utf-8'],
      ['/portal.css', 'text/css; charset=utf-8'],
      ['/page.js', 'text/javascript; charset=utf-8'],
      ['/logo.svg', 'image/svg+xml'],
      ['/sdk/bedside.js', 'text/javascript; charset=utf-8'],
      ['/sdk/bedside.mjs', 'text/javascript; charset=utf-8'],
    ])('serves %s as %s', async (path, type) => {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('Content-Type')).toBe(type);
    });

    it.each(['/', '/clinic', '/page.js', '/nothing', '/api/token', '/api/visits/v1'])(
      'sends the whole policy with %s',
      async (path) => {
        answer = { status: 404, body: {} };
        const { headers } = await get(path);
        for (const [name, value] of Object.entries(securityHeaders(config.gatewayUrl)))
          expect(headers.get(name), name).toBe(value);
      },
    );

    it.each(['/', '/check-in', '/clinic', '/on-call', '/guest', '/summary'])(
      'names the hash of the script that it serves, and every file that %s loads is there',
      async (path) => {
        const page = await (await get(path)).text();
        const staffs = path === '/clinic' || path === '/on-call';
        expect(page).toContain(
          staffs ? 'integrity="sha384-of-the-clinic"' : 'integrity="sha384-of-the-script"',
        );
        expect(page).not.toContain('{{');
        for (const [, file = ''] of page.matchAll(/(?:src|href)="(\/[^"]*\.[a-z]+)"/g))
          await exists(file);
      },
    );

    /** Whatever it imports, too. */
    async function exists(file: string): Promise<void> {
      const response = await get(file);
      expect(response.status, file).toBe(200);
      if (file.startsWith('/sdk/')) return;
      const source = await response.text();
      for (const [, name = ''] of source.matchAll(/ from '\.(\/[^']+)'/g)) await exists(name);
    }

    it('lets other origins load the SDK, and nothing else', async () => {
      const { headers } = await get('/sdk/bedside.js');
      expect(headers.get('Access-Control-Allow-Origin')).toBe('*');
      expect(headers.get('Cross-Origin-Resource-Policy')).toBe('cross-origin');
      for (const path of ['/', '/page.js', '/api/visits/v1']) {
        const other = (await get(path)).headers;
        expect(other.get('Access-Control-Allow-Origin'), path).toBeNull();
        expect(other.get('Cross-Origin-Resource-Policy'), path).toBe('same-origin');
      }
    });

    it('sends a file compressed to those who can read it, once', async () => {
      const response = await new Promise<{ encoding: string | undefined; body: Buffer }>(
        (resolve) => {
          httpRequest(
            {
              host: '127.0.0.1',
              port,
              path: '/sdk/bedside.js',
              headers: { 'Accept-Encoding': 'gzip' },
            },
            async (message) => {
              const chunks: Buffer[] = [];
              for await (const chunk of message) chunks.push(chunk as Buffer);
              resolve({
                encoding: message.headers['content-encoding'],
                body: Buffer.concat(chunks),
              });
            },
          ).end();
        },
      );
      expect(response.encoding).toBe('gzip');
      expect(gunzipSync(response.body).toString()).toBe(SDK_SCRIPT);
      const etag = (await get('/sdk/bedside.js')).headers.get('ETag') ?? '';
      const again = await get('/sdk/bedside.js', { headers: { 'If-None-Match': etag } });
      expect(again.status).toBe(304);
      expect(await again.text()).toBe('');
    });

    it('answers HEAD without a body', async () => {
      const response = await get('/', { method: 'HEAD' });
      expect(Number(response.headers.get('Content-Length'))).toBeGreaterThan(1000);
      expect(await response.text()).toBe('');
    });

    it.each([
      '/../server.ts',
      '/../../package.json',
      '/..%2f..%2fpackage.json',
      '/%2e%2e/%2e%2e/package.json',
      '/sdk/../../server.ts',
      '/sdk/%2e%2e%2fserver.ts',
      '//etc/passwd',
      '/etc/passwd',
      '/home.html',
      '/layout.html',
      '/api/visits/v1/nothing',
      '/api/constructor',
      '/sdk/',
      '/portal.css%00',
      '/__proto__',
      '/%',
    ])('gives away nothing else: %s', async (path) => expect(await raw(path)).toBe(404));

    it('does not take a page for what is to be sent', async () => {
      const response = await get('/', { method: 'POST', body: 'x' });
      expect(response.status).toBe(405);
      expect(response.headers.get('Allow')).toBe('GET, HEAD');
    });

    it('says how to build the SDK where it is missing', async () => {
      await expect(loadAssets(publicDir, join(dist, 'nowhere'))).rejects.toThrow(
        'npm run build -w sdk',
      );
    });
  });

  describe('tokens', () => {
    it('gives one, the gateway’s address beside it, and lets nobody keep it', async () => {
      const response = await postToken(JSON.stringify({ visit: 'v1', role: 'patient' }));
      expect(response.status).toBe(200);
      expect(response.headers.get('Cache-Control')).toBe('no-store');
      const { token, url } = (await response.json()) as { token: string; url: string };
      expect(token.split('.')).toHaveLength(3);
      expect(url).toBe(config.gatewayUrl.origin);
    });

    it.each([
      ['what is not JSON', '{', 'application/json', '(root)'],
      ['a form of another site', '{"visit":"v1","role":"patient"}', 'text/plain', 'Content-Type'],
      ['a wrong field', '{"visit":"v1","role":"king"}', 'application/json', 'role'],
      ['too much', JSON.stringify({ x: 'y'.repeat(20_000) }), 'application/json', '(body)'],
    ])('refuses %s', async (_, body, type, field) => {
      const response = await postToken(body, type);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 'invalid-request', field } });
    });

    it('refuses GET', async () => expect((await get('/api/token')).status).toBe(405));

    it('goes on after a client that hangs up in the middle', async () => {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.write(
            'POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
            () => socket.resetAndDestroy(),
          );
        });
        socket.once('close', () => resolve());
        socket.once('error', () => {});
      });
      expect((await get('/')).status).toBe(200);
    });
  });

  describe('who is there', () => {
    const present = async (visit: string) => (await get(`/api/visits/${visit}`)).json();

    it('asks the gateway by the portal’s key and tells state and roles, no names', async () => {
      answer = {
        status: 200,
        body: {
          state: 'active',
          participants: [
            { role: 'patient', state: 'admitted', name: 'Ana' },
            { role: 'provider', state: 'left' },
          ],
        },
      };
      expect(await present('v1')).toEqual({ present: ['patient'], state: 'active' });
      expect(asked.at(-1)).toMatchObject({
        method: 'GET',
        path: '/v1/visits/v1',
        authorization: 'Bearer the key',
      });
    });

    it('takes an unknown visit for an empty one', async () => {
      answer = { status: 404, body: {} };
      expect(await present('v2')).toEqual({ present: [] });
    });

    it('does not wait long for a gateway that says nothing', async () => {
      answer = 'none';
      expect(await present('v3')).toEqual({ present: [] });
    });

    it.each(['a%20b', '..%2f..%2fvisits', '%', 'x'.repeat(500)])(
      'asks nobody about what is no visit: %s',
      async (visit) => {
        const before = asked.length;
        expect((await get(`/api/visits/${visit}`)).status).toBe(400);
        expect(asked).toHaveLength(before);
      },
    );
  });

  describe('check-in', () => {
    const resource = (rest: object = {}) => ({
      status: 200,
      body: { visit: 'w1', state: 'open', admission: 'on-admit', participants: [], ...rest },
    });

    it('makes the visit with a waiting room at the gateway, and keeps the name to itself', async () => {
      answer = resource();
      const checkIn = { visit: 'w1', name: 'Ana Torres', lang: 'es', interpreter: true };
      const { status } = await postJson('/api/check-in', { ...checkIn, provider: 'dr-1' });
      expect(status).toBe(200);
      const { method, path, body } = asked.at(-1) ?? {};
      expect({ method, path }).toEqual({ method: 'POST', path: '/v1/visits' });
      expect(JSON.parse(body ?? '')).toMatchObject({
        visit: 'w1',
        admission: 'on-admit',
        clinic: 'demo',
        provider: 'dr-1',
      });
      expect(body).not.toContain('Ana');
      const { body: queue } = await postJson('/api/clinic/queue', { visits: ['w1', 'unknown'] });
      expect(queue).toEqual({ appointments: [{ ...checkIn, provider: 'dr-1' }] });
    });

    it('knows after a reload what it knew before', async () => {
      answer = resource();
      await postJson('/api/check-in', { visit: 'w2', name: 'Ana Torres', lang: 'es' });
      await postJson('/api/check-in', { visit: 'w2' });
      const { body } = await postJson('/api/clinic/queue', { visits: ['w2'] });
      expect(body).toMatchObject({ appointments: [{ name: 'Ana Torres', lang: 'es' }] });
    });

    it('says so where the gateway can not be asked', async () => {
      answer = { status: 503, body: { code: 'state-unavailable' } };
      const { status, body } = await postJson('/api/check-in', { visit: 'w3' });
      expect(status).toBe(503);
      expect(body).toMatchObject({ error: { code: 'state-unavailable' } });
      const known = await postJson('/api/clinic/queue', { visits: ['w3'] });
      expect(known.body).toEqual({ appointments: [] });
    });

    it('gives who was turned away no other token, and others one', async () => {
      answer = resource();
      await postJson('/api/check-in', { visit: 'w4' });
      const wanted = { visit: 'w4', role: 'patient', participant: 'page-0123456789abcdef' };
      const { token } = (await postJson('/api/token', wanted)).body as { token: string };
      const participant = decodeJwt(token).sub;
      answer = resource({ participants: [{ participant, leftReason: 'denied' }] });
      expect(await postJson('/api/token', wanted)).toMatchObject({
        status: 403,
        body: { error: { code: 'removed' } },
      });
      const other = { ...wanted, participant: 'page-fedcba9876543210' };
      expect((await postJson('/api/token', other)).status).toBe(200);
    });
  });

  describe('the staff', () => {
    const staff = { staff: 'page-0123456789abcdef', role: 'provider', name: 'Dr. Marsh' };

    it('are on duty with their token, and not once they sign off', async () => {
      const { body } = await postJson('/api/clinic/token', staff);
      expect(decodeJwt(String(body.token))).toMatchObject({
        aud: 'bedside-clinic',
        clinic: 'demo',
        sub: body.person,
      });
      const colleagues = async () =>
        (await postJson('/api/clinic/colleagues', { role: 'provider' })).body.colleagues;
      expect(await colleagues()).toEqual([
        { person: body.person, role: 'provider', name: 'Dr. Marsh' },
      ]);
      await postJson('/api/clinic/off-duty', staff);
      expect(await colleagues()).toEqual([]);
    });

    it('who was slower hears who admitted', async () => {
      const { body } = await postJson('/api/clinic/token', staff);
      answer = {
        status: 200,
        body: { events: [{ type: 'participant-admitted', at: 'x', by: body.person }] },
      };
      const admitted = await (await get('/api/visits/w5/admitted')).json();
      expect(admitted).toEqual({ by: body.person, name: 'Dr. Marsh' });
      expect(asked.at(-1)?.path).toBe('/v1/visits/w5/events');
    });

    it('tell who waits their place in the queue', async () => {
      answer = { status: 200, body: {} };
      asked.splice(0);
      await postJson('/api/clinic/queue', { visits: ['q1', 'q2'] });
      await expect.poll(() => asked).toHaveLength(2);
      expect(asked.map(({ method, path, body }) => [method, path, JSON.parse(body)])).toEqual(
        expect.arrayContaining([
          ['PUT', '/v1/visits/q1/wait', { ahead: 0 }],
          ['PUT', '/v1/visits/q2/wait', { ahead: 1 }],
        ]),
      );
    });
  });

  describe('the summary', () => {
    it('says that there is none of an unknown visit', async () => {
      answer = { status: 404, body: { code: 'not-found' } };
      const response = await get('/api/visits/nobody/summary');
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'not-found' } });
    });
  });

  it('takes a guest’s token for a code, and gives it for the code once', async () => {
    const claims = { iss: config.tenant, aud: 'bedside', sub: 'g', visit: 'v1', role: 'observer' };
    const token = await new SignJWT({ ...claims, exp: 4e9, jti: 'j' })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode('x'.repeat(32)));
    const { code } = (await postJson('/api/guest-links', { token })).body;
    expect(await postJson('/api/guest-links/redeem', { code })).toEqual({
      status: 200,
      body: { token, visit: 'v1', role: 'observer', url: config.gatewayUrl.origin },
    });
    expect((await postJson('/api/guest-links/redeem', { code })).body).toMatchObject({
      error: { code: 'invite-used' },
    });
  });
});
