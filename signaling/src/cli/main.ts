#!/usr/bin/env node
/**
 * `bedside`, the command line of who runs a cluster. Reads BEDSIDE_REDIS_URL and BEDSIDE_CONTROL_SECRET, as
 * gateways do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LOOPBACK_CONTROL_SECRET, toBedsideError } from '@bedside/protocol';
import { members, NodeControl } from './cluster.ts';

const USAGE = `Usage:
  bedside members          who is in the cluster: gateways and nodes, their state and version
  bedside drain NODE       have all visits of a node go elsewhere, while they go on; ends when it is empty
  bedside undrain NODE     have a node take visits again

Environment:
  BEDSIDE_REDIS_URL        Redis of the cluster (redis://127.0.0.1:6379)
  BEDSIDE_CONTROL_SECRET   the secret of the control links
`;
const EXIT_USAGE = 64;
const LOOK_MS = 500;

const redisUrl = process.env.BEDSIDE_REDIS_URL || 'redis://127.0.0.1:6379';
const secret = process.env.BEDSIDE_CONTROL_SECRET || LOOPBACK_CONTROL_SECRET;
const say = (line: string) => process.stdout.write(`${line}\n`);

class Refusal extends Error {}

async function showMembers(): Promise<void> {
  const rows = [
    ['KIND', 'ID', 'STATE', 'REGION', 'VERSION', 'ADDRESS'],
    ...(await members(redisUrl)).map(({ kind, id, state, region, version, address }) => [
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
  const all = await members(redisUrl);
  const node = all.find((member) => member.kind === 'node' && member.id === id);
  if (!node) {
    const known = all.filter(({ kind }) => kind === 'node').map((each) => each.id);
    throw new Refusal(`No node ${id} is in the cluster. There are: ${known.join(', ') || 'none'}.`);
  }
  const control = new NodeControl(node.address, secret);
  try {
    let { visits } = await control.drain(draining);
    if (!draining) {
      say(`${id} takes visits again; ${visits} are there.`);
      return;
    }
    for (let said = -1; visits > 0; { visits } = await control.drain(true)) {
      if (visits !== said) say(`${id}: ${visits} visits left`);
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
    'state-unavailable': 'Redis does not answer. Is BEDSIDE_REDIS_URL right?',
    unauthorized: 'The node refuses. Is BEDSIDE_CONTROL_SECRET the cluster’s?',
    'connection-failed': 'The node does not answer at its address. Is it reachable from here?',
  };
  const text = thrown instanceof Refusal ? thrown.message : (texts[error.code] ?? error.message);
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}
