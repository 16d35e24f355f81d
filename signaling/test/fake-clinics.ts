import type { CallId, ParticipantId, QueueEntry, VisitKey } from '@bedside/protocol';
import type { CallDesk, Clinics, GuestTokens } from '../src/ports.ts';
import type { Call } from '../src/visit/call.ts';

/** A clinic at the ports: remembers what it was told, and rings when the test says so. */
export class FakeClinics implements Clinics, CallDesk, GuestTokens {
  readonly entries = new Map<VisitKey, QueueEntry>();
  readonly calls = new Map<CallId, Call>();
  /** Who is in a visit, and so not rung. */
  engaged: string[] = [];
  readonly guests: Parameters<GuestTokens['mint']>[0][] = [];
  #signals: Parameters<CallDesk['follow']>[2] | undefined;

  entryChanged(...[, key, entry]: Parameters<Clinics['entryChanged']>): void {
    if (entry) this.entries.set(key, entry);
    else this.entries.delete(key);
  }

  follow(...[, calls, signals]: Parameters<CallDesk['follow']>): void {
    for (const call of calls) this.calls.set(call.id, call);
    this.#signals = signals;
  }

  engage(...[, people]: Parameters<CallDesk['engage']>): void {
    this.engaged = people.map(({ person }) => person);
  }

  forget(): void {
    this.#signals = undefined;
  }

  accept(call: CallId, person: ParticipantId): void {
    this.#signals?.accepted(call, person);
  }

  exhaust(call: CallId, group: number): void {
    this.#signals?.exhausted(call, group);
  }

  async mint(guest: Parameters<GuestTokens['mint']>[0]): Promise<string> {
    this.guests.push(guest);
    return `guest-token-${this.guests.length}`;
  }
}
