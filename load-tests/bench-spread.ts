/**
 * `npm run bench:spread`: one visit that is too large for a worker, and for a node. Real nodes with several
 * workers each, joined by pipes; native participants with ICE, DTLS and SRTP. `-- --talkers 50` is a group in
 * which everybody hears everybody; `-- --talkers 3 --listeners 500` is a lecture.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ParticipantId } from '@bedside/protocol';
import { Cluster, type DrillGateway } from './drills/cluster.ts';
import { childrenOf, cpuSeconds, residentBytes } from './lib/processes.ts';
import { record, table } from './lib/results.ts';
import { p50p95, percentile } from './lib/statistics.ts';
import { eachOf, until } from './lib/wait.ts';
import { NativeParticipant, type Sender } from './native/participant.ts';

const { values } = parseArgs({
  options: {
    talkers: { type: 'string', default: '50' },
    listeners: { type: 'string', default: '0' },
    nodes: { type: 'string', default: '2' },
    workers: { type: 'string', default: '2' },
    consumers: { type: 'string', default: '2000' },
    every: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '20' },
    record: { type: 'boolean', default: false },
  },
});
const talkers = Number(values.talkers);
const listeners = Number(values.listeners);
const everyMs = Number(values.every);
const seconds = Number(values.seconds);
const VISIT = 'spread';
/** Joins under way at a time: a lecture begins for all at once. */
const WIDTH = 8;

/** One who joined, and what has come of each of the others. */
interface Member {
  readonly id: ParticipantId;
  readonly native: NativeParticipant;
  readonly senders: Sender[];
  /** By SSRC: whose it is, and what has come. */
  readonly heard: Map<number, Heard>;
  readonly joinMs: number;
}

interface Heard {
  readonly from: ParticipantId;
  first: number;
  last: number;
  packets: number;
  /** Milliseconds from sending to arrival. */
  readonly delays: number[];
}

let isMeasuring = false;

async function join(
  cluster: Cluster,
  gateway: DrillGateway,
  name: string,
  talks: boolean,
): Promise<Member> {
  const token = await cluster.token({
    visit: VISIT,
    participant: name,
    role: talks ? 'provider' : 'observer',
    ...(talks ? {} : { grants: [] }),
  });
  const heard = new Map<number, Heard>();
  const hear = (added: readonly Added[]) => {
    for (const { participantId: from, rtpParameters } of added) {
      const ssrc = rtpParameters.encodings?.[0]?.ssrc;
      if (ssrc !== undefined)
        heard.set(ssrc, { from, first: -1, last: -1, packets: 0, delays: [] });
    }
  };
  const native = await NativeParticipant.connect({
    url: gateway.url,
    visit: VISIT,
    token,
    deadlineMs: 60_000,
    onEvent: (event, payload) => {
      if (event === 'consumers') hear((payload as unknown as { added: Added[] }).added);
    },
  });
  const started = performance.now();
  await native.join();
  const joinMs = performance.now() - started;
  hear(native.joined.consumers);
  await native.connectMedia();
  native.onRtp(({ ssrc, sequenceNumber, payload }) => {
    const one = heard.get(ssrc);
    if (!one) return;
    if (one.packets === 0) one.first = sequenceNumber;
    one.packets += 1;
    one.last = sequenceNumber;
    if (isMeasuring) one.delays.push(performance.now() - payload.readDoubleBE(0));
  });
  const senders = talks ? [await native.produce('microphone')] : [];
  return { id: name as ParticipantId, native, senders, heard, joinMs };
}

interface Added {
  participantId: ParticipantId;
  rtpParameters: { encodings?: { ssrc?: number | undefined }[] | undefined };
}

/** Packets that were sent between the first and the last one that came, and did not come. */
const lostOf = ({ first, last, packets }: Heard): number =>
  packets === 0 ? 0 : ((last - first + 0x1_0000) & 0xffff) + 1 - packets;

const cluster = await Cluster.start({
  nodes: Number(values.nodes),
  env: {
    node: {
      BEDSIDE_WORKERS: values.workers,
      BEDSIDE_MAX_CONSUMERS_PER_WORKER: values.consumers,
    },
  },
});
try {
  const gateway = await cluster.startGateway('gateway-spread');
  await cluster.create(gateway, {
    visit: VISIT as never,
    kind: listeners > 0 ? 'lecture' : 'group',
  });
  process.stderr.write(`${talkers} who talk and ${listeners} who listen join\n`);
  const names = [
    ...Array.from({ length: talkers }, (_, index) => ({ name: `talker-${index}`, talks: true })),
    ...Array.from({ length: listeners }, (_, index) => ({ name: `ear-${index}`, talks: false })),
  ];
  const began = performance.now();
  const members = await eachOf(names, WIDTH, ({ name, talks }) =>
    join(cluster, gateway, name, talks),
  );
  const joinedMs = performance.now() - began;

  const packet = Buffer.alloc(60, 7);
  let slot = 0;
  const speaking = members
    .flatMap(({ senders }) => senders)
    .map((sender, index, all) => {
      // Not all at once: a burst is no load that people make.
      const wait = sleep((everyMs * index) / all.length);
      let timer: NodeJS.Timeout | undefined;
      void wait.then(() => {
        timer = setInterval(() => {
          slot += 1;
          packet.writeDoubleBE(performance.now(), 0);
          sender.send(packet, (everyMs * 48) | 0);
        }, everyMs);
      });
      return () => clearInterval(timer);
    });

  const expected = (member: Member) => talkers - (member.senders.length > 0 ? 1 : 0);
  const started = performance.now();
  await until(
    'everybody to hear everybody',
    async () =>
      members.filter(
        (member) =>
          new Set(
            [...member.heard.values()].filter(({ packets }) => packets > 0).map((h) => h.from),
          ).size < expected(member),
      ).length,
    (missing) => missing === 0,
    120_000,
  );
  const heardMs = performance.now() - started;

  const placed = new Map<string, string>();
  const people: string[] = [];
  for (const node of cluster.nodes) {
    const peers = await cluster.describe(VISIT, node);
    people.push(`${peers.length}`);
    for (const { recvTransportId } of peers) placed.set(recvTransportId, node.id);
  }
  const nodeOf = (member: Member) =>
    placed.get(member.native.joined.recvTransport.transportId) ?? '?';
  const at = new Map(members.map((member) => [member.id, nodeOf(member)]));

  const pids = {
    gateway: [gateway.pid],
    nodes: cluster.nodes.map((node) => node.pid),
    workers: cluster.nodes.flatMap((node) => childrenOf(node.pid)),
  };
  const used = () =>
    Object.values(pids).map((group) => group.reduce((sum, pid) => sum + cpuSeconds(pid), 0));
  for (const { heard } of members)
    for (const one of heard.values()) Object.assign(one, { first: -1, last: -1, packets: 0 });
  isMeasuring = true;
  const before = used();
  const sentBefore = slot;
  await sleep(seconds * 1_000);
  const after = used();
  isMeasuring = false;
  const sent = slot - sentBefore;
  for (const stop of speaking) stop();

  const ways = members.flatMap((member) =>
    [...member.heard.values()].map((one) => ({ one, isFar: at.get(one.from) !== nodeOf(member) })),
  );
  const row = (label: string, some: readonly Heard[]): string[] => {
    const delays = some.flatMap(({ delays: each }) => each);
    const packets = some.reduce((sum, { packets: count }) => sum + count, 0);
    const lost = some.reduce((sum, each) => sum + lostOf(each), 0);
    const worst = delays.length === 0 ? '–' : `${Math.round(percentile(delays, 1))}`;
    return [label, `${some.length}`, `${packets}`, `${lost}`, p50p95(delays), worst];
  };
  const near = ways.filter(({ isFar }) => !isFar).map(({ one }) => one);
  const far = ways.filter(({ isFar }) => isFar).map(({ one }) => one);
  const [gatewayCpu = 0, nodeCpu = 0, workerCpu = 0] = after.map(
    (total, index) => ((total - (before[index] ?? 0)) / seconds) * 100,
  );
  const megabytes = (group: readonly number[]) =>
    Math.round(group.reduce((sum, pid) => sum + residentBytes(pid), 0) / 2 ** 20);
  const body = [
    `One visit: ${talkers} who talk${listeners > 0 ? `, ${listeners} who only listen` : ''}, on ${values.nodes} nodes with ${values.workers} workers each that take ${values.consumers} consumers; ${people.join(' and ')} people at the nodes. Each voice is a packet every ${everyMs} ms, for ${seconds} s. Participants, with ICE, DTLS and SRTP, are in one process on the same machine.`,
    '',
    `All had joined after ${(joinedMs / 1_000).toFixed(1)} s (${WIDTH} at a time, connected in full; the command alone: ${p50p95(members.map(({ joinMs }) => joinMs))} ms p50 / p95), and heard all others ${Math.round(heardMs)} ms after the first packet.`,
    '',
    table(
      ['', 'ways', 'packets', 'lost', 'delay p50 / p95, ms', 'longest'],
      [row('at the same node', near), row('from another node', far)],
    ),
    '',
    `${Math.round(sent / seconds)} packets a second were sent, ${Math.round(ways.reduce((sum, { one }) => sum + one.packets, 0) / seconds)} arrived. CPU, % of a core: gateway ${gatewayCpu.toFixed(1)}, nodes ${nodeCpu.toFixed(1)}, workers ${workerCpu.toFixed(1)}. Memory: gateway ${megabytes(pids.gateway)} MB, nodes ${megabytes(pids.nodes)} MB, workers ${megabytes(pids.workers)} MB.`,
  ].join('\n');
  process.stdout.write(`\n${body}\n`);
  if (values.record) {
    const asked = listeners > 0 ? ` -- --talkers ${talkers} --listeners ${listeners}` : '';
    record({ command: `npm run bench:spread${asked}`, body });
  }
  for (const { native } of members) native.close();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
} finally {
  await cluster.stop();
}
// libdatachannel keeps its threads, and Node waits for them.
process.exit();
