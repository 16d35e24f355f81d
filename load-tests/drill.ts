/**
 * `npm run drill -- NAME`: one fault against live media on a cluster of two gateways behind HAProxy and two
 * nodes, and what the participants felt of it. Without a name it lists the drills; `all` runs each.
 */
import { parseArgs } from 'node:util';
import { DRILLS, type Drill } from './drills/catalogue.ts';
import { Cluster } from './drills/cluster.ts';
import { type Felt, type Report, runDrill } from './drills/drill.ts';
import { type IdleReport, roomFor, runIdleSockets } from './drills/idle-sockets.ts';
import { Checkout } from './lib/checkout.ts';
import { settledBytes } from './lib/processes.ts';
import { record, table } from './lib/results.ts';
import { percentile } from './lib/statistics.ts';
import { releaseMedia } from './native/media-transport.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** 10 where neither this nor the drill says. */
    visits: { type: 'string' },
    /** Of `idle-sockets`. */
    pages: { type: 'string', default: '10000' },
    /** The commit that `rolling-upgrade` comes from. */
    previous: { type: 'string', default: 'HEAD^' },
    /** Processes are in network namespaces, and lines are cut there; else at loopback addresses, with proxies between. */
    namespaces: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
});

const say = (line: string) => process.stderr.write(`${line}\n`);

/** "113 / 188 / 240": p50, p95 and max; a dash where nothing was measured. */
function spread(times: readonly number[]): string {
  if (times.length === 0) return '–';
  return [0.5, 0.95, 1].map((share) => Math.round(percentile(times, share))).join(' / ');
}

const row = (name: string, { sound, picture }: Felt) => [
  name,
  `${sound.length}`,
  spread(sound),
  spread(picture),
];

const inAll = (counts: object) => Object.values(counts).reduce((sum, count) => sum + count, 0);

function textOf(name: string, { what, lastsMs }: Drill, report: Report): string {
  const { visits, struck, affected, rejoined, commands } = report;
  return [
    `**${name}.** ${what}. ${visits} visits of two, ${struck} of them at what was struck; looked at for at least ${lastsMs / 1000} s.`,
    '',
    table(
      ['longest silence, ms: p50 / p95 / max', 'participants', 'sound', 'picture'],
      [
        row('before the fault', report.before),
        row('at what was struck', report.atFault),
        row('elsewhere', report.elsewhere),
        row('once it was back', report.mended),
      ],
    ),
    '',
    ...report.notes,
    `Packets of sound that were lost to listeners at what was struck: **${report.packets.lost}** of ${report.packets.sent}. Visits at another node in the end: ${report.moved}.`,
    `The process that measures stood still for up to ${Math.round(report.ownMs)} ms meanwhile. Visits affected (over ${report.noticedMs} ms): ${affected}. Participants who set up media anew: ${rejoined}. Flows that had not come back half a minute after the fault's time: ${report.notBack}; once it was mended: ${report.neverBack}. Participants whose session ended: ${report.gone}. ` +
      `Commands at what was struck, slowest of each visit, ms: ${spread(commands.slowest)}; in all ${commands.acknowledged} acknowledged, ${commands.refused} refused, **${commands.lost} lost**. ` +
      `Left over at the nodes: ${inAll(report.leaks)} with the visits there, ${inAll(report.leftBehind)} after them; at the gateways ${report.leftAtGateways}, and ${report.keysLeft} keys in Redis.`,
  ].join('\n');
}

const IDLE_SOCKETS = 'idle-sockets';
const WHAT_IDLE_SOCKETS =
  'A gateway with 10,000 pages that do nothing is killed: all come back at the other one';

function idleText({ pages, bytesPerPage, back, peak, refused }: IdleReport): string {
  const refusals = Object.entries(refused).map(([code, count]) => `${count} ${code}`);
  return [
    `**${IDLE_SOCKETS}.** ${WHAT_IDLE_SOCKETS}. ${pages} pages, four of each visit, come by HAProxy and come back as the SDK does.`,
    '',
    table(
      [
        'back after its death, ms: p50 / p95 / max',
        'pages back',
        'most within 100 ms',
        'refused on the way',
        'memory of a page at the gateway, kB',
      ],
      [
        [
          spread(back),
          `${back.length}`,
          `${peak}`,
          refusals.join(', ') || '0',
          (bytesPerPage / 1_024).toFixed(1),
        ],
      ],
    ),
  ].join('\n');
}

const run = (name: string): Promise<string> => {
  const drill = DRILLS[name];
  say(`\n${name}: ${drill?.what ?? WHAT_IDLE_SOCKETS}`);
  if (drill) return runWith(drill, (cluster, earlier) => live(name, drill, cluster, earlier));
  const pages = roomFor(Number(values.pages));
  return runWith({ needs: { isDirect: true } }, async (cluster) =>
    idleText(
      await runIdleSockets(cluster, {
        pages,
        memoryOf: async (pid) => (await settledBytes({ of: [pid] })).of,
        say: (text) => say(`  ${text}`),
      }),
    ),
  );
};

async function live(
  name: string,
  drill: Drill,
  cluster: Cluster,
  earlier: string | undefined,
): Promise<string> {
  const visits = Number(values.visits ?? drill.visits ?? 10);
  const report = await runDrill(cluster, drill, {
    visits,
    earlier,
    say: (text) => say(`  ${text}`),
  });
  return textOf(name, drill, report);
}

/** On a cluster of its own. */
async function runWith(
  { needs, startsEarlier = false }: Pick<Drill, 'needs' | 'startsEarlier'>,
  work: (cluster: Cluster, earlier: string | undefined) => Promise<string>,
): Promise<string> {
  const checkout = startsEarlier ? new Checkout(values.previous) : undefined;
  const earlier = checkout?.root;
  let cluster: Cluster | undefined;
  const stop = async () => {
    await cluster?.stop();
    checkout?.close();
  };
  const interrupted = () => void stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    cluster = await Cluster.start({
      gateways: 2,
      nodes: 2,
      namespaces: values.namespaces,
      ...needs,
      ...(earlier === undefined ? {} : { root: earlier }),
      log: (line) => say(`  ${line}`),
    });
    const text = await work(cluster, earlier);
    process.stdout.write(`\n${text}\n`);
    return text;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await stop();
  }
}

const names = [...Object.keys(DRILLS), IDLE_SOCKETS];
const where = values.namespaces ? ' --namespaces' : '';
const asked = positionals.includes('all') ? names : positionals;
const unknown = asked.filter((name) => !names.includes(name));
if (asked.length === 0 || unknown.length > 0) {
  for (const name of unknown) say(`There is no drill "${name}".`);
  say(
    'npm run drill -- NAME... [--visits 10] [--pages 10000] [--previous HEAD^] [--namespaces] [--record], or all:\n',
  );
  for (const name of names) say(`  ${name.padEnd(22)}${DRILLS[name]?.what ?? WHAT_IDLE_SOCKETS}`);
  process.exitCode = unknown.length > 0 ? 1 : 0;
} else {
  const failed: string[] = [];
  for (const name of asked) {
    try {
      const body = await run(name);
      if (values.record) record({ command: `npm run drill -- ${name}${where}`, body });
    } catch (error) {
      // The others say something nevertheless.
      say(`${name} could not be carried through: ${error instanceof Error ? error.stack : error}`);
      failed.push(name);
    }
  }
  if (failed.length > 0) {
    say(`\nNot carried through: ${failed.join(', ')}.`);
    process.exitCode = 1;
  }
  releaseMedia();
}
