import { createLog, exitWith } from '@bedside/service';
import { ConfigError, readConfig, unknownVariables } from './config.ts';
import { createNode } from './node.ts';
import { requireWorkerBin } from './workers/binary.ts';

/** EX_CONFIG of sysexits.h: a supervisor need not try again before somebody mends the environment. */
const EXIT_CONFIG = 78;
const STOP_MARGIN_MS = 1_000;

function config() {
  try {
    const config = readConfig(process.env);
    requireWorkerBin(config);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

const settings = config();
// Workers inherit the environment, and have no use for secrets.
delete process.env.BEDSIDE_CONTROL_SECRET;
delete process.env.BEDSIDE_REDIS_URL;

const log = createLog('node', settings.logLevel);
const unknown = unknownVariables(process.env);
if (unknown.length > 0) log.warn({ variables: unknown }, 'variables that nobody reads: misspelt?');
const node = createNode(settings, log);

// The supervisor starts a clean process; the gateways place the visits anew meanwhile.
const die = (message: string) => (error: unknown) => {
  log.fatal({ err: error }, message);
  exitWith(1);
};
process.on('uncaughtException', die('uncaught exception'));
process.on('unhandledRejection', die('unhandled rejection'));

function stop(): void {
  // The node keeps to its own deadline; this one is for a fault in that.
  setTimeout(
    die('not stopped in time'),
    settings.shutdownMs + STOP_MARGIN_MS,
    new Error('shutdown deadline'),
  ).unref();
  node.stop().then(() => exitWith(0), die('stop failed'));
}

let signals = 0;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    signals += 1;
    if (signals === 1) {
      log.info({ signal }, 'draining, then stopping; the next signal stops at once');
      node.drain().then(() => signals === 1 && stop(), die('drain failed'));
    } else if (signals === 2) {
      log.info({ signal }, 'stopping');
      stop();
    }
  });
}

node.start().catch(die('node did not start'));
