import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort } from './ports.mjs';
import { defaultPorts, plan, randomSecrets } from './stack.mjs';

const secrets = randomSecrets();
const input = {
  node22: '/node',
  redisDir: '/redis',
  workerBin: '/worker',
  ports: defaultPorts,
  secrets,
  workers: 2,
  logLevel: 'info',
};
const processes = plan(input);

describe('plan()', () => {
  it('gives gateway and node the same control secret, and the portal none', () => {
    expect(processes.node.env.BEDSIDE_CONTROL_SECRET).toBe(secrets.control);
    expect(processes.gateway.env.BEDSIDE_CONTROL_SECRET).toBe(secrets.control);
    expect(JSON.stringify(processes.portal)).not.toContain(secrets.control);
  });

  it('gives gateway and portal the same tenant', () => {
    expect(JSON.parse(processes.gateway.env.BEDSIDE_TENANTS)).toEqual([
      {
        id: processes.portal.env.PORTAL_TENANT,
        secrets: [
          {
            kid: processes.portal.env.PORTAL_TENANT_KID,
            secret: processes.portal.env.PORTAL_TENANT_SECRET,
          },
        ],
        apiKeys: [processes.portal.env.PORTAL_API_KEY],
      },
    ]);
  });

  it('listens on the loopback interface only', () => {
    const text = JSON.stringify(processes);
    expect(text).not.toContain('0.0.0.0');
    expect(processes.redis.args.join(' ')).toContain('--bind 127.0.0.1');
  });

  it('lets pages of the portal connect, and those that are asked for', () => {
    const { gateway } = plan({ ...input, origins: 'http://localhost:3000' });
    const origins = ['http://127.0.0.1:8080', 'http://localhost:8080', 'http://localhost:3000'];
    expect(gateway.env.BEDSIDE_ALLOWED_ORIGINS).toBe(origins.join());
    expect(processes.gateway.env.BEDSIDE_ALLOWED_ORIGINS).toBe(origins.slice(0, 2).join());
  });

  it('makes other secrets each time', () => {
    expect(randomSecrets().control).not.toBe(secrets.control);
  });
});

describe('freePort()', () => {
  it('passes over ports that are taken, promised, or too few in a row', async () => {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    try {
      expect(await freePort(port)).toBeGreaterThan(port);
      expect(await freePort(port - 1, { count: 2, udp: true })).toBeGreaterThan(port);
      const next = await freePort(port);
      expect(await freePort(port, { taken: new Set([next]) })).toBeGreaterThan(next);
    } finally {
      server.close();
    }
  });
});
