/**
 * How each process of the product is started: its command, arguments and environment. Pure, but for the
 * ways to see whether one is ready: this is the contract between the scripts and the services, in one place.
 *
 * @typedef {{ command: string, args: string[], env: Record<string, string> }} Spec
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { root as here } from './paths.mjs';

export const host = '127.0.0.1';

/**
 * Our processes hold much that lives for long and make little garbage, so V8 may be thrifty: its young
 * generation, which by default grows to three times 16 MB and stays, and the heap that it lets grow by
 * up to four times before it collects. docs/operations.md gives the figures.
 */
const nodeFlags = ['--max-semi-space-size=2', '--heap-growing-percent=20'];

const development = (logLevel) => ({ NODE_ENV: 'development', BEDSIDE_LOG_LEVEL: logLevel });

/** Fresh for each start: nothing that a demo hands out is good anywhere else. */
export function randomSecrets() {
  const secret = () => randomBytes(32).toString('base64url');
  return {
    control: secret(),
    guest: secret(),
    redis: secret(),
    apiKey: secret(),
    tenant: { id: 'demo', kid: 'demo-1', secret: secret() },
  };
}

/** @returns {Spec} Nothing on the disk: it holds a demo's or a test's visits. `configFile`: more settings. */
export function redis({
  redisServer = 'redis-server',
  redisDir,
  configFile,
  host: at = host,
  port,
}) {
  const options = {
    bind: at,
    port: String(port),
    dir: redisDir,
    save: '',
    appendonly: 'no',
    daemonize: 'no',
  };
  return {
    command: redisServer,
    args: [
      ...(configFile ? [configFile] : []),
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    env: {},
  };
}

/**
 * @returns {Spec} `url`: where gateways reach it, if not at its own address. `pipes`: the network in which nodes
 *   have pipes, where that is not loopback. `root`: of the checkout that it runs.
 */
export function node({
  root = here,
  node22,
  id = 'node-1',
  host: at = host,
  ports,
  url,
  redisUrl,
  secrets,
  pipes,
  workerBin,
  workers,
  logLevel,
}) {
  return {
    command: node22,
    args: [...nodeFlags, join(root, 'sfu', 'src', 'main.ts')],
    env: {
      ...development(logLevel),
      BEDSIDE_NODE_ID: id,
      BEDSIDE_NODE_HOST: at,
      BEDSIDE_NODE_PORT: String(ports.node),
      BEDSIDE_NODE_OPS_PORT: String(ports.nodeOps),
      ...(url ? { BEDSIDE_NODE_URL: url } : {}),
      BEDSIDE_MEDIA_PORT: String(ports.media),
      BEDSIDE_MEDIA_LISTEN_IP: at,
      ...(pipes ? { BEDSIDE_PIPE_LISTEN_IP: at, BEDSIDE_PIPE_PEERS: pipes } : {}),
      BEDSIDE_WORKERS: String(workers),
      BEDSIDE_REDIS_URL: redisUrl,
      BEDSIDE_CONTROL_SECRET: secrets.control,
      MEDIASOUP_WORKER_BIN: workerBin,
    },
  };
}

/**
 * @returns {Spec} The id is the same after a restart, so that it takes its visits up again at once.
 *   `proxies`: from where a balancer comes. `origins`: more that may connect, with commas. `root`: of
 *   the checkout that it runs.
 */
export function gateway({
  root = here,
  node22,
  id = 'gateway-1',
  host: at = host,
  ports,
  redisUrl,
  secrets,
  proxies,
  origins = '',
  logLevel,
}) {
  return {
    command: node22,
    args: [...nodeFlags, join(root, 'signaling', 'src', 'main.ts')],
    env: {
      ...development(logLevel),
      BEDSIDE_GATEWAY_ID: id,
      BEDSIDE_GATEWAY_HOST: at,
      BEDSIDE_GATEWAY_PORT: String(ports.gateway),
      BEDSIDE_GATEWAY_OPS_PORT: String(ports.gatewayOps),
      BEDSIDE_REDIS_URL: redisUrl,
      BEDSIDE_CONTROL_SECRET: secrets.control,
      BEDSIDE_GUEST_SECRET: secrets.guest,
      BEDSIDE_TENANTS: JSON.stringify([
        {
          id: secrets.tenant.id,
          secrets: [{ kid: secrets.tenant.kid, secret: secrets.tenant.secret }],
          apiKeys: [secrets.apiKey],
        },
      ]),
      BEDSIDE_ALLOWED_ORIGINS: [
        `http://${host}:${ports.portal}`,
        `http://localhost:${ports.portal}`,
        ...(origins ? [origins] : []),
      ].join(),
      ...(proxies ? { BEDSIDE_TRUSTED_PROXIES: proxies } : {}),
    },
  };
}

/** @returns {Spec} `gatewayUrl`: where browsers and the portal itself reach a gateway. */
export function portal({ node22, port, gatewayUrl, secrets, logLevel }) {
  return {
    command: node22,
    args: [join(here, 'examples', 'portal', 'server.ts')],
    env: {
      ...development(logLevel),
      PORTAL_HOST: host,
      PORTAL_PORT: String(port),
      PORTAL_GATEWAY_URL: gatewayUrl,
      PORTAL_TENANT: secrets.tenant.id,
      PORTAL_TENANT_KID: secrets.tenant.kid,
      PORTAL_TENANT_SECRET: secrets.tenant.secret,
      PORTAL_API_KEY: secrets.apiKey,
    },
  };
}

/** @returns {Spec} `program`: HAProxy; `configFile`: see balancerConfig(). */
export function balancer({ program, configFile }) {
  return { command: program, args: ['-db', '-f', configFile], env: {} };
}

const SERVER = /^ {4}server .*\n/m;

/**
 * deploy/haproxy/haproxy.cfg with other addresses. Pure.
 *
 * @param {string} shipped its text
 * @param {{ listen: string, gateways: { id: string, address: string, opsHost?: string, opsPort: number }[] }} here
 *   addresses as "host:port"; `opsHost` where each is not checked at its own
 */
export function balancerConfig(shipped, { listen, gateways }) {
  const servers = gateways
    .map(
      ({ id, address, opsHost, opsPort }, index) =>
        `    server ${id} ${address} id ${index + 1} check${opsHost ? ` addr ${opsHost}` : ''} port ${opsPort}\n`,
    )
    .join('');
  // The first server of each list stands for the list.
  return shipped
    .replace(/^ {4}bind .*$/m, `    bind ${listen}`)
    .replaceAll(new RegExp(`(?:${SERVER.source})+`, 'gm'), servers);
}

/** Whether a health check is answered with success. */
export async function answers(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

export function redisAnswers(port, at = host, password = undefined) {
  return new Promise((resolve) => {
    const socket = connect({ host: at, port });
    const auth = password === undefined ? '' : `AUTH ${password}\r\n`;
    let answer = '';
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('connect', () => socket.write(`${auth}PING\r\n`));
    socket.on('data', (data) => {
      answer += data;
      if (answer.endsWith('+PONG\r\n')) resolve(true);
      if (/^\+PONG|^-/m.test(answer)) socket.destroy();
    });
    socket.once('error', () => {});
    socket.once('close', () => resolve(false));
  });
}
