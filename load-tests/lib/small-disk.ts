import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SIZE = '1m';

/**
 * A disk of its own that can be full: a small tmpfs, for which one must be root on Linux. Otherwise its files
 * are /dev/full, and it is full from the beginning.
 */
export class SmallDisk {
  readonly #dir: string | undefined;
  readonly #files = new Set<string>();

  constructor() {
    this.#dir = isRoot() ? mkdtempSync(join(tmpdir(), 'bedside-disk-')) : undefined;
    if (this.#dir) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', this.#dir]);
  }

  file(name: string): string {
    if (!this.#dir) return '/dev/full';
    const file = join(this.#dir, name);
    this.#files.add(file);
    return file;
  }

  /** Nothing more goes on it, and nothing into what its files have left of their last pages. */
  fill(): void {
    if (!this.#dir) return;
    for (const file of [join(this.#dir, 'filler'), ...this.#files]) fill(file);
  }

  /** There is room again. */
  free(): void {
    if (this.#dir) rmSync(join(this.#dir, 'filler'), { force: true });
  }

  close(): void {
    if (!this.#dir) return;
    execFileSync('umount', ['--lazy', this.#dir]);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

const isRoot = () => process.platform === 'linux' && process.getuid?.() === 0;

function fill(file: string): void {
  for (let size = 1 << 16; size >= 1; size >>= 1) {
    const filler = Buffer.alloc(size, '\n');
    try {
      for (;;) appendFileSync(file, filler);
    } catch {
      // So much does not fit any more.
    }
  }
}
