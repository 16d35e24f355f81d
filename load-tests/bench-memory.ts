/**
 * `npm run bench:memory`: what a waiting or idle participant costs in resident memory of gateway,
 * node and mediasoup workers together. Each participant is a real one: Socket.IO, `join`, both
 * transports at the node, with ICE and DTLS connected by libdatachannel.
 */
import { parseArgs } from 'node:util';
import type { Stack } from '../scripts/lib/stack.mjs';
import { scrape, sum } from './lib/metrics.ts';
import { childrenOf, settledBytes } from './lib/processes.ts';
import { record, table } from './lib/results.ts';
import { targetOf, withStack } from './lib/target.ts';
import { mintToken } from './lib/token.ts';
import { eachOf, until } from './lib/wait.ts';
import { NativeParticipant } from './native/participant.ts';
import { chromiumCapabilities } from './shared/capabilities.ts';

const { values } = parseArgs({
  options: {
    participants: { type: 'string', default: '300' },
    record: { type: 'boolean', default: false },
  },
});
const count = Number(values.participants);
/** A usual visit, and nearly the largest one. */
const VISIT_SIZES = [4, 60];
const TARGET_KB = 100;
/** Joins under way at a time. */
const WIDTH = 8;

type Part = 'gateway' | 'node' | 'workers';
const PARTS: readonly Part[] = ['gateway', 'node', 'workers'];

async function join(stack: Stack, label: string, total: number, visitSize: number) {
  const { gateway, tenant } = targetOf(stack);
  const indexes = Array.from({ length: total }, (_, index) => index);
  return eachOf(indexes, WIDTH, async (index) => {
    const visit = `${label}.${Math.floor(index / visitSize)}`;
    const token = await mintToken(tenant, { visit, participant: `p.${index}`, role: 'patient' });
    const participant = await NativeParticipant.connect({ url: gateway, visit, token });
    await participant.join(chromiumCapabilities);
    await participant.connectMedia();
    return participant;
  });
}

async function measure(visitSize: number): Promise<Record<Part, number>> {
  return withStack({ only: ['redis', 'node', 'gateway'] }, async (stack) => {
    const pid = (name: 'gateway' | 'node') => {
      const found = stack.processes[name].pid;
      if (found === undefined) throw new Error(`${name} is not running`);
      return found;
    };
    const pids = {
      gateway: [pid('gateway')],
      node: [pid('node')],
      workers: childrenOf(pid('node')),
    };

    // Code is compiled and heaps have grown once before the first reading.
    const warmUp = await join(stack, 'warm', 40, visitSize);
    await Promise.all(warmUp.map((participant) => participant.leave()));
    await until(
      'the warm-up to be gone',
      async () => sum(await scrape(stack.urls.nodeOps), 'bedside_node_transports'),
      (transports) => transports === 0,
    );

    const before = await settledBytes(pids);
    const participants = await join(stack, 'idle', count, visitSize);
    const after = await settledBytes(pids);
    const gone = participants.filter((participant) => !participant.connected).length;
    if (gone > 0) throw new Error(`${gone} participants lost their socket while they were idle`);
    await Promise.all(participants.map((participant) => participant.leave()));
    return Object.fromEntries(
      PARTS.map((part) => [part, (after[part] - before[part]) / count / 1024]),
    ) as Record<Part, number>;
  });
}

const rows: string[][] = [];
for (const visitSize of VISIT_SIZES) {
  process.stderr.write(`${count} idle participants in visits of ${visitSize}\n`);
  const cost = await measure(visitSize);
  const total = PARTS.reduce((sumOfParts, part) => sumOfParts + cost[part], 0);
  rows.push([
    `visits of ${visitSize}`,
    ...[...PARTS.map((part) => cost[part]), total].map((kb) => kb.toFixed(1)),
  ]);
}
const body = [
  `${count} participants, idle: joined with both transports, ICE and DTLS connected, nobody sends. KB of resident memory (VmRSS of /proc) for each participant: the growth from before they came, after a warm-up of 40 that left again, until it no longer moves. A visit's own router and state are in it. Goal: at most ${TARGET_KB} KB in all; LiveKit 1.13.5 takes 1,150 KB for an idle subscriber (field notes).`,
  '',
  table(['', ...PARTS, 'in all'], rows),
].join('\n');
process.stdout.write(`\n${body}\n`);
if (values.record) record({ command: 'npm run bench:memory', body });
// libdatachannel keeps its threads, and Node waits for them.
process.exit();
