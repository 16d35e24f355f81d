/**
 * `npm run drill -- NAME`: one fault against live media on a cluster of two gateways behind HAProxy and two
 * nodes, and what the participants felt of it. Without a name it lists the drills; `all` runs each.
 */
import { parseArgs } from 'node:util';
import { DRILLS, type Drill } from './drills/catalogue.ts';
import { Cluster } from './drills/cluster.ts';
import { type Felt, type Report, runDrill } from './drills/drill.ts';
import { Checkout } from './lib/checkout.ts';
import { record, table } from './lib/results.ts';
import { percentile } from './lib/statistics.ts';
import { releaseMedia } from './native/media-transport.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** 10 where neither this nor the drill says. */
    visits: { type: 'string' },
    /** The commit that `rolling-upgrade` comes from. */
    previous: { type: 'string', default: 'HEAD^' },
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
    `The process that measures stood still for up to ${Math.round(report.ownMs)} ms meanwhile. Visits affected (over 200 ms): ${affected}. Participants who set up media anew: ${rejoined}. Flows that had not come back half a minute after the fault's time: ${report.notBack}; once it was mended: ${report.neverBack}. Participants whose session ended: ${report.gone}. ` +
      `Commands at what was struck, slowest of each visit, ms: ${spread(commands.slowest)}; in all ${commands.acknowledged} acknowledged, ${commands.refused} refused, **${commands.lost} lost**. ` +
      `Left over at the nodes: ${inAll(report.leaks)} with the visits there, ${inAll(report.leftBehind)} after them; at the gateways ${report.leftAtGateways}, and ${report.keysLeft} keys in Redis.`,
  ].join('\n');
}

async function run(name: string, drill: Drill): Promise<string> {
  say(`\n${name}: ${drill.what}`);
  const checkout = drill.startsEarlier ? new Checkout(values.previous) : undefined;
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
      ...drill.needs,
      ...(earlier === undefined ? {} : { root: earlier }),
      log: (line) => say(`  ${line}`),
    });
    const visits = Number(values.visits ?? drill.visits ?? 10);
    const report = await runDrill(cluster, drill, {
      visits,
      earlier,
      say: (text) => say(`  ${text}`),
    });
    const text = textOf(name, drill, report);
    process.stdout.write(`\n${text}\n`);
    return text;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await stop();
  }
}

const asked = positionals.includes('all') ? Object.keys(DRILLS) : positionals;
const unknown = asked.filter((name) => !Object.hasOwn(DRILLS, name));
if (asked.length === 0 || unknown.length > 0) {
  for (const name of unknown) say(`There is no drill "${name}".`);
  say('npm run drill -- NAME... [--visits 10] [--previous HEAD^] [--record], or all:\n');
  for (const [name, { what }] of Object.entries(DRILLS)) say(`  ${name.padEnd(22)}${what}`);
  process.exitCode = unknown.length > 0 ? 1 : 0;
} else {
  const failed: string[] = [];
  for (const name of asked) {
    try {
      const body = await run(name, DRILLS[name] as Drill);
      if (values.record) record({ command: `npm run drill -- ${name}`, body });
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
