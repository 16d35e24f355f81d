import {
  DisplayName,
  LanguageTag,
  type ParticipantId,
  ParticipantId as ParticipantIdSchema,
  type Role,
  VisitId,
} from '@bedside/protocol';
import * as z from 'zod/mini';
import { Memory } from './memory.ts';

/** A day's work is forgotten after this, milliseconds. */
const DAY_MS = 24 * 60 * 60_000;
const APPOINTMENTS = 10_000;
const STAFF = 1000;

/** What somebody says who comes to the clinic. */
export const CheckIn = z.object({
  visit: VisitId,
  name: z.optional(DisplayName),
  /** Spoken or signed. */
  lang: z.optional(LanguageTag),
  interpreter: z._default(z.boolean(), false),
  /** Whom they want to see; whoever is free where absent. */
  provider: z.optional(ParticipantIdSchema),
});
export type CheckIn = z.infer<typeof CheckIn>;

export interface Colleague {
  person: ParticipantId;
  role: Role;
  name: string | undefined;
}

/**
 * What this portal knows and the gateway does not: names, and whom somebody has an appointment with.
 * A real one has it in its database; here it is in memory, for a day.
 */
export class FrontDesk {
  readonly #appointments: Memory<VisitId, CheckIn>;
  /** By person; for longer than they are on duty, as records speak of them later. */
  readonly #staff: Memory<ParticipantId, Colleague>;
  readonly #onDuty: Memory<ParticipantId, ParticipantId>;
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#appointments = new Memory(APPOINTMENTS, now);
    this.#staff = new Memory(STAFF, now);
    this.#onDuty = new Memory(STAFF, now);
  }

  checkIn(appointment: CheckIn): void {
    this.#appointments.set(appointment.visit, appointment, this.#now() + DAY_MS);
  }

  appointment(visit: VisitId): CheckIn | undefined {
    return this.#appointments.get(visit);
  }

  /** @param until milliseconds since 1970: as long as their token lasts */
  signOn(colleague: Colleague, until: number): void {
    this.#staff.set(colleague.person, colleague, this.#now() + DAY_MS);
    this.#onDuty.set(colleague.person, colleague.person, until);
  }

  signOff(person: ParticipantId): void {
    this.#onDuty.delete(person);
  }

  onDuty(role: Role): Colleague[] {
    return this.#onDuty
      .values()
      .flatMap((person) => this.#staff.get(person) ?? [])
      .filter((colleague) => colleague.role === role);
  }

  nameOf(person: ParticipantId): string | undefined {
    return this.#staff.get(person)?.name;
  }
}
