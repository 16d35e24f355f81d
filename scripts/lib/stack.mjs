/**
 * The whole product on one machine: Redis, a node, a gateway and the demo portal. `npm start`, the
 * end-to-end tests and the benchmarks run the same one.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { logDir as logDirOf, root } from './paths.mjs';
import { freePort } from './ports.mjs';
import { Supervised } from './supervisor.mjs';

/** Ports that are taken when they are free; see docs: they are what people type. */
export const defaultPorts = Object.freeze({
  redis: 6390,
  gateway: 7000,
  gatewayOps: 7001,
  node: 7100,
  nodeOps: 7101,
  media: 7200,
  portal: 8080,
});

const host = '127.0.0.1';

/**
 * Our processes hold much that lives for long and make little garbage, so V8 may be thrifty: its young
 * generation, which by default grows to three times 16 MB and stays, and the heap that it lets grow by
 * up to four times before it collects. docs/operations.md gives the figures.
 */
const nodeFlags = ['--max-semi-space-size=2', '--heap-growing-percent=20'];

/** Fresh for each start: nothing that a demo hands out is good anywhere else. */
export function randomSecrets() {
  const secret = () => randomBytes(32).toString('base64url');
  return {
    control: secret(),
    apiKey: secret(),
    tenant: { id: 'demo', kid: 'demo-1', secret: secret() },
  };
}

/**
 * Which processes run, with which arguments and environment. Pure: this is the contract between the
 * scripts and the services, in one place.
 *
 * @returns {Record<'redis'|'node'|'gateway'|'portal', { command: string, args: string[], env: Record<string, string> }>}
 */
export function plan({
  node22,
  redisServer = 'redis-server',
  redisDir,
  workerBin,
  ports,
  secrets,
  workers,
  logLevel,
}) {
  const common = { NODE_ENV: 'development', BEDSIDE_LOG_LEVEL: logLevel };
  return {
    redis: {
      command: redisServer,
      // Loopback only and nothing on the disk: it holds a demo's or a test's visits.
      args: [
        '--bind',
        host,
        '--port',
        String(ports.redis),
        '--dir',
        redisDir,
        '--save',
        '',
        '--appendonly',
        'no',
        '--daemonize',
        'no',
      ],
      env: {},
    },
    node: {
      command: node22,
      args: [...nodeFlags, join(root, 'sfu', 'src', 'main.ts')],
      env: {
        ...common,
        BEDSIDE_NODE_ID: 'node-1',
        BEDSIDE_NODE_HOST: host,
        BEDSIDE_NODE_PORT: String(ports.node),
        BEDSIDE_NODE_OPS_PORT: String(ports.nodeOps),
        BEDSIDE_MEDIA_PORT: String(ports.media),
        BEDSIDE_MEDIA_LISTEN_IP: host,
        BEDSIDE_WORKERS: String(workers),
        BEDSIDE_REDIS_URL: `redis://${host}:${ports.redis}`,
        BEDSIDE_CONTROL_SECRET: secrets.control,
        MEDIASOUP_WORKER_BIN: workerBin,
      },
    },
    gateway: {
      command: node22,
      args: [...nodeFlags, join(root, 'signaling', 'src', 'main.ts')],
      env: {
        ...common,
        // The same after a restart, so that it takes its visits up again at once.
        BEDSIDE_GATEWAY_ID: 'gateway-1',
        BEDSIDE_GATEWAY_HOST: host,
        BEDSIDE_GATEWAY_PORT: String(ports.gateway),
        BEDSIDE_GATEWAY_OPS_PORT: String(ports.gatewayOps),
        BEDSIDE_REDIS_URL: `redis://${host}:${ports.redis}`,
        BEDSIDE_CONTROL_SECRET: secrets.control,
        BEDSIDE_TENANTS: JSON.stringify([
          {
            id: secrets.tenant.id,
            secrets: [{ kid: secrets.tenant.kid, secret: secrets.tenant.secret }],
            apiKeys: [secrets.apiKey],
          },
        ]),
        BEDSIDE_ALLOWED_ORIGINS: `http://${host}:${ports.portal},http://localhost:${ports.portal}`,
      },
    },
    portal: {
      command: node22,
      args: [join(root, 'examples', 'portal', 'server.ts')],
      env: {
        ...common,
        PORTAL_HOST: host,
        PORTAL_PORT: String(ports.portal),
        PORTAL_GATEWAY_URL: `http://${host}:${ports.gateway}`,
        PORTAL_TENANT: secrets.tenant.id,
        PORTAL_TENANT_KID: secrets.tenant.kid,
        PORTAL_TENANT_SECRET: secrets.tenant.secret,
        PORTAL_API_KEY: secrets.apiKey,
      },
    },
  };
}

/**
 * Starts the stack and resolves when every process is ready.
 *
 * @param {import('./stack.mjs').StackOptions} options
 * @returns {Promise<import('./stack.mjs').Stack>}
 */
export async function startStack({
  node22,
  workerBin,
  log = () => {},
  ports: wanted = {},
  only = ['redis', 'node', 'gateway', 'portal'],
  env: extra = {},
  workers = Number(process.env.BEDSIDE_WORKERS) || availableParallelism(),
  logDir: wantedLogDir,
  restart = true,
  deadline = 60_000,
  signal,
}) {
  const ports = await choosePorts({ ...defaultPorts, ...wanted }, workers);
  const logDir = wantedLogDir ?? logDirOf(ports.portal, defaultPorts.portal);
  const secrets = randomSecrets();
  const redisDir = mkdtempSync(join(tmpdir(), 'bedside-redis-'));
  const urls = {
    portal: `http://${host}:${ports.portal}`,
    gateway: `http://${host}:${ports.gateway}`,
    gatewayOps: `http://${host}:${ports.gatewayOps}`,
    node: `ws://${host}:${ports.node}`,
    nodeOps: `http://${host}:${ports.nodeOps}`,
    redis: `redis://${host}:${ports.redis}`,
  };
  const ready = {
    redis: () => redisAnswers(ports.redis),
    node: () => answers(`${urls.nodeOps}/readyz`),
    gateway: () => answers(`${urls.gatewayOps}/readyz`),
    portal: () => answers(`${urls.portal}/`),
  };
  const specs = plan({
    node22,
    redisDir,
    workerBin,
    ports,
    secrets,
    workers,
    logLevel: process.env.BEDSIDE_LOG_LEVEL ?? 'info',
  });

  const processes = {};
  for (const [name, spec] of Object.entries(specs)) {
    processes[name] = new Supervised(
      {
        name,
        cwd: root,
        logFile: join(logDir, `${name}.log`),
        restart,
        ready: ready[name],
        command: spec.command,
        args: spec.args,
        env: { ...process.env, ...spec.env, ...extra[name] },
      },
      log,
    );
  }

  let stopped;
  const stop = () => {
    stopped ??= (async () => {
      // Against the direction of use: who is used goes last.
      for (const name of ['portal', 'gateway', 'node', 'redis']) {
        await processes[name].stop();
        processes[name].close();
      }
      rmSync(redisDir, { recursive: true, force: true });
    })();
    return stopped;
  };

  const start = async () => {
    if (only.includes('redis')) {
      processes.redis.start();
      await processes.redis.untilReady(deadline);
    }
    const rest = only.filter((name) => name !== 'redis').map((name) => processes[name]);
    for (const child of rest) child.start();
    await Promise.all(rest.map((child) => child.untilReady(deadline)));
  };
  try {
    await (signal ? Promise.race([start(), aborted(signal)]) : start());
  } catch (error) {
    await stop();
    throw error;
  }
  return { urls, ports, secrets, processes, logDir, stop };
}

/** Rejects when the signal is aborted. */
function aborted(signal) {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** One port for each use, none given twice. */
async function choosePorts(wanted, workers) {
  const taken = new Set();
  const ports = {};
  for (const [name, from] of Object.entries(wanted)) {
    const count = name === 'media' ? workers : 1;
    const port = await freePort(from, { count, udp: name === 'media', taken });
    for (let i = 0; i < count; i += 1) taken.add(port + i);
    ports[name] = port;
  }
  return ports;
}

async function answers(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

function redisAnswers(port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      resolve(data.toString().startsWith('+PONG'));
      socket.destroy();
    });
    socket.once('error', () => {});
    socket.once('close', () => resolve(false));
  });
}
