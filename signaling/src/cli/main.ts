#!/usr/bin/env node
/**
 * `bedside`, the command line of who runs a cluster. Reads the variables about Redis and control links
 * that gateways do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { toBedsideError } from '@bedside/protocol';
import { readControlSettings, readRedisSettings, redisFault } from '@bedside/service';
import { pino } from 'pino';
import { ControlCredentials } from '../nodes/handshake.ts';
import { members, NodeControl } from './cluster.ts';

const USAGE = `Usage:
  bedside members          who is in the cluster: gateways and nodes, their state and version
  bedside drain NODE       have all visits of a node go elsewhere, while they go on; ends when it is empty
  bedside undrain NODE     have a node take visits again

Environment, as that of gateways (docs/configuration.md):
  BEDSIDE_REDIS_…          Redis of the cluster (redis://127.0.0.1:6379)
  BEDSIDE_CONTROL_…        secret and certificates of the control links
`;
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;
const LOOK_MS = 500;

const redis = readRedisSettings(process.env, 'redis://127.0.0.1:6379');
// Where the node is shows later, and what the built-in secret is good for with it.
const control = readControlSettings(process.env, true, '');
const problems = [...redis.problems, ...control.problems];
if (!redis.settings || problems.length > 0) {
  process.stderr.write(`The environment is not right:\n  ${problems.join('\n  ')}\n`);
  process.exit(EXIT_CONFIG);
}
const settings = redis.settings;
const credentials = new ControlCredentials(control.settings, pino({ level: 'silent' }));
const say = (line: string) => process.stdout.write(`${line}\n`);

const counted = (visits: number) => `${visits} ${visits === 1 ? 'visit' : 'visits'}`;

class Refusal extends Error {}

async function showMembers(): Promise<void> {
  const rows = [
    ['KIND', 'ID', 'STATE', 'REGION', 'VERSION', 'ADDRESS'],
    ...(await members(settings)).map(({ kind, id, state, region, version, address }) => [
      ...[kind, id, state, region, version, address],
    ]),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  for (const row of rows)
    say(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

async function drain(id: string, draining: boolean): Promise<void> {
  const all = await members(settings);
  const node = all.find((member) => member.kind === 'node' && member.id === id);
  if (!node) {
    const known = all.filter(({ kind }) => kind === 'node').map((each) => each.id);
    throw new Refusal(`No node ${id} is in the cluster. There are: ${known.join(', ') || 'none'}.`);
  }
  const control = new NodeControl(node.address, credentials);
  try {
    let { visits } = await control.drain(draining);
    if (!draining) {
      say(`${id} takes visits again, and has ${counted(visits)}.`);
      return;
    }
    for (let said = -1; visits > 0; { visits } = await control.drain(true)) {
      if (visits !== said) say(`${id}: ${counted(visits)} left`);
      said = visits;
      await sleep(LOOK_MS);
    }
    say(`${id} is empty. Stop it, or have it take visits again: bedside undrain ${id}`);
  } finally {
    control.close();
  }
}

const [command, node, ...more] = process.argv.slice(2);
try {
  if (command === 'members' && node === undefined) await showMembers();
  else if ((command === 'drain' || command === 'undrain') && node && more.length === 0)
    await drain(node, command === 'drain');
  else {
    process.stderr.write(USAGE);
    process.exitCode = command === 'help' || command === '--help' ? 0 : EXIT_USAGE;
  }
} catch (thrown) {
  const error = toBedsideError(thrown);
  const texts: Partial<Record<typeof error.code, string>> = {
    'state-unavailable': `Redis ${redisFault(error.cause)}. Are the variables BEDSIDE_REDIS_… right?`,
    forbidden: 'The built-in control secret is for one machine only. Set BEDSIDE_CONTROL_SECRET.',
    unauthorized: 'The node refuses. Is BEDSIDE_CONTROL_SECRET the cluster’s?',
    'connection-failed': 'The node does not answer at its address. Is it reachable from here?',
  };
  const text = thrown instanceof Refusal ? thrown.message : (texts[error.code] ?? error.message);
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}
