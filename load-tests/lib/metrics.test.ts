import { expect, test } from 'vitest';
import { readSamples, sum } from './metrics.ts';

const text = `# HELP bedside_node_transports Open transports.
# TYPE bedside_node_transports gauge
bedside_node_transports{worker="0"} 4
bedside_node_transports{worker="1",kind="a\\"b"} 2
bedside_node_visits 1
nonsense
`;

test('samples are read with their labels', () => {
  expect(readSamples(text)).toEqual([
    { name: 'bedside_node_transports', labels: { worker: '0' }, value: 4 },
    { name: 'bedside_node_transports', labels: { worker: '1', kind: 'a\\"b' }, value: 2 },
    { name: 'bedside_node_visits', labels: {}, value: 1 },
  ]);
});

test('a metric is summed over labels that are not asked for', () => {
  const samples = readSamples(text);
  expect(sum(samples, 'bedside_node_transports')).toBe(6);
  expect(sum(samples, 'bedside_node_transports', { worker: '1' })).toBe(2);
  expect(sum(samples, 'bedside_node_routers')).toBe(0);
});
