import { write as writeTo } from 'node:fs';

/** Characters that may wait to be written; whoever reads the log may be slow. */
const WAITING_MAX = 1_000_000;
/** A pipe that is full is tried again after this, milliseconds. */
const RETRY_MS = 50;
/** What lasts is said again after this, milliseconds. */
const REPEAT_MS = 60_000;

interface LogOutputOptions {
  /** A file descriptor. */
  fd: number;
  /** Says what can't be said in the log. */
  complain: (text: string) => void;
  /** What is written arrives again, and so many lines did not. */
  onReturned: (lost: number) => void;
  write?: (
    fd: number,
    bytes: Buffer,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ) => void;
}

/**
 * Where log lines go. A full disk, or a reader who is gone, costs lines and nothing else: the process goes on,
 * says so elsewhere, and in the log as soon as that is written again.
 */
export class LogOutput {
  readonly #options: Required<LogOutputOptions>;
  #waiting: string[] = [];
  #waitingLength = 0;
  /** What is being written, and the lines in it. */
  #writing: { bytes: Buffer; lines: number } | undefined;
  #lost = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(options: LogOutputOptions) {
    this.#options = { write: writeTo, ...options };
  }

  write(line: string): void {
    if (this.#waitingLength > WAITING_MAX) {
      this.#lose(1, 'nobody reads it');
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    if (!this.#writing) this.#next();
  }

  #next(): void {
    this.#writing = this.#take();
    if (this.#writing) this.#try(this.#writing);
  }

  #take(): { bytes: Buffer; lines: number } | undefined {
    const lines = this.#waiting.length;
    if (lines === 0) return undefined;
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#waitingLength = 0;
    return { bytes, lines };
  }

  #try({ bytes, lines }: { bytes: Buffer; lines: number }): void {
    this.#options.write(this.#options.fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#try({ bytes, lines }), RETRY_MS).unref();
        return;
      }
      if (!error && written < bytes.length) {
        this.#writing = { bytes: bytes.subarray(written), lines };
        this.#try(this.#writing);
        return;
      }
      this.#writing = undefined;
      if (error) this.#lose(lines, error.code ?? error.message);
      else this.#arrived();
      if (!this.#writing) this.#next();
    });
  }

  #arrived(): void {
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#complainedAt = Number.NEGATIVE_INFINITY;
    this.#options.onReturned(lost);
  }

  #lose(lines: number, why: string): void {
    this.#lost += lines;
    const now = performance.now();
    if (now - this.#complainedAt < REPEAT_MS) return;
    this.#complainedAt = now;
    this.#options.complain(`the log can not be written (${why}): lines are lost\n`);
  }
}
