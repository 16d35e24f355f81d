import { HOLD, MAIN_ROOM, type ParticipantId } from '@bedside/protocol';
import { expect, test, vi } from 'vitest';
import { plan } from '../plan/plan.ts';
import { onHistories, outcomeOf } from './arbitrary.ts';
import { admitted, type LedgerEvent, type Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

/**
 * Who could hear whom, from the record alone. Throws where something ends that had not begun, or begins
 * twice.
 */
class Record {
  readonly #in = new Set<ParticipantId>();
  readonly #audience = new Set<ParticipantId>();
  readonly #held = new Set<ParticipantId>();
  readonly #rooms = new Map<string, readonly ParticipantId[]>();
  readonly #whispers = new Map<ParticipantId, ParticipantId>();

  add(event: LedgerEvent): void {
    const { type, audience, participant = nobody, participants = [], place = '' } = event;
    const [only = nobody] = participants;
    switch (type) {
      case 'participant-admitted':
        must(!this.#in.has(participant));
        this.#in.add(participant);
        if (audience) this.#audience.add(participant);
        return;
      case 'participant-left':
        this.#in.delete(participant);
        this.#audience.delete(participant);
        return;
      case 'visit-ended':
        // Its audience goes with a lecture, without a word of each.
        for (const id of this.#audience) this.#in.delete(id);
        return;
      case 'hold-started':
        must(!this.#held.has(participant));
        this.#held.add(participant);
        return;
      case 'hold-ended':
        must(this.#held.delete(participant));
        return;
      case 'privacy-started':
        must(!this.#rooms.has(place) && participants.length > 0);
        this.#rooms.set(place, participants);
        return;
      case 'privacy-changed':
        must(this.#rooms.has(place) && participants.length > 0);
        this.#rooms.set(place, participants);
        return;
      case 'privacy-ended':
        expect(participants.toSorted()).toEqual(this.#rooms.get(place)?.toSorted());
        this.#rooms.delete(place);
        return;
      case 'whisper-started':
        must(!this.#whispers.has(participant));
        this.#whispers.set(participant, only);
        return;
      case 'whisper-ended':
        must(this.#whispers.get(participant) === only && this.#whispers.delete(participant));
        return;
    }
  }

  #placeOf(id: ParticipantId): string {
    if (this.#held.has(id)) return HOLD;
    return [...this.#rooms].find(([, members]) => members.includes(id))?.[0] ?? MAIN_ROOM;
  }

  get places(): Map<ParticipantId, string> {
    return new Map([...this.#in].map((id) => [id, this.#placeOf(id)]));
  }

  heardBy(listener: ParticipantId): ParticipantId[] {
    const place = this.#placeOf(listener);
    if (!this.#in.has(listener) || place === HOLD) return [];
    return [...this.#in].filter(
      (id) =>
        id !== listener &&
        this.#placeOf(id) === place &&
        (this.#whispers.get(id) ?? listener) === listener,
    );
  }

  get isOver(): boolean {
    return this.#in.size + this.#held.size + this.#rooms.size + this.#whispers.size === 0;
  }
}

const nobody = 'nobody' as ParticipantId;

function must(holds: boolean): void {
  if (!holds) throw new Error('the record contradicts itself');
}

/** Whose microphone reaches the listener, as the plan has it. */
const heardIn = (visit: Visit, listener: ParticipantId) =>
  (plan(visit).get(listener) ?? [])
    .filter(({ source, flow }) => source === 'microphone' && !flow.paused)
    .map(({ from }) => from);

const hasMicrophone = (visit: Visit, id: ParticipantId) =>
  visit.participants.some(
    (each) =>
      each.id === id && each.endpoint?.producers.some(({ source }) => source === 'microphone'),
  );

test('the record alone tells at any time who was where, and who could hear whom', () => {
  onHistories((moments) => {
    const record = new Record();
    for (const moment of moments) {
      const { after } = moment;
      const { events } = outcomeOf(moment);
      for (const event of events) record.add(event);
      if (after === moment.before) continue;
      expect(record.places).toEqual(new Map(admitted(after).map(({ id, place }) => [id, place])));
      for (const { id, endpoint } of admitted(after)) {
        if (!endpoint) continue;
        const could = record.heardBy(id).filter((from) => hasMicrophone(after, from));
        expect(heardIn(after, id).toSorted()).toEqual(could.toSorted());
      }
    }
  });
});

test('whatever was private or on hold has ended in the record, too, when the visit has', () => {
  onHistories((moments) => {
    const last = moments.at(-1)?.after;
    if (last?.state !== 'ended') return;
    const record = new Record();
    for (const moment of moments) for (const event of outcomeOf(moment).events) record.add(event);
    expect(record.isOver).toBe(true);
  });
});

test('who put others on hold, together or apart is on record', () => {
  onHistories((moments) => {
    for (const moment of moments) {
      const { command } = moment;
      if (command.type !== 'move') continue;
      const by = 'staff' in command.by ? command.by.staff : command.by.participant;
      for (const event of outcomeOf(moment).events)
        if (/^(hold|privacy)-/.test(event.type)) expect(event.by).toBe(by);
    }
  });
});
