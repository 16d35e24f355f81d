import type { CallId, ClinicId, RingEndReason, VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { CallDesk } from '../../ports.ts';
import type { Call } from '../../visit/call.ts';
import type { Bus } from '../bus.ts';
import { type ClinicKey, clinicKey } from '../keys.ts';
import type { Floors } from './floor.ts';
import { onCallKeys } from './keys.ts';
import { readMessage } from './messages.ts';
import { Ringer, type RingerOptions } from './ringer.ts';

type Where = Parameters<CallDesk['follow']>[0];
type Signals = Parameters<CallDesk['follow']>[2];

const REASONS: Readonly<Record<Exclude<Call['state'], 'ringing'>, RingEndReason>> = {
  accepted: 'taken',
  cancelled: 'cancelled',
  unanswered: 'unanswered',
};

export interface DeskOptions {
  store: RingerOptions['store'];
  bus: Pick<Bus, 'listen'>;
  clock: Clock;
  floors: Pick<Floors, 'engage'>;
}

/** The calls of the visits that this gateway owns. */
export class RedisCallDesk implements CallDesk {
  readonly #options: DeskOptions;
  readonly #visits = new Map<VisitKey, CallsOfVisit>();
  /** The clinics of visits in which somebody is who may be on call. */
  readonly #engaged = new Map<VisitKey, ClinicKey>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  follow(where: Where, calls: readonly Call[], signals: Signals): void {
    let visit = this.#visits.get(where.key);
    if (!visit) {
      visit = new CallsOfVisit(this.#options, where, signals);
      this.#visits.set(where.key, visit);
    }
    visit.follow(calls);
  }

  engage(
    { tenant, clinic, key }: Parameters<CallDesk['engage']>[0],
    people: Parameters<CallDesk['engage']>[1],
  ): void {
    const where = clinicKey(tenant, clinic);
    if (people.length > 0) this.#engaged.set(key, where);
    else if (!this.#engaged.delete(key)) return;
    this.#options.floors.engage(where, key, people);
  }

  forget(visit: VisitKey): void {
    this.#visits.get(visit)?.close();
    this.#visits.delete(visit);
    const clinic = this.#engaged.get(visit);
    if (clinic === undefined) return;
    this.#engaged.delete(visit);
    this.#options.floors.engage(clinic, visit, []);
  }

  /** Nothing is told, and what rings rings on, until another gateway takes the visits over. */
  stop(): void {
    for (const visit of [...this.#visits.keys()]) this.forget(visit);
  }
}

/** The calls of one visit, and its ear on the clinic's channel. */
class CallsOfVisit {
  readonly #ringers = new Map<CallId, Ringer>();
  readonly #clinic: ClinicKey;
  readonly #leave: () => void;
  readonly #newRinger: (call: Call) => Ringer;

  constructor({ store, bus, clock }: DeskOptions, where: Where, signals: Signals) {
    this.#clinic = clinicKey(where.tenant, where.clinic as ClinicId);
    const common: Omit<RingerOptions, 'call'> = {
      store,
      clock,
      clinic: this.#clinic,
      visit: where.visit,
      kind: where.kind,
      signals,
    };
    this.#newRinger = (call) => new Ringer({ ...common, call });
    this.#leave = bus.listen(onCallKeys(this.#clinic).messages, {
      message: (text) => this.#hear(text),
      // Before this, messages were missed.
      subscribed: () => this.#lookAll(),
    });
  }

  follow(calls: readonly Call[]): void {
    for (const call of calls) {
      const ringer = this.#ringers.get(call.id) ?? this.#newRinger(call);
      this.#ringers.set(call.id, ringer);
      if (call.state === 'ringing') ringer.ring(call);
      // Also what was over before: a gateway may have died before it said so.
      else ringer.end(REASONS[call.state]);
    }
    for (const [id, ringer] of this.#ringers) {
      if (calls.some((call) => call.id === id)) continue;
      ringer.close();
      this.#ringers.delete(id);
    }
  }

  close(): void {
    this.#leave();
    for (const ringer of this.#ringers.values()) ringer.close();
  }

  #hear(text: string): void {
    const message = readMessage(text);
    if (message?.type === 'people') this.#lookAll();
    if (message?.type === 'accepted' || message?.type === 'declined')
      this.#ringers.get(message.call)?.look();
  }

  #lookAll(): void {
    for (const ringer of this.#ringers.values()) ringer.look();
  }
}
