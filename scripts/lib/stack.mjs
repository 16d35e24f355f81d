/**
 * The whole product on one machine: Redis, a node, a gateway and the demo portal. `npm start`, the
 * end-to-end tests and the benchmarks run the same one; cluster.mjs has several of each.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fleet } from './fleet.mjs';
import { logDir as logDirOf } from './paths.mjs';
import { freePort } from './ports.mjs';
import * as processes from './processes.mjs';
import { answers, host, randomSecrets, redisAnswers } from './processes.mjs';

export { randomSecrets };

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

/**
 * Which processes run, with which arguments and environment. Pure.
 *
 * @returns {Record<'redis'|'node'|'gateway'|'portal', import('./processes.mjs').Spec>}
 */
export function plan({
  node22,
  redisServer,
  redisDir,
  workerBin,
  ports,
  secrets,
  workers,
  origins,
  logLevel,
}) {
  const redisUrl = `redis://${host}:${ports.redis}`;
  const common = { node22, ports, redisUrl, secrets, logLevel };
  return {
    redis: processes.redis({ redisServer, redisDir, port: ports.redis }),
    node: processes.node({ ...common, workerBin, workers }),
    gateway: processes.gateway({ ...common, origins }),
    portal: processes.portal({
      node22,
      port: ports.portal,
      gatewayUrl: `http://${host}:${ports.gateway}`,
      secrets,
      logLevel,
    }),
  };
}

/** Who is used goes first, and is stopped last. */
const groups = { redis: 0, node: 1, gateway: 2, portal: 3 };

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
    origins: process.env.BEDSIDE_ALLOWED_ORIGINS,
    logLevel: process.env.BEDSIDE_LOG_LEVEL ?? 'info',
  });

  const fleet = new Fleet({ logDir, log, restart });
  const running = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      fleet.add(groups[name], name, spec, ready[name], extra[name]),
    ]),
  );
  const stop = async () => {
    await fleet.stop();
    rmSync(redisDir, { recursive: true, force: true });
  };
  try {
    await fleet.start({ wanted: (name) => only.includes(name), deadline, signal });
  } catch (error) {
    await stop();
    throw error;
  }
  return { urls, ports, secrets, processes: running, logDir, stop };
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
