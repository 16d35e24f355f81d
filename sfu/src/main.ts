import { ConfigError, readConfig } from './config.ts';
import { createLog } from './log.ts';
import { createNode } from './node.ts';

/** EX_CONFIG of sysexits.h: a supervisor need not try again before somebody mends the environment. */
const EXIT_CONFIG = 78;

function config() {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

const settings = config();
// Workers inherit the environment, and have no use for the secret.
delete process.env.BEDSIDE_CONTROL_SECRET;

const log = createLog(settings.logLevel);
const node = createNode(settings, log);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    log.info({ signal }, 'stopping');
    void node.stop().then(() => process.exit(0));
  });
}
process.on('uncaughtException', (error) => {
  log.fatal({ err: error }, 'uncaught exception');
  process.exit(1);
});

try {
  await node.start();
} catch (error) {
  log.fatal({ err: error }, 'node did not start');
  process.exit(1);
}
