import { collectDefaultMetrics, Registry } from 'prom-client';
import { createMetrics as createNodeMetrics, NO_NODE } from '../../sfu/src/metrics.ts';
import { createMetrics as createGatewayMetrics } from '../../signaling/src/metrics.ts';
import { code, NOTICE, table } from './markdown.ts';

/** Of Node's process, where the system tells: the tables are the same on every system. */
const LINUX_ONLY = [
  'process_virtual_memory_bytes',
  'process_heap_bytes',
  'process_open_fds',
  'process_max_fds',
];

/** What a metric's object has beside its public type. */
interface Described {
  name: string;
  help: string;
  type: string;
  labelNames: readonly string[];
  upperBounds?: readonly number[];
}

/** docs/metrics.md, from the registries of the services. */
export function metricsDocument(): string {
  const gateway = createGatewayMetrics().registry;
  const node = createNodeMetrics(NO_NODE).registry;
  return [
    NOTICE,
    '# Metrics',
    'For Prometheus, at `/metrics` of the ops ports. Names say their units; labels are from fixed sets and never name a visit, a person or an address. Rules and alerts that use them are in [deploy/prometheus](../deploy/prometheus).',
    '## Gateway',
    tableOf(gateway, 'bedside_gateway_'),
    '## Node',
    'Packet loss, scores and bytes come from a sample of the transports: to poll all of them would cost more than it tells.',
    tableOf(node, 'bedside_node_'),
    '## Both, of their process',
    `Node’s own metrics by prom-client, as \`bedside_gateway_…\` and \`bedside_node_…\`. On Linux there are also ${LINUX_ONLY.map(code).join(', ')}.`,
    table(
      ['Name', 'Type', 'Labels', 'Meaning'],
      processMetrics()
        .filter(({ name }) => !LINUX_ONLY.includes(name))
        .map((metric) => rowOf({ ...metric, name: `…${metric.name}` })),
    ),
  ].join('\n\n');
}

function tableOf(registry: Registry, prefix: string): string {
  const ofProcess = new Set(processMetrics().map(({ name }) => prefix + name));
  return table(
    ['Name', 'Type', 'Labels', 'Meaning'],
    describe(registry)
      .filter(({ name }) => !ofProcess.has(name))
      .map(rowOf),
  );
}

function processMetrics(): Described[] {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return describe(register);
}

// prom-client's types hide what a metric was made with.
const describe = (registry: Registry): Described[] =>
  (registry.getMetricsAsArray() as unknown as Described[]).toSorted((a, b) =>
    a.name.localeCompare(b.name, 'en'),
  );

const rowOf = ({ name, type, labelNames, help, upperBounds }: Described): string[] => [
  code(name),
  type,
  labelNames.map(code).join(', '),
  upperBounds ? `${help} Buckets: ${upperBounds.join(', ')}.` : help,
];
