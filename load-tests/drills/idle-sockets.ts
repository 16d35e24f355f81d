import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { eachOf, until } from '../lib/wait.ts';
import type { Cluster, DrillGateway } from './cluster.ts';
import { IdlePage } from './idle-page.ts';

/** A balancer has two files open for each, beside its own. */
const FILES_FOR_A_SOCKET = 2;
const FILES_BESIDE = 1_000;
const PAGES_OF_A_VISIT = 4;
/** Pages that come at the same time, before the fault. */
const WIDTH = 200;
/** So many pages from one address, of which a connection takes a port each. */
const PAGES_OF_AN_ADDRESS = 10_000;
const BACK_DEADLINE_MS = 120_000;
const WINDOW_MS = 100;

export interface IdleReport {
  readonly pages: number;
  /** Of the gateway that has them, for each. */
  readonly bytesPerPage: number;
  /** From the gateway's death until it was back for good, in ms, of each page. */
  readonly back: number[];
  /** How often a page that was back was lost again. */
  readonly lostAgain: number;
  /** The most that came back within a tenth of a second. */
  readonly peak: number;
  /** Refusals on the way, by code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** As many pages as are asked for, or as this process and its children may have. */
export function roomFor(pages: number): number {
  const wanted = pages * FILES_FOR_A_SOCKET + FILES_BESIDE;
  // For who may: root. Children inherit it.
  spawnSync('prlimit', [`--pid=${process.pid}`, `--nofile=${wanted}:${wanted}`]);
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const open = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1_024);
  return Math.min(pages, Math.floor((open - FILES_BESIDE) / FILES_FOR_A_SOCKET));
}

export interface IdleOptions {
  readonly pages: number;
  /** Of a process, in bytes. */
  readonly memoryOf: (pid: number) => Promise<number>;
  readonly say?: (text: string) => void;
}

/** Pages that do nothing are all at one gateway, which is killed: they come to the other one. */
export async function runIdleSockets(
  cluster: Cluster,
  { pages: count, memoryOf, say = () => {} }: IdleOptions,
): Promise<IdleReport> {
  const [gateway, heir] = cluster.gateways as [DrillGateway, DrillGateway];
  const pages: IdlePage[] = [];
  const backAt = new Map<number, number>();
  let lostAgain = 0;
  const refused: Record<string, number> = {};
  let killedAt = Number.POSITIVE_INFINITY;
  const welcomedNow = () => pages.filter(({ isWelcomed }) => isWelcomed).length;
  try {
    const before = await memoryOf(gateway.pid);
    say(`${count} pages come to one gateway`);
    await eachOf(Array.from({ length: count }), WIDTH, async (_, index) => {
      const visit = `idle-${Math.floor(index / PAGES_OF_A_VISIT)}`;
      const token = await cluster.token({ visit, participant: `page-${index}`, role: 'patient' });
      await new Promise<void>((resolve) => {
        const page = new IdlePage(
          {
            url: cluster.url,
            token,
            gateway: gateway.id,
            address: `127.0.9.${1 + Math.floor(index / PAGES_OF_AN_ADDRESS)}`,
          },
          {
            welcomed(at) {
              if (at > killedAt) backAt.set(index, at - killedAt);
              resolve();
            },
            lost: () => {
              if (backAt.has(index)) lostAgain += 1;
            },
            refused(code) {
              refused[code] = (refused[code] ?? 0) + 1;
            },
          },
        );
        pages.push(page);
      });
    });
    const { sockets } = await gateway.holds();
    if (sockets < count) throw new Error(`only ${sockets} of ${count} pages are at one gateway`);
    const after = await memoryOf(gateway.pid);
    for (const code of Object.keys(refused)) delete refused[code];

    say('the gateway is killed');
    killedAt = performance.now();
    await gateway.kill();
    await until(
      'all pages to be lost',
      async () => welcomedNow(),
      (now) => now < count,
    );
    await until(
      'all pages to be back',
      async () => welcomedNow(),
      (now) => now === count,
      BACK_DEADLINE_MS,
    ).catch((error) => say(String(error)));
    await delay(WINDOW_MS);
    const there = await heir.holds();
    say(`${there.sockets} pages are at the other gateway`);
    const back = [...backAt.values()];
    return {
      pages: count,
      bytesPerPage: (after - before) / count,
      back,
      lostAgain,
      peak: peakOf(back),
      refused,
    };
  } finally {
    for (const page of pages) page.close();
  }
}

/** The most within any window that begins with one of them. */
function peakOf(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [index, time] of sorted.entries()) {
    while (time - (sorted[first] ?? time) > WINDOW_MS) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
