import { Counter } from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics, NO_NODE } from './metrics.ts';

const metrics = () => createMetrics(NO_NODE);

test('what alerts count is there before the first event: Prometheus sees no increase from nothing', async () => {
  const { registry } = metrics();
  const counters = registry.getMetricsAsArray().filter((metric) => metric instanceof Counter);
  for (const counter of counters) {
    const { name, values } = await counter.get();
    expect(values.length, name).toBeGreaterThan(0);
  }
  expect(counters.length).toBeGreaterThan(0);
});

test('names have base units, and only counters end in total', async () => {
  const { registry } = metrics();
  const ours = (await registry.getMetricsAsJSON()).filter(
    ({ name }) => !/_(nodejs|process)_/.test(name),
  );
  expect(ours.length).toBeGreaterThan(0);
  for (const { name, type } of ours) {
    expect(name).toMatch(/^bedside_node_[a-z_]+$/);
    expect(name).not.toMatch(/_(bits|milliseconds|ms|kilobytes|percent|count|sum|bucket)(_|$)/);
    // prom-client gives the type as text in JSON.
    expect(name.endsWith('_total'), name).toBe(String(type) === 'counter');
  }
});
