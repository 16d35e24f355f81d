import { table } from '../lib/results.ts';
import { percentile } from '../lib/statistics.ts';
import type { Drill } from './catalogue.ts';
import type { Felt, Report } from './drill.ts';
import type { IdleReport } from './idle-sockets.ts';

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

/** All of one drill, in Markdown. */
export function textOf(name: string, { what, lastsMs }: Drill, report: Report): string {
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

/** What of a drill goes into a table of many, below HEAD. */
export function rowOf(name: string, report: Report): string[] {
  const { visits, struck, affected, atFault, packets, rejoined, gone, commands } = report;
  const left =
    inAll(report.leaks) + inAll(report.leftBehind) + report.leftAtGateways + report.keysLeft;
  return [
    `\`${name}\``,
    `${struck} of ${visits}`,
    `${affected}`,
    spread(atFault.sound),
    spread(atFault.picture),
    `${packets.lost} of ${packets.sent}`,
    `${rejoined}`,
    `${gone}`,
    spread(commands.slowest),
    `${commands.refused}`,
    `${commands.lost}`,
    `${left}`,
    report.load.toFixed(1),
  ];
}

const HEAD = [
  'drill',
  'visits struck',
  'visits affected',
  'silence, ms',
  'no picture, ms',
  'packets of sound lost',
  'set up anew',
  'sessions ended',
  'commands, ms',
  'refused',
  'lost',
  'left over',
  'load',
];

const LEGEND =
  'Visits of two, native participants who come back by the SDK’s own session. Silence, no picture, packets lost and the slowest command are of the visits at what was struck: p50 / p95 / max of the longest of each participant, or visit. Affected: somebody missed sound or picture for over 200 ms (where packets are far apart, for three of them). Set up anew: participants. Left over: at nodes and gateways, and keys in Redis, after up to 60 s. Load: processes that wanted a CPU in the minute before the fault.';

/** Of many drills; `failed` could not be carried through. */
export function summaryOf(
  rows: readonly string[][],
  whats: Readonly<Record<string, string>>,
  failed: readonly string[],
): string {
  return [
    LEGEND,
    '',
    table(HEAD, rows),
    '',
    ...Object.entries(whats).map(([name, what]) => `- \`${name}\`: ${what}.`),
    ...(failed.length > 0 ? ['', `Not carried through: ${failed.join(', ')}.`] : []),
  ].join('\n');
}

export function idleText(
  what: string,
  { pages, bytesPerPage, back, lostAgain, peak, refused }: IdleReport,
): string {
  const refusals = Object.entries(refused).map(([code, count]) => `${count} ${code}`);
  return [
    `**idle-sockets.** ${what}. ${pages} pages, four of each visit, come by HAProxy and come back as the SDK does.`,
    '',
    table(
      [
        'back after its death, ms: p50 / p95 / max',
        'pages back',
        'lost again on the way',
        'most within 100 ms',
        'refused on the way',
        'memory of a page at the gateway, kB',
      ],
      [
        [
          spread(back),
          `${back.length}`,
          `${lostAgain}`,
          `${peak}`,
          refusals.join(', ') || '0',
          (bytesPerPage / 1_024).toFixed(1),
        ],
      ],
    ),
  ].join('\n');
}
