import type { VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Clinics, ClinicTelemetry } from '../../ports.ts';
import { type ClinicKey, clinicKey } from '../keys.ts';
import type { QueueStore } from './store.ts';

/** Entries in one call of Redis. */
const BATCH = 100;
/** While Redis is away it is tried again after these delays, milliseconds, with jitter. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 1_000;

export interface QueueWriterOptions {
  store: QueueStore;
  clock: Clock;
  telemetry: Pick<ClinicTelemetry, 'queueEntries' | 'unwrittenEntries'>;
  /** Milliseconds after which each entry is written again, so that it does not expire. */
  refreshMs: number;
}

/**
 * What the visits of this gateway say of themselves in the queues of their clinics. Of each visit the
 * newest word is kept; that of one which is in no queue any more goes once it is written. There are
 * never more than this gateway has visits, since none is opened while Redis is away.
 */
export class QueueWriter implements Clinics {
  readonly #options: QueueWriterOptions;
  readonly #clinics = new Map<ClinicKey, ClinicWriter>();
  #standing = 0;
  #unwritten = 0;

  constructor(options: QueueWriterOptions) {
    this.#options = options;
  }

  entryChanged(...[{ tenant, clinic }, visit, entry, epoch]: Parameters<Clinics['entryChanged']>) {
    const key = clinicKey(tenant, clinic);
    let writer = this.#clinics.get(key);
    if (!writer) {
      writer = new ClinicWriter(key, {
        ...this.#options,
        count: (standing, unwritten) => this.#count(standing, unwritten),
        onEmpty: () => this.#clinics.delete(key),
      });
      this.#clinics.set(key, writer);
    }
    writer.put(visit, { epoch, json: entry && JSON.stringify(entry), written: false });
  }

  forget(visit: VisitKey): void {
    for (const writer of this.#clinics.values()) writer.forget(visit);
  }

  /** One try to write what is unwritten. The entries stay in Redis, for those who take the visits up. */
  async stop(): Promise<void> {
    await Promise.all([...this.#clinics.values()].map((writer) => writer.stop()));
  }

  #count(standing: number, unwritten: number): void {
    const { telemetry } = this.#options;
    this.#standing += standing;
    this.#unwritten += unwritten;
    if (standing !== 0) telemetry.queueEntries(this.#standing);
    if (unwritten !== 0) telemetry.unwrittenEntries(this.#unwritten);
  }
}

interface Word {
  epoch: number;
  /** Undefined: in the queue no more. */
  json: string | undefined;
  written: boolean;
}

interface ClinicWriterOptions extends QueueWriterOptions {
  /** By how much the counts of entries and of unwritten ones grew or fell. */
  count: (standing: number, unwritten: number) => void;
  onEmpty: () => void;
}

/** Writes the entries of one clinic, one batch at a time. */
class ClinicWriter {
  readonly #clinic: ClinicKey;
  readonly #options: ClinicWriterOptions;
  readonly #words = new Map<VisitKey, Word>();
  /** To be written next. */
  readonly #due = new Set<VisitKey>();
  #writing: Promise<void> | undefined;
  #failures = 0;
  #stopped = false;
  #cancelRetry = () => {};
  #cancelRefresh: (() => void) | undefined;

  constructor(clinic: ClinicKey, options: ClinicWriterOptions) {
    this.#clinic = clinic;
    this.#options = options;
  }

  put(visit: VisitKey, word: Word): void {
    const before = this.#words.get(visit);
    if (before && (before.epoch > word.epoch || isSame(before, word))) return;
    this.#replace(visit, word);
    this.#due.add(visit);
    if (this.#failures === 0) void this.#write();
  }

  forget(visit: VisitKey): void {
    this.#due.delete(visit);
    this.#replace(visit, undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#write();
    this.#cancelRefresh?.();
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Changes of one turn of the event loop go out together.
    await Promise.resolve();
    this.#cancelRetry();
    try {
      while (this.#due.size > 0) await this.#writeBatch([...this.#due].slice(0, BATCH));
      this.#failures = 0;
    } catch {
      const backoff = Math.min(RETRY_MIN_MS * 2 ** this.#failures++, RETRY_MAX_MS);
      this.#cancelRetry = this.#after(backoff, () => void this.#write());
    }
    // In one go with the last look at what is due: no change falls in between.
    this.#writing = undefined;
    if (this.#words.size > 0) {
      this.#cancelRefresh ??= this.#after(this.#options.refreshMs, () => this.#refresh());
    } else {
      this.#cancelRefresh?.();
      this.#options.onEmpty();
    }
  }

  async #writeBatch(visits: readonly VisitKey[]): Promise<void> {
    const words = visits.flatMap((visit) => {
      const word = this.#words.get(visit);
      return word ? [{ visit, word }] : [];
    });
    const refused = await this.#options.store.write(
      this.#clinic,
      words.map(({ visit, word }) => ({ visit, epoch: word.epoch, entry: word.json })),
    );
    for (const { visit, word } of words) {
      // What was replaced meanwhile stays due.
      if (this.#words.get(visit) !== word) continue;
      this.#due.delete(visit);
      const stays = word.json !== undefined && !refused.includes(visit);
      this.#replace(visit, stays ? { ...word, written: true } : undefined);
    }
  }

  #replace(visit: VisitKey, word: Word | undefined): void {
    const before = this.#words.get(visit);
    if (word) this.#words.set(visit, word);
    else this.#words.delete(visit);
    this.#options.count(
      Number(word?.json !== undefined) - Number(before?.json !== undefined),
      Number(word?.written === false) - Number(before?.written === false),
    );
  }

  #refresh(): void {
    this.#cancelRefresh = undefined;
    for (const visit of this.#words.keys()) this.#due.add(visit);
    if (this.#failures === 0) void this.#write();
  }

  #after(ms: number, run: () => void): () => void {
    if (this.#stopped) return () => {};
    return this.#options.clock.after(ms * (0.75 + Math.random() / 4), run);
  }
}

const isSame = (one: Word, other: Word): boolean =>
  one.epoch === other.epoch && one.json === other.json;
