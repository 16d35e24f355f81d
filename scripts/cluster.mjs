/**
 * `npm run cluster`: two gateways behind HAProxy, three nodes, Redis and the demo portal on one machine,
 * until Ctrl-C. Installs what is missing first. Each gateway, each node and Redis has a network namespace of its own
 * where that can be, and a loopback address where not, or with `--loopback`.
 */
import { randomBytes } from 'node:crypto';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { startCluster } from './lib/cluster.mjs';
import { buildSdk, untilAskedToStop } from './lib/demo.mjs';
import { keysFile, writeKeys } from './lib/keys.mjs';
import { networkProblem } from './lib/namespaces.mjs';
import { node22, root } from './lib/paths.mjs';
import { step } from './lib/progress.mjs';
import { ensure } from './setup.mjs';

const { loopback } = options();
const env = await ensure({ uses: ['balancer'] });

await untilAskedToStop(async (say, signal) => {
  await buildSdk(env);
  const problem = loopback ? 'asked for by --loopback' : networkProblem();
  const namespaces = problem === undefined;
  const cluster = await step('Starting', (detail) =>
    startCluster({
      node22,
      workerBin: env.MEDIASOUP_WORKER_BIN,
      namespaces,
      log: say,
      detail,
      signal,
    }),
  );
  const keys = relative(root, keysFile(cluster.logDir));
  const removeKeys = writeKeys(keysFile(cluster.logDir), cluster);
  const portal = `${cluster.urls.portal.replace('127.0.0.1', 'localhost')}/`;
  const visit = `visit-${randomBytes(4).toString('hex')}`;
  const links = ['patient', 'provider'].map(
    (role) => `    ${role.padEnd(10)}${portal}?visit=${visit}&role=${role}`,
  );
  const member = ({ id, url, opsUrl, process }) =>
    `    ${id.padEnd(11)}${url.padEnd(26)}health and metrics: ${opsUrl}   pid ${process.pid}`;
  const [gateway] = cluster.gateways;
  const [node] = cluster.nodes;
  const redis = new URL(cluster.urls.redis);
  const where = namespaces
    ? `Each gateway, each node and Redis is in a network namespace of its own (ip netns).`
    : `All are at loopback addresses: ${problem}.`;
  const cuts = namespaces
    ? `\n    ip link set ${node.namespace.link} down; sleep 10; ip link set ${node.namespace.link} up      a node that nobody gets through to`
    : '';
  say(`
  ${where}

  One visit, a link for each; open them in tabs of their own:
${links.join('\n')}

  Portal     ${portal}     clinic: ${portal}clinic
  Balancer   ${cluster.urls.gateway}     HAProxy by deploy/haproxy/haproxy.cfg; pid ${cluster.balancer.pid}
  Gateways
${cluster.gateways.map(member).join('\n')}
  Nodes
${cluster.nodes.map(member).join('\n')}
  Redis      redis://${redis.host}     pid ${cluster.redis.pid}
  Logs       ${relative(root, cluster.logDir)}/
  Keys       ${keys}

  To try, with the visit open in two tabs; what was killed is started again by itself:
    kill -9 ${node.process.pid}      a node: its visits go on at another one
    kill -9 ${gateway.process.pid}      a gateway: sound and picture go on, another one takes its visits over
    kill -STOP ${gateway.process.pid}; sleep 20; kill -CONT ${gateway.process.pid}      a gateway that lost its visits meanwhile
    kill -9 ${cluster.redis.pid}      Redis: visits under way go on
    (set -a; . ${keys}; npm run bedside -- drain ${node.id})      a node: its visits go on at another one${cuts}
  Measured, by faults on a cluster of its own: npm run drill

  Ctrl-C stops everything
`);
  return {
    async stop() {
      removeKeys();
      await cluster.stop();
    },
  };
});

function options() {
  try {
    const { values } = parseArgs({ options: { loopback: { type: 'boolean', default: false } } });
    return values;
  } catch (error) {
    process.stderr.write(
      `${error.message}\n\nnpm run cluster [-- --loopback]\n  --loopback  at loopback addresses, also where network namespaces can be had\n`,
    );
    process.exit(2);
  }
}
