import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Resident memory of a process in bytes, from /proc. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!match?.[1]) throw new Error(`no VmRSS of process ${pid}`);
  return Number(match[1]) * 1024;
}

/** Seconds of a core that a process has used, from /proc, where a tick is 10 ms. */
export function cpuSeconds(pid: number): number {
  // What comes before may have blanks in it: the name of the program.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The processes that a process started: of a node, its mediasoup workers. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const match = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match?.[1] === undefined ? undefined : Number(match[1]);
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** The local ports of a process's TCP connections over IPv4, from /proc. */
export function tcpPortsOf(pid: number): Set<number> {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(pid, fd))?.[1]),
  );
  const ports = new Set<number>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[9] && inodes.has(fields[9]))
      ports.add(Number.parseInt(fields[1]?.split(':')[1] ?? '', 16));
  }
  return ports;
}

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // It was closed meanwhile.
    return '';
  }
}

/** Resident memory of each group of processes, once it has stopped moving (or after 30 s). */
export async function settledBytes<Name extends string>(
  groups: Record<Name, readonly number[]>,
): Promise<Record<Name, number>> {
  const read = () =>
    Object.fromEntries(
      Object.entries<readonly number[]>(groups).map(([name, pids]) => [
        name,
        pids.reduce((bytes, pid) => bytes + residentBytes(pid), 0),
      ]),
    ) as Record<Name, number>;
  const total = (sample: Record<Name, number>) =>
    Object.values<number>(sample).reduce((a, b) => a + b, 0);

  const recent: number[] = [];
  for (let i = 0; i < 60; i += 1) {
    const sample = read();
    recent.push(total(sample));
    const last = recent.slice(-8);
    if (last.length === 8 && Math.max(...last) - Math.min(...last) < 0.002 * total(sample))
      return sample;
    await delay(500);
  }
  return read();
}
