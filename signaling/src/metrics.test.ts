import { ERROR_CODES, Role } from '@bedside/protocol';
import { beforeAll, expect, test } from 'vitest';
import { createMetrics, TOKEN_FAILURES } from './metrics.ts';

/** What gauges and histograms count; anything else needs a unit in its name. */
const COUNTED = [
  'join_redis_round_trips',
  ...['sockets', 'clinic_sockets', 'node_links', 'visits', 'participants', 'unwritten_changes'],
  ...['queue_entries', 'unwritten_queue_entries', 'on_call_sockets', 'desired_nodes'],
];
const LABELS = [
  ...['command', 'operation', 'outcome', 'phase', 'reason', 'role', 'route'],
  ...['scope', 'state', 'status', 'where'],
];
/** Of histograms. */
const BUCKET = 'le';

const metrics = createMetrics();

beforeAll(() => {
  const { gateway, visits } = metrics;
  for (const code of [...ERROR_CODES, 'ok']) {
    gateway.connection(code);
    gateway.answered('join', code);
    visits.command('join', code, 0.01);
    visits.nodeCall('apply', code, 0.01);
  }
  for (const reason of TOKEN_FAILURES) gateway.tokenFailure(reason);
  for (const role of Role.options) visits.participants(role, 1);
  gateway.ignoredEvent();
  gateway.keysFetched('ok');
  gateway.limited('socket');
  gateway.closed('replaced');
  gateway.rest('/v1/visits', 200, 0.01);
  gateway.internalError('rest');
  gateway.sockets(1);
  visits.joinPhase('total', 0.01);
  visits.joined(2);
  visits.redis('commit', 'error', 0.01);
  visits.nodeLink('connected', 1);
  visits.desiredNodes(1);
  visits.visits(1);
  visits.unwrittenChanges(0);
});

const described = () => metrics.registry.getMetricsAsJSON();
/** Without what prom-client says of the process, whose names are its own. */
const ours = async () =>
  (await described()).filter(({ name }) => !/^bedside_gateway_(nodejs|process)_/.test(name));

test('every metric has our prefix and says what it is', async () => {
  for (const { name, help } of await described()) {
    expect(name).toMatch(/^bedside_gateway_[a-z0-9_]*[a-z]$/);
    expect(help, name).toMatch(/\w/);
  }
});

test('names follow Prometheus: counters end in _total, what is measured in its base unit', async () => {
  const endings = { counter: /_total$/, histogram: /_(seconds|bytes|ratio)$/ };
  for (const { name, type } of await ours()) {
    const kind = String(type);
    const isCount = COUNTED.includes(name.slice('bedside_gateway_'.length));
    if (kind === 'gauge') expect(isCount, name).toBe(true);
    else if (!isCount) expect(name).toMatch(endings[kind as keyof typeof endings]);
  }
});

test('labels are those of a fixed list: no visit, person, tenant or address', async () => {
  const used = (await ours()).flatMap(({ values }) =>
    values.flatMap(({ labels }) => Object.keys(labels)),
  );
  expect([...new Set(used)].sort()).toEqual([...LABELS, BUCKET].sort());
});

test('two gateways in one process do not share metrics', async () => {
  const other = createMetrics();
  const visits = await other.registry.getSingleMetric('bedside_gateway_visits')?.get();
  expect(visits?.values).toEqual([{ value: 0, labels: {} }]);
});
