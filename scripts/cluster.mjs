/**
 * `npm run cluster`: two gateways behind HAProxy, three nodes, Redis and the demo portal on one machine,
 * until Ctrl-C. Installs what is missing first.
 */
import { randomBytes } from 'node:crypto';
import { relative } from 'node:path';
import { startCluster } from './lib/cluster.mjs';
import { buildSdk, untilAskedToStop } from './lib/demo.mjs';
import { keysFile, writeKeys } from './lib/keys.mjs';
import { node22, root } from './lib/paths.mjs';
import { step } from './lib/progress.mjs';
import { ensure } from './setup.mjs';

const env = await ensure({ uses: ['balancer'] });

await untilAskedToStop(async (say, signal) => {
  await buildSdk(env);
  const cluster = await step('Starting', (detail) =>
    startCluster({ node22, workerBin: env.MEDIASOUP_WORKER_BIN, log: say, detail, signal }),
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
  say(`
  One visit, a link for each; open them in tabs of their own:
${links.join('\n')}

  Portal     ${portal}     clinic: ${portal}clinic
  Balancer   ${cluster.urls.gateway}     HAProxy by deploy/haproxy/haproxy.cfg; pid ${cluster.balancer.pid}
  Gateways
${cluster.gateways.map(member).join('\n')}
  Nodes
${cluster.nodes.map(member).join('\n')}
  Redis      ${cluster.urls.redis}     pid ${cluster.redis.pid}
  Logs       ${relative(root, cluster.logDir)}/
  Keys       ${keys}

  To try, with the visit open in two tabs; what was killed is started again by itself:
    kill -9 ${node.process.pid}      a node: its visits go on at another one
    kill -9 ${gateway.process.pid}      a gateway: sound and picture go on, another one takes its visits over
    kill -STOP ${gateway.process.pid}; sleep 20; kill -CONT ${gateway.process.pid}      a gateway that lost its visits meanwhile
    kill -9 ${cluster.redis.pid}      Redis: visits under way go on
    (set -a; . ${keys}; npm run bedside -- drain ${node.id})      a node: its visits go on at another one
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
