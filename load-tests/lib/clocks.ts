import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Wall clocks of processes, which a drill can shift each by itself. Linux, with a C compiler. */
export class Clocks {
  readonly #dir = mkdtempSync(join(tmpdir(), 'bedside-clocks-'));

  constructor() {
    const library = join(this.#dir, 'shifted-clock.so');
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, file('shifted-clock.c')]);
    this.shift('redis', 0);
  }

  /** Of a node or gateway. */
  get serviceEnv(): Record<string, string> {
    return {
      DRILL_CLOCKS: this.#dir,
      NODE_OPTIONS: `--import=${file('shifted-clock.mjs')}`,
    };
  }

  /** Of Redis. */
  get redisEnv(): Record<string, string> {
    return {
      DRILL_CLOCK: join(this.#dir, 'redis'),
      LD_PRELOAD: join(this.#dir, 'shifted-clock.so'),
    };
  }

  /** From now on the clock of this gateway, node, or `redis`, is ahead of the machine's by so many ms. */
  shift(id: string, ms: number): void {
    const shift = Buffer.alloc(8);
    shift.writeBigInt64LE(BigInt(ms));
    // In place, where it may be mapped, and in one piece.
    const opened = openSync(join(this.#dir, id), constants.O_RDWR | constants.O_CREAT);
    writeSync(opened, shift, 0, 8, 0);
    closeSync(opened);
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
