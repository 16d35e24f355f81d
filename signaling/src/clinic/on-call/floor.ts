import type { CallId, ParticipantId, RingEndReason, VisitKey } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { CallDesk } from '../../ports.ts';
import type { Bus } from '../bus.ts';
import type { ClinicKey } from '../keys.ts';
import { onCallKeys } from './keys.ts';
import type { OnCallPerson, Rung } from './matching.ts';
import { type OnCallMessage, readMessage } from './messages.ts';
import type { OnCallStore } from './store.ts';

/** Who is on call is said anew so often, and what rings is looked at, milliseconds. */
const BEAT_MS = 1_500;

const NO_SKILLS = { specialties: [], languages: [], regions: [] };

export type RingMessage = Extract<OnCallMessage, { type: 'ring' }>;

/** A socket that is signed on, as its clinic's floor sees it. */
export interface OnCallSocket {
  readonly presence: OnCallPerson;
  /** What rings here. */
  readonly ringing: Iterable<CallId>;
  ring(message: RingMessage, rung: Rung): void;
  /** Nothing where the call does not ring here. */
  endRing(call: CallId, reason: RingEndReason): void;
}

export interface FloorOptions {
  store: Pick<OnCallStore, 'present' | 'read'>;
  bus: Pick<Bus, 'listen'>;
  clock: Clock;
  /** Sockets more, or fewer, that are on call. */
  count(difference: number): void;
}

/**
 * The sockets of one clinic that are on call at this gateway: says who they are, and rings them. Says, too,
 * who is in visits that this gateway owns: they are busy, at whatever gateway they are on call.
 */
export class Floor {
  readonly #clinic: ClinicKey;
  readonly #options: FloorOptions;
  readonly #sockets = new Set<OnCallSocket>();
  readonly #inVisits = new Map<VisitKey, readonly OnCallPerson[]>();
  readonly #leave: () => void;
  #saying: Promise<void> | undefined;
  #changed = false;
  #cancelBeat = () => {};
  #closed = false;

  constructor(clinic: ClinicKey, options: FloorOptions) {
    this.#clinic = clinic;
    this.#options = options;
    this.#leave = options.bus.listen(onCallKeys(clinic).messages, {
      message: (text) => this.#hear(readMessage(text)),
      // What was missed before, the next beat finds.
      subscribed: () => undefined,
    });
    this.#scheduleBeat();
  }

  get isEmpty(): boolean {
    return this.#sockets.size === 0 && this.#inVisits.size === 0;
  }

  engage(visit: VisitKey, people: Parameters<CallDesk['engage']>[1]): void {
    const now = this.#options.clock.now();
    const engaged = people.map((each) => ({ ...each, skills: NO_SKILLS, since: now, busy: true }));
    if (engaged.length > 0) this.#inVisits.set(visit, engaged);
    else this.#inVisits.delete(visit);
  }

  add(socket: OnCallSocket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    this.#options.count(1);
  }

  remove(socket: OnCallSocket): void {
    if (this.#sockets.delete(socket)) this.#options.count(-1);
  }

  /** Who is on call, or busy, has changed. Resolves once Redis knows, or is known to be away: the next beat says it. */
  say(): Promise<void> {
    this.#changed = true;
    this.#saying ??= this.#sayAll();
    return this.#saying;
  }

  /** No more is said. What was said last lasts for its time: whoever was here comes back to another gateway. */
  close(): void {
    this.#closed = true;
    this.#cancelBeat();
    this.#leave();
  }

  async #sayAll(): Promise<void> {
    // Changes of one turn of the event loop go out together.
    await Promise.resolve();
    try {
      while (this.#changed && !this.#closed) {
        this.#changed = false;
        await this.#present(true);
      }
    } catch {
      this.#changed = true;
    } finally {
      this.#saying = undefined;
    }
  }

  #present(changed: boolean): Promise<void> {
    const people = [
      ...[...this.#sockets].map(({ presence }) => presence),
      ...[...this.#inVisits.values()].flat(),
    ];
    return this.#options.store.present(this.#clinic, people, changed);
  }

  #scheduleBeat(): void {
    if (this.#closed) return;
    this.#cancelBeat = this.#options.clock.after(BEAT_MS * (0.75 + Math.random() / 2), () => {
      void this.#beat();
    });
  }

  async #beat(): Promise<void> {
    if (this.#changed) await this.say();
    else if (!this.isEmpty) await this.#present(false).catch(() => {});
    await this.#check();
    this.#scheduleBeat();
  }

  /** Whether what rings here is over, in case the word of it was lost. */
  async #check(): Promise<void> {
    const calls = new Set([...this.#sockets].flatMap(({ ringing }) => [...ringing]));
    for (const call of calls) {
      const record = await this.#options.store.read(this.#clinic, call).catch(() => undefined);
      if (record?.by !== undefined) this.#end(call, 'taken');
      else if (record?.over !== undefined) this.#end(call, record.over);
    }
  }

  #hear(message: OnCallMessage | undefined): void {
    switch (message?.type) {
      case 'ring': {
        const rung = new Map(message.people.map((each) => [each.person, each]));
        for (const socket of [...this.#sockets]) {
          const found = rung.get(socket.presence.person);
          if (found === undefined) socket.endRing(message.call, 'declined');
          else if (!socket.presence.busy) socket.ring(message, found);
        }
        return;
      }
      case 'accepted':
        this.#end(message.call, 'taken');
        return;
      case 'over':
        this.#end(message.call, message.reason);
        return;
      case 'declined':
        this.#end(message.call, 'declined', message.by);
    }
  }

  #end(call: CallId, reason: RingEndReason, of?: ParticipantId): void {
    for (const socket of [...this.#sockets])
      if (of === undefined || socket.presence.person === of) socket.endRing(call, reason);
  }
}

/** The floors of the clinics of which somebody is on call at this gateway, or in one of its visits. */
export class Floors {
  readonly #options: FloorOptions;
  readonly #open = new Map<ClinicKey, Floor>();
  #stopped = false;

  constructor(options: FloorOptions) {
    this.#options = options;
  }

  /** Somebody signs on. Resolves once the others can know. */
  async enter(clinic: ClinicKey, socket: OnCallSocket): Promise<void> {
    if (this.#stopped) return;
    const floor = this.#at(clinic);
    floor.add(socket);
    await floor.say();
  }

  /** Somebody is busy, or free again, or has other skills. */
  async changed(clinic: ClinicKey): Promise<void> {
    await this.#open.get(clinic)?.say();
  }

  /** Somebody signed off, or their connection is gone. */
  async leave(clinic: ClinicKey, socket: OnCallSocket): Promise<void> {
    const floor = this.#open.get(clinic);
    if (!floor) return;
    floor.remove(socket);
    await this.#sayAndClose(clinic, floor);
  }

  /** Who is in a visit is busy; nobody: the visit is over, or another gateway's. */
  engage(clinic: ClinicKey, visit: VisitKey, people: Parameters<CallDesk['engage']>[1]): void {
    if (this.#stopped) return;
    const floor = this.#at(clinic);
    floor.engage(visit, people);
    void this.#sayAndClose(clinic, floor);
  }

  #at(clinic: ClinicKey): Floor {
    const floor = this.#open.get(clinic) ?? new Floor(clinic, this.#options);
    this.#open.set(clinic, floor);
    return floor;
  }

  async #sayAndClose(clinic: ClinicKey, floor: Floor): Promise<void> {
    await floor.say();
    if (!floor.isEmpty || this.#open.get(clinic) !== floor) return;
    this.#open.delete(clinic);
    floor.close();
  }

  /** Whoever is on call is let go without a word: they come back to another gateway within a moment. */
  stop(): void {
    this.#stopped = true;
    for (const floor of this.#open.values()) floor.close();
    this.#open.clear();
  }
}
