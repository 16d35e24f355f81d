import { isDeepStrictEqual } from 'node:util';
import type { ParticipantId, VisitKey } from '@bedside/protocol';
import type { CallDesk, Clinics } from '../ports.ts';
import type { Call } from '../visit/call.ts';
import type { Command } from '../visit/decide.ts';
import { engagedIn } from '../visit/engaged.ts';
import { queueEntryOf } from '../visit/queue-entry.ts';
import type { Visit } from '../visit/state.ts';
import type { Quality } from './quality.ts';

export interface ClinicTiesOptions {
  key: VisitKey;
  epoch: number;
  clinics: Clinics;
  calls: CallDesk;
  now: () => number;
  qualityOf: (id: ParticipantId) => ReturnType<Quality['of']>;
  /** Somebody took a call, or nobody of a group did. */
  happen: (command: Command) => void;
}

/** What a visit's clinic hears of it, where that changed: who waits, who is rung, who is in it. */
export class ClinicTies {
  readonly #options: ClinicTiesOptions;
  #entry: ReturnType<typeof queueEntryOf>;
  #calls: readonly Call[] | undefined;
  #engaged: ReturnType<typeof engagedIn> = [];

  constructor(options: ClinicTiesOptions) {
    this.#options = options;
  }

  follow(visit: Visit): void {
    this.tellQueue(visit);
    this.#tellEngaged(visit);
    if (visit.calls) this.#followCalls(visit);
  }

  /** The queue, of who waits and how well they are seen. */
  tellQueue(visit: Visit): void {
    const { clinics, key, epoch, qualityOf } = this.#options;
    const { tenant, policy } = visit;
    if (policy.clinic === undefined) return;
    const entry = queueEntryOf(visit, qualityOf);
    if (isDeepStrictEqual(entry, this.#entry)) return;
    this.#entry = entry;
    clinics.entryChanged({ tenant, clinic: policy.clinic }, key, entry, epoch);
  }

  /** Redis may have lost what it was told. */
  repeat(visit: Visit): void {
    this.#entry = undefined;
    this.tellQueue(visit);
  }

  /** The visit is not this gateway's any more. */
  forget(): void {
    const { clinics, calls, key } = this.#options;
    if (this.#calls || this.#engaged.length > 0) calls.forget(key);
    if (this.#entry) clinics.forget(key);
  }

  /** Nobody rings those who are in the visit. */
  #tellEngaged(visit: Visit): void {
    const { tenant, policy } = visit;
    if (policy.clinic === undefined) return;
    const engaged = engagedIn(visit);
    if (isDeepStrictEqual(engaged, this.#engaged)) return;
    this.#engaged = engaged;
    const { calls, key } = this.#options;
    calls.engage({ tenant, clinic: policy.clinic, key }, engaged);
  }

  /** Has the desk ring as the visit's calls say. */
  #followCalls({ tenant, visit, kind, policy, calls = [] }: Visit): void {
    if (policy.clinic === undefined || calls === this.#calls) return;
    this.#calls = calls;
    const { calls: desk, key, now, happen } = this.#options;
    desk.follow({ tenant, clinic: policy.clinic, visit, key, kind }, calls, {
      accepted: (call, person) => happen({ type: 'call-accepted', now: now(), call, person }),
      exhausted: (call, group) => happen({ type: 'call-exhausted', now: now(), call, group }),
    });
  }
}
