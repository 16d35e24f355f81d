import { createLog, exitWith } from '@bedside/service';
import {
  ConfigError,
  EXIT_CONFIG,
  type GatewayConfig,
  readConfig,
  unknownVariables,
} from './config.ts';
import { createGateway } from './gateway.ts';

function configOrExit(): GatewayConfig {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

const config = configOrExit();
const log = createLog('gateway', config.logLevel);
const unknown = unknownVariables(process.env);
if (unknown.length > 0) log.warn({ variables: unknown }, 'variables that nobody reads: misspelt?');

// A fault that nobody caught leaves unknown state behind; the supervisor starts a clean process, and
// the visits' media goes on at the nodes meanwhile.
const die = (message: string) => (error: unknown) => {
  log.fatal({ err: error }, message);
  exitWith(1);
};
process.on('uncaughtException', die('uncaught exception'));
process.on('unhandledRejection', die('unhandled rejection'));

const gateway = createGateway(config, { log });

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // A second one changes nothing: what visits have not written yet is worth the wait, which is bounded.
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(
      die('not stopped in time'),
      config.shutdownMs,
      new Error('shutdown deadline'),
    ).unref();
    gateway.stop().then(() => exitWith(0), die('stop failed'));
  });
}

gateway.start().catch(die('start failed'));
