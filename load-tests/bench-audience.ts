/**
 * `npm run bench:audience`: what the audience of a lecture costs the control plane. Real gateway, node and
 * Redis; listeners with real sockets, transports and consumers, and without a packet of media (for that see
 * bench:spread).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ClientEventName } from '@bedside/protocol';
import type { Stack } from '../scripts/lib/stack.mjs';
import { cpuSeconds, residentBytes } from './lib/processes.ts';
import { redisCommand } from './lib/redis.ts';
import { record, table } from './lib/results.ts';
import { p50p95, percentile } from './lib/statistics.ts';
import { targetOf, withStack } from './lib/target.ts';
import { mintToken } from './lib/token.ts';
import { until } from './lib/wait.ts';
import { NativeParticipant } from './native/participant.ts';
import { chromiumCapabilities } from './shared/capabilities.ts';

const { values } = parseArgs({
  options: {
    speakers: { type: 'string', default: '3' },
    listeners: { type: 'string', default: '500' },
    /** Seconds within which they come, each at a moment of their own. */
    within: { type: 'string', default: '10' },
    record: { type: 'boolean', default: false },
  },
});
const speakers = Number(values.speakers);
const listeners = Number(values.listeners);
const withinMs = Number(values.within) * 1000;
const VISIT = 'lecture';
/** Who comes after that, one by one. */
const LATE = 20;
/** The size of the audience is told after this, and there is nothing more to tell. */
const QUIET_MS = 1_500;

interface Arrival {
  participant: NativeParticipant;
  welcomeMs: number;
  joinMs: number;
}

/** What went to the pages, by event. */
class Heard {
  readonly counts = new Map<ClientEventName, number>();

  add(name: ClientEventName): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, each) => sum + each, 0);
  }
}

async function create({ secrets, urls }: Stack): Promise<void> {
  const answer = await fetch(`${urls.gateway}/v1/visits`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secrets.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ visit: VISIT, kind: 'lecture' }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Bytes and snapshots that Redis was sent so far. */
async function redisCounts({ urls }: Stack): Promise<{ bytes: number; writes: number }> {
  const info = async (section: string) => String(await redisCommand(urls.redis, 'INFO', section));
  const [stats, commands] = await Promise.all([info('stats'), info('commandstats')]);
  return {
    bytes: Number(/total_net_input_bytes:(\d+)/.exec(stats)?.[1] ?? 0),
    writes: Number(/cmdstat_set:calls=(\d+)/.exec(commands)?.[1] ?? 0),
  };
}

async function measure(stack: Stack) {
  const { gateway, tenant } = targetOf(stack);
  const heard = new Heard();
  let open = 0;
  const come = async (name: string, role: 'provider' | 'observer'): Promise<Arrival> => {
    const token = await mintToken(tenant, { visit: VISIT, participant: name, role });
    const began = performance.now();
    const participant = await NativeParticipant.connect({
      url: gateway,
      visit: VISIT,
      token,
      deadlineMs: 60_000,
      onEvent: (event) => heard.add(event),
    });
    const welcomed = performance.now();
    await participant.join(chromiumCapabilities);
    open += 1;
    return {
      participant,
      welcomeMs: welcomed - began,
      joinMs: performance.now() - welcomed,
    };
  };
  const pid = stack.processes.gateway.pid ?? 0;
  /** What it cost while this went on. */
  const costOf = async <Result>(run: () => Promise<Result>) => {
    const [before, told, cpu] = [await redisCounts(stack), heard.total, cpuSeconds(pid)];
    const result = await run();
    const after = await redisCounts(stack);
    return {
      result,
      bytes: after.bytes - before.bytes,
      writes: after.writes - before.writes,
      messages: heard.total - told,
      cpu: cpuSeconds(pid) - cpu,
    };
  };

  await create(stack);
  const stage = [];
  for (let index = 0; index < speakers; index += 1) {
    const arrival = await come(`speaker.${index}`, 'provider');
    await arrival.participant.produce('microphone');
    await arrival.participant.produce('camera');
    stage.push(arrival.participant);
  }
  await sleep(QUIET_MS);
  const small = residentBytes(pid);

  const idle = await costOf(() => sleep(5_000));
  const crowd = await costOf(async () => {
    const arrivals = await Promise.all(
      Array.from({ length: listeners }, async (_, index) => {
        await sleep((withinMs * index) / listeners);
        return come(`listener.${index}`, 'observer');
      }),
    );
    await sleep(QUIET_MS);
    return arrivals;
  });
  const full = residentBytes(pid);
  const late = await costOf(async () => {
    const arrivals: Arrival[] = [];
    for (let index = 0; index < LATE; index += 1) {
      arrivals.push(await come(`late.${index}`, 'observer'));
      await sleep(QUIET_MS);
    }
    return arrivals;
  });

  // A change that all are told of.
  const changed = heard.counts.get('changed') ?? 0;
  const speaker = stage[0];
  const began = performance.now();
  await speaker?.command('raise-hand', { raised: true });
  const acknowledged = performance.now() - began;
  await until(
    'all to be told',
    async () => (heard.counts.get('changed') ?? 0) - changed,
    (told) => told >= open,
  );
  const told = performance.now() - began;

  const snapshot = await redisCommand(stack.urls.redis, 'KEYS', '*visit*').then(async (keys) => {
    const sizes = await Promise.all(
      (keys as string[]).map((key) => redisCommand(stack.urls.redis, 'STRLEN', key).catch(() => 0)),
    );
    return Math.max(...sizes.map(Number));
  });
  for (const { participant } of [...crowd.result, ...late.result]) participant.close();
  for (const participant of stage) participant.close();
  return { idle, crowd, late, small, full, acknowledged, told, snapshot };
}

const { idle, crowd, late, small, full, acknowledged, told, snapshot } = await withStack(
  {
    only: ['redis', 'node', 'gateway'],
    env: { node: { BEDSIDE_MAX_CONSUMERS_PER_WORKER: '20000' } },
  },
  measure,
);

const row = (label: string, { result, bytes, writes, messages, cpu }: typeof late) => {
  const count = result.length;
  const per = (value: number, digits = 1) => (value / count).toFixed(digits);
  const joins = result.map(({ joinMs }) => joinMs);
  return [
    label,
    p50p95(result.map(({ welcomeMs }) => welcomeMs)),
    `**${p50p95(joins)}**`,
    percentile(joins, 1).toFixed(0),
    per(messages),
    per(bytes / 1024),
    String(writes),
    per(cpu * 1000, 0),
  ];
};
const body = [
  `A lecture with ${speakers} who speak (microphone and camera) and ${listeners} who come to listen within ${values.within} s, and then ${LATE} more, one every ${QUIET_MS / 1000} s. Milliseconds of a page, p50 / p95; messages to all pages, KB that Redis receives and milliseconds of the gateway's CPU for each who came, answers apart. The load runs on the same two cores.`,
  '',
  table(
    [
      '',
      'welcome',
      '**`join`**',
      'longest',
      'messages',
      'KB to Redis',
      'snapshots',
      'CPU of the gateway',
    ],
    [row(`${listeners} at once`, crowd), row('one by one', late)],
  ),
  '',
  `Of the messages a listener gets 2 for themselves (who speaks, the own size of the audience); the rest is the size of the audience, told to all once a second while it changes. Redis receives ${(idle.bytes / 1024 / 5).toFixed(1)} KB/s while nobody comes. The snapshot of the visit is ${(snapshot / 1024).toFixed(0)} KB in Redis. Memory of the gateway: ${(small / 2 ** 20).toFixed(0)} MB with the speakers, ${(full / 2 ** 20).toFixed(0)} MB with all (${((full - small) / 1024 / listeners).toFixed(0)} KB for each). A raised hand of a speaker is acknowledged in ${acknowledged.toFixed(0)} ms, and told to all pages in ${told.toFixed(0)} ms.`,
].join('\n');
process.stdout.write(`\n${body}\n`);
if (values.record) record({ command: 'npm run bench:audience', body });
// libdatachannel keeps its threads, and Node waits for them.
process.exit();
