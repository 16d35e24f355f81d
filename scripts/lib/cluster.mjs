/**
 * Several gateways behind HAProxy, several nodes, Redis and the demo portal, as processes on one machine:
 * `npm run cluster`, the fault drills and their tests run the same one. Nodes and gateways find each other
 * in Redis, as in production.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fleet } from './fleet.mjs';
import { root as here, stateDir } from './paths.mjs';
import { freePort } from './ports.mjs';
import * as processes from './processes.mjs';
import { answers, host, randomSecrets, redisAnswers } from './processes.mjs';
import { defaultPorts } from './stack.mjs';
import { haproxy } from './system-packages.mjs';

/** Each process at an address of its own, as if on a host of its own, where the system has them all. */
const isLinux = process.platform === 'linux';
const nodeHost = (index) => (isLinux ? `127.0.1.${index + 1}` : host);
const gatewayHost = (index) => (isLinux ? `127.0.2.${index + 1}` : host);

/**
 * Starts the cluster and resolves when every process is ready.
 *
 * @param {import('./cluster.mjs').ClusterOptions} options
 * @returns {Promise<import('./cluster.mjs').RunningCluster>}
 */
export async function startCluster({
  node22,
  workerBin,
  gateways: gatewayCount = 2,
  nodes: nodeCount = 3,
  workers = 1,
  withBalancer = true,
  withPortal = true,
  ports: wanted = {},
  env = {},
  way = async (_from, _to, address) => address,
  root,
  output = () => undefined,
  log = () => {},
  detail,
  logDir = join(stateDir, 'logs-cluster'),
  restart = true,
  deadline = 60_000,
  signal,
}) {
  const from = { ...defaultPorts, ...wanted };
  const taken = new Map();
  /** The first free ones at that address, none given twice. */
  const take = async (at, use, count = 1) => {
    const promised = taken.get(at) ?? new Set();
    taken.set(at, promised);
    const udp = use === 'media';
    const port = await freePort(from[use], { count, udp, host: at, taken: promised });
    for (let i = 0; i < count; i += 1) promised.add(port + i);
    return port;
  };

  const logLevel = process.env.BEDSIDE_LOG_LEVEL ?? 'info';
  const secrets = randomSecrets();
  const dir = mkdtempSync(join(tmpdir(), 'bedside-cluster-'));
  const fleet = new Fleet({ logDir, log, restart });
  const redisUrlFor = async (name) => {
    const there = await way(name, 'redis', { host, port: redisPort });
    return `redis://${there.host}:${there.port}`;
  };
  const addNode = async (index) => {
    const id = `node-${index + 1}`;
    const at = nodeHost(index);
    const ports = {
      node: await take(at, 'node'),
      nodeOps: await take(at, 'nodeOps'),
      media: await take(at, 'media', workers),
    };
    const reached = await way('gateways', id, { host: at, port: ports.node });
    const url = `ws://${at}:${ports.node}`;
    const opsUrl = `http://${at}:${ports.nodeOps}`;
    const redisUrl = await redisUrlFor(id);
    const specOf = (root) =>
      into(
        output(id),
        processes.node({
          root,
          node22,
          id,
          host: at,
          ports,
          url: `ws://${reached.host}:${reached.port}`,
          redisUrl,
          secrets,
          workerBin,
          workers,
          logLevel,
        }),
      );
    const ready = () => answers(`${opsUrl}/readyz`);
    const child = fleet.add(1, id, specOf(root), ready, env.node);
    return {
      id,
      url,
      opsUrl,
      mediaPort: ports.media,
      process: child,
      runFrom: (other) => child.change(specOf(other)),
    };
  };
  let gatewayHosts = 0;
  const addGateway = async (id, more = {}) => {
    const index = gatewayHosts;
    gatewayHosts += 1;
    const at = gatewayHost(index);
    const ports = {
      gateway: await take(at, 'gateway'),
      gatewayOps: await take(at, 'gatewayOps'),
      portal: portalPort,
    };
    const address = `${at}:${ports.gateway}`;
    const opsUrl = `http://${at}:${ports.gatewayOps}`;
    const redisUrl = await redisUrlFor(id);
    const specOf = (root) =>
      into(
        output(id),
        processes.gateway({
          root,
          node22,
          id,
          host: at,
          ports,
          redisUrl,
          secrets,
          balanced: true,
          origins: process.env.BEDSIDE_ALLOWED_ORIGINS,
          logLevel,
        }),
      );
    const child = fleet.add(2, id, specOf(root), () => answers(`${opsUrl}/readyz`), {
      ...env.gateway,
      ...more,
    });
    return {
      id,
      url: `http://${address}`,
      opsUrl,
      listens: { host: at, port: ports.gateway, opsPort: ports.gatewayOps },
      process: child,
      runFrom: (other) => child.change(specOf(other)),
    };
  };

  const redisPort = await take(host, 'redis');
  const portalPort = await take(host, 'portal');
  const redis = fleet.add(
    0,
    'redis',
    processes.redis({ redisDir: dir, port: redisPort }),
    () => redisAnswers(redisPort),
    env.redis,
  );
  const nodes = [];
  for (let index = 0; index < nodeCount; index += 1) nodes.push(await addNode(index));
  const gateways = [];
  for (let index = 0; index < gatewayCount; index += 1)
    gateways.push(await addGateway(`gateway-${index + 1}`));
  const url = `http://${host}:${await take(host, 'gateway')}`;
  const balanced = await Promise.all(
    gateways.map(async ({ id, listens: { host: at, port, opsPort } }) => {
      const clients = await way('balancer', id, { host: at, port });
      const ops = await way('balancer', `${id} ops`, { host: at, port: opsPort });
      return {
        id,
        address: `${clients.host}:${clients.port}`,
        opsHost: ops.host,
        opsPort: ops.port,
      };
    }),
  );
  const configFile = join(dir, 'haproxy.cfg');
  const shipped = readFileSync(join(here, 'deploy', 'haproxy', 'haproxy.cfg'), 'utf8');
  writeFileSync(
    configFile,
    processes.balancerConfig(shipped, { listen: new URL(url).host, gateways: balanced }),
  );
  // Ready once it has seen a gateway, which answers that it knows no such page.
  const balancer = fleet.add(
    3,
    'haproxy',
    processes.balancer({ program: haproxy() ?? 'haproxy', configFile }),
    () => reaches(url),
  );
  const urls = {
    gateway: url,
    redis: `redis://${host}:${redisPort}`,
    portal: `http://${host}:${portalPort}`,
  };
  const portal = fleet.add(
    3,
    'portal',
    processes.portal({ node22, port: portalPort, gatewayUrl: url, secrets, logLevel }),
    () => answers(`${urls.portal}/`),
  );

  const stop = async () => {
    await fleet.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const options = { deadline, signal, detail };
    const isWanted = (name) => name !== 'haproxy' && (name !== 'portal' || withPortal);
    await fleet.start({ ...options, wanted: isWanted });
    // It finds all gateways up: none of them gets visits that are another's by the hash.
    if (withBalancer) await fleet.start({ ...options, wanted: (name) => name === 'haproxy' });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    urls,
    secrets,
    redis,
    nodes,
    gateways,
    balancer,
    portal,
    logDir,
    stop,
    async addGateway(id, more) {
      const gateway = await addGateway(id, more);
      gateway.process.start();
      await gateway.process.untilReady(deadline);
      return gateway;
    },
  };
}

/** The same, with its standard output in a file, where one is named. */
const into = (file, spec) =>
  file === undefined
    ? spec
    : {
        ...spec,
        command: 'sh',
        args: ['-c', 'exec "$@" >>"$0"', file, spec.command, ...spec.args],
      };

/** Whether a gateway answers there, whatever it says. */
async function reaches(url) {
  try {
    const answer = await fetch(`${url}/`, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.status !== 503;
  } catch {
    return false;
  }
}
