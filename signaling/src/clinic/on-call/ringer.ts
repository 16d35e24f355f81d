import type { ParticipantId, RingEndReason, VisitId, VisitKind } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { CallDesk } from '../../ports.ts';
import type { Call } from '../../visit/call.ts';
import type { ClinicKey } from '../keys.ts';
import { isExhausted, whomToRing } from './matching.ts';
import type { OnCallStore } from './store.ts';

/** So often a call is looked at, milliseconds: messages may be lost, and a gateway that was killed says nothing. */
const LOOK_MS = 1_000;

export interface RingerOptions {
  store: Pick<OnCallStore, 'read' | 'people' | 'ring' | 'end'>;
  clock: Clock;
  clinic: ClinicKey;
  visit: VisitId;
  kind: VisitKind;
  call: Call;
  signals: Parameters<CallDesk['follow']>[2];
}

/**
 * One call, for the gateway that owns its visit. Each look makes what rings equal to what Redis says of
 * who is on call and who has declined; nothing is remembered that a look would not find.
 */
export class Ringer {
  readonly #options: RingerOptions;
  #call: Call;
  /** How the call ended; undefined while it rings. */
  #reason: RingEndReason | undefined;
  /** Redis has that end. */
  #told = false;
  /** Whom the last look rang, for which group. */
  #rung: { index: number; people: ReadonlySet<ParticipantId> } | undefined;
  #looking = false;
  #again = false;
  #closed = false;
  #cancelLook = () => {};

  constructor(options: RingerOptions) {
    this.#options = options;
    this.#call = options.call;
  }

  /** Rings the call's group. When its time is over, the visit says. */
  ring(call: Call): void {
    this.#call = call;
    this.#reason = undefined;
    this.look();
  }

  /** Whoever is rung is told, as soon as Redis is there. Idempotent. */
  end(reason: RingEndReason): void {
    if (this.#reason === reason) return;
    this.#reason = reason;
    this.#told = false;
    this.look();
  }

  /** What rings rings on, for another gateway; an end that Redis has not is told, if it is there. */
  close(): void {
    this.#closed = true;
    this.#cancelLook();
    if (!this.#isDone) this.look();
  }

  /** Something may have changed. */
  look(): void {
    this.#again = true;
    if (!this.#looking) void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    this.#looking = true;
    this.#cancelLook();
    while (this.#again && !this.#isDone) {
      this.#again = false;
      // Away: the next look is due anyway.
      await (this.#reason === undefined ? this.#lookOnce() : this.#tell(this.#reason)).catch(
        () => {},
      );
    }
    this.#looking = false;
    if (!this.#isDone && !this.#closed)
      this.#cancelLook = this.#options.clock.after(LOOK_MS, () => this.look());
  }

  get #isDone(): boolean {
    return this.#reason === undefined ? this.#closed : this.#told;
  }

  async #lookOnce(): Promise<void> {
    const { store, clock, clinic, visit, kind, signals } = this.#options;
    const call = this.#call;
    const [record, people] = await Promise.all([store.read(clinic, call.id), store.people(clinic)]);
    if (this.#closed || this.#call !== call || this.#reason !== undefined) {
      this.#again = true;
      return;
    }
    if (record.by !== undefined) return signals.accepted(call.id, record.by);
    const rung = whomToRing(call, people, record.declined);
    const exhausted = isExhausted(call.index, rung, this.#rung);
    this.#rung = { index: call.index, people: new Set(rung.map(({ person }) => person)) };
    if (exhausted) return signals.exhausted(call.id, call.index);
    await store.ring(clinic, {
      call: call.id,
      index: call.index,
      visit,
      role: call.role,
      kind,
      forMs: Math.max(0, call.until - clock.now()),
      people: rung,
    });
  }

  async #tell(reason: RingEndReason): Promise<void> {
    const { store, clinic, signals } = this.#options;
    const by = await store.end(clinic, this.#call.id, reason);
    if (this.#reason !== reason) return;
    this.#told = true;
    // Accepted as it was given up: theirs, if the visit says so.
    if (by !== undefined && reason === 'unanswered') signals.accepted(this.#call.id, by);
  }
}
