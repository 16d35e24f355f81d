/**
 * Several gateways behind HAProxy, several nodes, Redis and the demo portal, as processes on one machine:
 * `npm run cluster`, the fault drills and their tests run the same one. Nodes and gateways find each other
 * in Redis, as in production. Each is at a loopback address or in a network namespace of its own.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fleet } from './fleet.mjs';
import { LoopbackHosts, NamespaceHosts } from './hosts.mjs';
import { root as here, stateDir } from './paths.mjs';
import * as processes from './processes.mjs';
import { answers, randomSecrets, redisAnswers } from './processes.mjs';
import { defaultPorts } from './stack.mjs';
import { haproxy } from './system-packages.mjs';

/**
 * Starts the cluster and resolves when every process is ready.
 *
 * @param {import('./cluster.mjs').ClusterOptions} options
 * @returns {Promise<import('./cluster.mjs').RunningCluster>}
 */
export async function startCluster({
  namespaces = false,
  log = () => {},
  logDir = join(stateDir, 'logs-cluster'),
  restart = true,
  ...options
}) {
  const hosts = namespaces ? await NamespaceHosts.open() : new LoopbackHosts();
  const dir = mkdtempSync(join(tmpdir(), 'bedside-cluster-'));
  const fleet = new Fleet({ logDir, log, restart });
  const stop = async () => {
    await fleet.stop();
    hosts.close();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    return { ...(await startOn({ hosts, dir, fleet }, options)), logDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startOn(
  { hosts, dir, fleet },
  {
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
    detail,
    deadline = 60_000,
    signal,
  },
) {
  const from = { ...defaultPorts, ...wanted };
  const logLevel = process.env.BEDSIDE_LOG_LEVEL ?? 'info';
  const secrets = randomSecrets();
  const urlOfRedis = ({ host, port }) => `redis://:${secrets.redis}@${host}:${port}`;
  const redisUrlFor = async (name) => urlOfRedis(await way(name, 'redis', redisAddress));
  const addNode = async (index) => {
    const id = `node-${index + 1}`;
    const host = await hosts.node();
    const at = host.address;
    const ports = {
      node: await host.port(from.node),
      nodeOps: await host.port(from.nodeOps),
      media: await host.port(from.media, { count: workers, udp: true }),
    };
    const reached = await way('gateways', id, { host: at, port: ports.node });
    const url = `ws://${at}:${ports.node}`;
    const opsUrl = `http://${at}:${ports.nodeOps}`;
    const redisUrl = await redisUrlFor(id);
    const specOf = (root) =>
      host.inside(
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
            pipes: hosts.pipes,
            workerBin,
            workers,
            logLevel,
          }),
        ),
      );
    const ready = () => answers(`${opsUrl}/readyz`);
    const child = fleet.add(1, id, specOf(root), ready, env.node);
    return {
      id,
      url,
      opsUrl,
      mediaPort: ports.media,
      namespace: host.namespace,
      process: child,
      runFrom: (other) => child.change(specOf(other)),
    };
  };
  const addGateway = async (id, more = {}) => {
    const host = await hosts.gateway();
    const at = host.address;
    const ports = {
      gateway: await host.port(from.gateway),
      gatewayOps: await host.port(from.gatewayOps),
      portal: portalPort,
    };
    const address = `${at}:${ports.gateway}`;
    const opsUrl = `http://${at}:${ports.gatewayOps}`;
    const redisUrl = await redisUrlFor(id);
    const specOf = (root) =>
      host.inside(
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
            proxies: hosts.balancer,
            origins: process.env.BEDSIDE_ALLOWED_ORIGINS,
            logLevel,
          }),
        ),
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
      namespace: host.namespace,
      process: child,
      runFrom: (other) => child.change(specOf(other)),
    };
  };

  const machine = hosts.here;
  const redisHost = await hosts.redis();
  const redisAddress = { host: redisHost.address, port: await redisHost.port(from.redis) };
  const portalPort = await machine.port(from.portal);
  // Not on the command line, which everybody on the machine can see.
  const redisConfig = join(dir, 'redis.conf');
  writeFileSync(redisConfig, `requirepass ${secrets.redis}\n`, { mode: 0o600 });
  const redis = fleet.add(
    0,
    'redis',
    redisHost.inside(processes.redis({ redisDir: dir, configFile: redisConfig, ...redisAddress })),
    () => redisAnswers(redisAddress.port, redisAddress.host, secrets.redis),
    env.redis,
  );
  const nodes = [];
  for (let index = 0; index < nodeCount; index += 1) nodes.push(await addNode(index));
  const gateways = [];
  for (let index = 0; index < gatewayCount; index += 1)
    gateways.push(await addGateway(`gateway-${index + 1}`));
  const url = `http://${machine.address}:${await machine.port(from.gateway)}`;
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
    redis: urlOfRedis(redisAddress),
    portal: `http://${machine.address}:${portalPort}`,
  };
  const portal = fleet.add(
    3,
    'portal',
    processes.portal({ node22, port: portalPort, gatewayUrl: url, secrets, logLevel }),
    () => answers(`${urls.portal}/`),
  );

  const options = { deadline, signal, detail };
  const isWanted = (name) => name !== 'haproxy' && (name !== 'portal' || withPortal);
  await fleet.start({ ...options, wanted: isWanted });
  // It finds all gateways up: none of them gets visits that are another's by the hash.
  if (withBalancer) await fleet.start({ ...options, wanted: (name) => name === 'haproxy' });
  return {
    urls,
    secrets,
    redis,
    nodes,
    gateways,
    balancer,
    portal,
    network: hosts.network && { machine: hosts.network, redis: redisHost.namespace },
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
