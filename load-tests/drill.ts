/**
 * `npm run drill -- NAME`: one fault against live media on a cluster of two gateways behind HAProxy and two
 * nodes, and what the participants felt of it. Without a name it lists the drills; `all` runs each.
 */
import { parseArgs } from 'node:util';
import { DRILLS, type Drill } from './drills/catalogue.ts';
import { Cluster } from './drills/cluster.ts';
import { runDrill } from './drills/drill.ts';
import { roomFor, runIdleSockets } from './drills/idle-sockets.ts';
import { idleText, rowOf, summaryOf, textOf } from './drills/report.ts';
import { Checkout } from './lib/checkout.ts';
import { settledBytes } from './lib/processes.ts';
import { record } from './lib/results.ts';
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

/** Of the drills that were carried through, for the table of all. */
const rows: string[][] = [];

const IDLE_SOCKETS = 'idle-sockets';
const WHAT_IDLE_SOCKETS =
  'A gateway with 10,000 pages that do nothing is killed: all come back at the other one';

const run = (name: string): Promise<string> => {
  const drill = DRILLS[name];
  say(`\n${name}: ${drill?.what ?? WHAT_IDLE_SOCKETS}`);
  if (drill) return runWith(drill, (cluster, earlier) => live(name, drill, cluster, earlier));
  const pages = roomFor(Number(values.pages));
  return runWith({ needs: { isDirect: true } }, async (cluster) =>
    idleText(
      WHAT_IDLE_SOCKETS,
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
  rows.push(rowOf(name, report));
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
const isAll = positionals.includes('all');
const asked = isAll ? names : positionals;
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
      // Of all there is one table; what has no row in it, and what is run by itself, is told in full.
      if (values.record && (!isAll || !DRILLS[name]))
        record({ command: `npm run drill -- ${name}${where}`, body });
    } catch (error) {
      // The others say something nevertheless.
      say(`${name} could not be carried through: ${error instanceof Error ? error.stack : error}`);
      failed.push(name);
    }
  }
  if (isAll) {
    const whats = Object.fromEntries(
      Object.entries(DRILLS).map(([name, { what }]) => [name, what]),
    );
    const body = summaryOf(rows, whats, failed);
    process.stdout.write(`\n${body}\n`);
    if (values.record) record({ command: `npm run drill -- all${where}`, body });
  }
  if (failed.length > 0) {
    say(`\nNot carried through: ${failed.join(', ')}.`);
    process.exitCode = 1;
  }
  releaseMedia();
}
