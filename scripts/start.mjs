/**
 * `npm start`: everything on one machine, until Ctrl-C. Installs what is missing first.
 */
import { randomBytes } from 'node:crypto';
import { relative } from 'node:path';
import { buildSdk, untilAskedToStop } from './lib/demo.mjs';
import { keysFile, writeKeys } from './lib/keys.mjs';
import { node22, root } from './lib/paths.mjs';
import { step } from './lib/progress.mjs';
import { startStack } from './lib/stack.mjs';
import { ensure } from './setup.mjs';

const env = await ensure();

await untilAskedToStop(async (say, signal) => {
  await buildSdk(env);
  const stack = await step('Starting', () =>
    startStack({ node22, workerBin: env.MEDIASOUP_WORKER_BIN, log: say, signal }),
  );
  const keys = keysFile(stack.logDir);
  const removeKeys = writeKeys(keys, stack);
  const portal = `http://localhost:${stack.ports.portal}/`;
  // One visit for all four: a tab that opens the bare address begins a visit of its own.
  const visit = `visit-${randomBytes(4).toString('hex')}`;
  const links = ['patient', 'provider', 'interpreter', 'specialist'].map(
    (role) => `    ${role.padEnd(13)}${portal}?visit=${visit}&role=${role}`,
  );
  say(`
  One visit, a link for each; open them in tabs of their own:
${links.join('\n')}

  Portal   ${portal}     a clinic to try: waiting room, interpreters and specialists on call
           ${portal}clinic     its providers' day
           ${portal}on-call    who can be called in
  Gateway  ${stack.urls.gateway}      health and metrics: ${stack.urls.gatewayOps}
  Node     ${stack.urls.node}        health and metrics: ${stack.urls.nodeOps}
  Media    UDP and TCP from ${stack.ports.media}
  Redis    ${stack.urls.redis}
  Logs     ${relative(root, stack.logDir)}/
  Keys     ${relative(root, keys)}      for a page of your own (docs/sdk.md) and npm run bedside
  Ctrl-C stops everything
`);
  return {
    async stop() {
      removeKeys();
      await stack.stop();
    },
  };
});
