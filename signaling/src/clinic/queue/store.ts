import { QueueEntry, type VisitKey } from '@bedside/protocol';
import type { RedisCalls } from '@bedside/service';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import { type ClinicKey, clinicKeys } from '../keys.ts';
import { READ, WRITE } from './scripts.ts';

/** For how long a removed entry is remembered, milliseconds: longer than an owner can be late. */
const REMOVED_LIFE_MS = 60 * 60 * 1000;

export interface QueueChange {
  visit: VisitKey;
  /** Of the visit's lease. */
  epoch: number;
  /** Undefined removes it. */
  entry: string | undefined;
}

/** The queues of clinics in Redis. Calls throw as RedisCalls. */
export interface QueueStore {
  /** Resolves with the visits that another owner has written since, which were left as they are. */
  write(clinic: ClinicKey, changes: readonly QueueChange[]): Promise<VisitKey[]>;
  /** The entries there are, of these visits or of all. */
  read(clinic: ClinicKey, visits: readonly VisitKey[] | 'all'): Promise<Map<VisitKey, QueueEntry>>;
}

const Texts = z.array(z.pipe(z.instanceof(Buffer), z.transform(String)));

export class RedisQueueStore implements QueueStore {
  readonly #calls: RedisCalls;
  readonly #entryLifeMs: number;
  readonly #log: Logger;

  /** `entryLifeMs`: an entry that is not written again for so long is gone. */
  constructor(calls: RedisCalls, entryLifeMs: number, log: Logger) {
    this.#calls = calls;
    this.#entryLifeMs = entryLifeMs;
    this.#log = log;
  }

  async write(clinic: ClinicKey, changes: readonly QueueChange[]): Promise<VisitKey[]> {
    const { queue, queueChanges } = clinicKeys(clinic);
    const refused = await this.#calls.run(
      'write-queue',
      WRITE,
      [queue],
      [
        queueChanges,
        this.#entryLifeMs,
        REMOVED_LIFE_MS,
        ...changes.flatMap(({ visit, epoch, entry }) => [visit, epoch, entry ?? '']),
      ],
    );
    return Texts.parse(refused) as VisitKey[];
  }

  async read(
    clinic: ClinicKey,
    visits: readonly VisitKey[] | 'all',
  ): Promise<Map<VisitKey, QueueEntry>> {
    const which = visits === 'all' ? [] : visits;
    const found = Texts.parse(
      await this.#calls.run('read-queue', READ, [clinicKeys(clinic).queue], which),
    );
    const entries = new Map<VisitKey, QueueEntry>();
    for (let i = 0; i + 1 < found.length; i += 2) {
      const entry = this.#parse(found[i + 1] as string);
      if (entry) entries.set(found[i] as VisitKey, entry);
    }
    return entries;
  }

  /** One that this version can not read is another version's: it is not shown. */
  #parse(json: string): QueueEntry | undefined {
    try {
      return QueueEntry.parse(JSON.parse(json));
    } catch {
      this.#log.error('an entry of a queue in Redis does not match its schema; it is not shown');
      return undefined;
    }
  }
}
