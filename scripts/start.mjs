/**
 * `npm start`: everything on one machine, until Ctrl-C. Installs what is missing first.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { node22, root } from './lib/paths.mjs';
import { step } from './lib/progress.mjs';
import { run } from './lib/run.mjs';
import { startStack } from './lib/stack.mjs';
import { ensure } from './setup.mjs';

const env = await ensure();
const say = (line) => process.stderr.write(`${line}\n`);

// From the first Ctrl-C on: also while it starts, everything that runs is stopped in order.
const asked = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // A second one does not wait for an orderly end.
    if (asked.signal.aborted) process.exit(130);
    say('\nStopping');
    asked.abort();
  });
}

try {
  await buildSdk();
  const stack = await step('Starting', () =>
    startStack({
      node22,
      workerBin: env.MEDIASOUP_WORKER_BIN,
      log: say,
      signal: asked.signal,
    }),
  );
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
  Logs     ${relative(root, stack.logDir)}/        Ctrl-C stops everything
`);
  if (!asked.signal.aborted) {
    await new Promise((resolve) => asked.signal.addEventListener('abort', resolve, { once: true }));
  }
  await stack.stop();
  say('Stopped');
} catch (error) {
  // What had been started by then is stopped again.
  if (asked.signal.aborted) {
    say('Stopped');
  } else {
    say(`\n${error.message}`);
    process.exitCode = 1;
  }
}

async function buildSdk() {
  const script = join(root, 'sdk', 'build.ts');
  const { scripts } = JSON.parse(readFileSync(join(root, 'sdk', 'package.json'), 'utf8'));
  if (!scripts?.build || !existsSync(script)) return;
  await step('Building the SDK', () => run(node22, [script], { cwd: join(root, 'sdk'), env }));
}
