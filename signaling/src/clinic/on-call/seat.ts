import {
  BedsideError,
  type CallId,
  type ClinicRequest,
  type ClinicResponse,
  type ErrorCode,
  type InviteId,
  type RingEndReason,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { ClinicLink, GuestTokens, Staff } from '../../ports.ts';
import { type ClinicKey, clinicKey } from '../keys.ts';
import type { Floors, OnCallSocket, RingMessage } from './floor.ts';
import type { OnCallPerson, Rung } from './matching.ts';
import type { Acceptance, OnCallStore } from './store.ts';

/** Whose connection is gone stays on call for so long, milliseconds: most are back by then. */
const BACK_MS = 2_000;
/** A ring ends by itself so long after its time, milliseconds, where nobody says that it goes on or is over. */
const SILENCE_MS = 5_000;
/** The visit is to know who comes before they do; how long it may take, milliseconds, and the first of the looks whether it does. */
const CONFIRM_MS = 8_000;
const CONFIRM_FIRST_MS = 10;
const CONFIRM_MOST_MS = 400;

export interface OnCallSeatOptions {
  store: OnCallStore;
  floors: Floors;
  clock: Clock;
  guests: GuestTokens;
  staff: Staff;
  link: ClinicLink;
}

/** One socket's part in being on call. */
export class OnCallSeat implements OnCallSocket {
  readonly #options: OnCallSeatOptions;
  readonly #clinic: ClinicKey;
  /** What rings here: the group's index, and the end of its timer. */
  readonly #rings = new Map<CallId, { index: number; cancel: () => void }>();
  /** What is accepted or declined here, and was a moment ago: a ring may still be on its way. */
  readonly #answered = new Set<CallId>();
  #staff: Staff;
  #presence: OnCallPerson | undefined;

  constructor(options: OnCallSeatOptions) {
    this.#options = options;
    this.#staff = options.staff;
    this.#clinic = clinicKey(options.staff.tenant, options.staff.clinic);
  }

  get presence(): OnCallPerson {
    if (this.#presence === undefined) throw new Error('not signed on');
    return this.#presence;
  }

  get ringing(): Iterable<CallId> {
    return this.#rings.keys();
  }

  async signOn({ busy }: ClinicRequest<'sign-on'>): Promise<ClinicResponse<'sign-on'>> {
    if (this.#presence !== undefined) return this.setBusy({ busy });
    const { participant: person, role, skills } = this.#staff;
    this.#presence = { person, role, skills, since: this.#options.clock.now(), busy };
    await this.#options.floors.enter(this.#clinic, this);
    return {};
  }

  /** Idempotent. */
  async signOff(): Promise<ClinicResponse<'sign-off'>> {
    if (this.#presence === undefined) return {};
    const left = this.#options.floors.leave(this.#clinic, this);
    this.#presence = undefined;
    for (const call of [...this.#rings.keys()]) this.endRing(call, 'declined');
    await left;
    return {};
  }

  /** @throws BedsideError `conflict` where nobody is signed on */
  async setBusy({
    busy,
  }: Pick<ClinicRequest<'set-busy'>, 'busy'>): Promise<ClinicResponse<'set-busy'>> {
    if (this.#presence === undefined) throw new BedsideError('conflict');
    if (this.#presence.busy === busy) return {};
    this.#presence = { ...this.#presence, busy };
    if (busy) for (const call of [...this.#rings.keys()]) this.endRing(call, 'declined');
    await this.#options.floors.changed(this.#clinic);
    return {};
  }

  /** @throws BedsideError `call-taken`, `not-found`, `state-unavailable` */
  async accept({ callId }: ClinicRequest<'accept-call'>): Promise<ClinicResponse<'accept-call'>> {
    const { tenant, participant, name } = this.#staff;
    const { visit, role } = await this.#answer(callId, () => this.#take(callId));
    if (this.#presence !== undefined) await this.setBusy({ busy: true });
    const invite = callId as string as InviteId;
    const guest = { tenant, visit, participant, role, name, invite };
    const token = await this.#options.guests.mint(guest);
    return { visit, token };
  }

  /** @throws BedsideError `state-unavailable` */
  async decline({
    callId,
  }: ClinicRequest<'decline-call'>): Promise<ClinicResponse<'decline-call'>> {
    const { store, staff } = this.#options;
    await this.#answer(callId, () => store.decline(this.#clinic, callId, staff.participant));
    return {};
  }

  /** The token was renewed. */
  identify(staff: Staff): void {
    this.#staff = staff;
    if (this.#presence === undefined) return;
    this.#presence = { ...this.#presence, skills: staff.skills };
    void this.#options.floors.changed(this.#clinic);
  }

  /** The socket is gone. */
  disconnected(): void {
    this.#options.clock.after(BACK_MS, () => void this.signOff());
  }

  ring({ call, index, role, kind, forMs }: RingMessage, { need }: Rung): void {
    const { clock, link } = this.#options;
    if (this.#answered.has(call)) return;
    const before = this.#rings.get(call);
    before?.cancel();
    const cancel = clock.after(forMs + SILENCE_MS, () => this.endRing(call, 'unanswered'));
    this.#rings.set(call, { index, cancel });
    if (before?.index === index) return;
    link.send('ring', { callId: call, need, role, kind, until: clock.now() + forMs });
  }

  endRing(call: CallId, reason: RingEndReason): void {
    // Whoever answers here hears of it by the answer.
    if (this.#answered.has(call)) return;
    if (this.#forget(call)) this.#options.link.send('ring-ended', { callId: call, reason });
  }

  /** What rings here is not ended meanwhile: the answer says how it went. @throws as `run` */
  async #answer<Result>(call: CallId, run: () => Promise<Result>): Promise<Result> {
    this.#answered.add(call);
    try {
      const result = await run();
      this.#forget(call);
      this.#options.clock.after(SILENCE_MS, () => this.#answered.delete(call));
      return result;
    } catch (error) {
      this.#answered.delete(call);
      throw error;
    }
  }

  /** Resolves once the call is theirs and the visit knows it. */
  async #take(call: CallId): Promise<Extract<Acceptance, { type: 'theirs' }>> {
    const { store, clock } = this.#options;
    const deadline = clock.now() + CONFIRM_MS;
    for (let waitMs = CONFIRM_FIRST_MS; ; waitMs = Math.min(waitMs * 2, CONFIRM_MOST_MS)) {
      const answer = await store.accept(this.#clinic, call, this.#staff.participant);
      if (answer.type === 'taken') throw this.#tooLate(call, 'call-taken', 'taken');
      if (answer.type === 'theirs' && answer.over === 'taken') return answer;
      // Theirs, too, where the visit was told to stop in the same moment.
      if (answer.type === 'gone' || answer.over !== undefined)
        throw this.#tooLate(call, 'not-found', answer.over ?? 'unanswered');
      if (clock.now() >= deadline) throw new BedsideError('state-unavailable');
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
  }

  #tooLate(call: CallId, code: ErrorCode, reason: RingEndReason): BedsideError {
    this.#answered.delete(call);
    this.endRing(call, reason);
    return new BedsideError(code);
  }

  #forget(call: CallId): boolean {
    this.#rings.get(call)?.cancel();
    return this.#rings.delete(call);
  }
}
