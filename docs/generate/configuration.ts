import * as z from 'zod/mini';
import { PORTAL_VARIABLES } from '../../examples/portal/src/config.ts';
import { NodeEnvironment } from '../../sfu/src/config.ts';
import { GATEWAY_VARIABLES } from '../../signaling/src/config.ts';
import { code, NOTICE, table } from './markdown.ts';

interface Variable {
  default?: unknown;
  description?: string;
}

/** What the scripts read; the services do not. */
export const SCRIPT_VARIABLES: Readonly<Record<string, Variable>> = {
  BEDSIDE_CACHE_DIR: {
    description:
      'Where a mediasoup worker that was built or downloaded is kept. `XDG_CACHE_HOME`, else `~/.cache`, where it is not set.',
  },
  BEDSIDE_BUILD_JOBS: {
    description:
      'How many compilers build the worker side by side. As many as there are cores, where memory allows.',
  },
  BEDSIDE_CHROMIUM: {
    description: 'The browser of the tests. The first one found, where it is not set.',
  },
  MEDIASOUP_WORKER_BIN: {
    description: 'A worker to use as it is: nothing is downloaded or built.',
  },
  MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL: {
    description:
      'Where mediasoup’s prebuilt workers are downloaded from. `HTTPS_PROXY` is honoured.',
  },
};

/** docs/configuration.md, from the declarations that the services read their environment by. */
export function configurationDocument(): string {
  const node = z.toJSONSchema(NodeEnvironment, { io: 'input' }).properties as Record<
    string,
    Variable
  >;
  return [
    NOTICE,
    '# Configuration',
    'Each service reads its environment when it starts, and nothing else. An empty variable counts as not set. Gateway and node report every wrong variable at once, never a value, and exit with 78. [operations.md](operations.md) says which ones go together.',
    '## Gateway',
    variables(GATEWAY_VARIABLES),
    '## Node',
    variables(node),
    '## Demo portal',
    variables(PORTAL_VARIABLES),
    '## Set-up, build and tests',
    'Of `npm start`, `npm test` and the scripts behind them. `npm start` passes the variables of the services on, but for addresses, ports and secrets, which it chooses, and lets pages of `BEDSIDE_ALLOWED_ORIGINS` connect beside the portal.',
    variables(SCRIPT_VARIABLES),
  ].join('\n\n');
}

const variables = (all: Readonly<Record<string, Variable>>): string =>
  table(
    ['Variable', 'Default', 'Meaning'],
    Object.entries(all).map(([name, { default: value, description = '' }]) => [
      code(name),
      value === undefined ? '' : code(String(value)),
      description,
    ]),
  );
