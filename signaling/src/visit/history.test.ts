import type { ParticipantId, PeerId, ProducerId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { plan } from '../plan/plan.ts';
import { emptyVisit, history, run } from './arbitrary.ts';
import { type Command, decide, type Effect } from './decide.ts';
import { type LedgerEvent, present, type Visit } from './state.ts';

/** A history step by step, with what each decision asked for. */
const histories = history.map((steps) =>
  run(steps).map(({ command, before, after }) => {
    const decision = decide(before, command);
    const { events, effects } = decision.ok ? decision : { events: [], effects: [] };
    return { command, before, after, events, effects };
  }),
);
type History = typeof histories extends fc.Arbitrary<infer Value> ? Value : never;

const check = (property: (steps: History) => void, seed?: number) =>
  fc.assert(fc.property(histories, property), { numRuns: 300, ...(seed && { seed }) });

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const each of Object.values(value)) freeze(each);
  }
  return value;
}

test('histories are long enough to get somewhere: visits of several start, send, and end', () => {
  const seen = { several: 0, sending: 0, ended: 0 };
  check((steps) => {
    const states = steps.map(({ after }) => after);
    if (states.some((visit) => present(visit).length > 2)) seen.several += 1;
    if (states.some((visit) => [...plan(visit).values()].flat().length > 3)) seen.sending += 1;
    if (states.at(-1)?.state === 'ended') seen.ended += 1;
  }, 1);
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(20);
});

test('a decision depends on visit and command alone, and changes neither', () => {
  check((steps) => {
    for (const { before, command } of steps) {
      const [visit, frozen] = [freeze(structuredClone(before)), freeze(structuredClone(command))];
      expect(decide(visit, frozen)).toEqual(decide(before, command));
    }
  });
});

test('a refusal has no visit, no event and no effect: nothing happened', () => {
  check((steps) => {
    for (const { before, command } of steps) {
      const decision = decide(before, command);
      if (!decision.ok) expect(Object.keys(decision).toSorted()).toEqual(['code', 'ok']);
    }
  });
});

test('no id is there twice: of a participant, a peer or a producer', () => {
  check((steps) => {
    for (const { after } of steps) {
      const endpoints = after.participants.flatMap(({ endpoint }) => endpoint ?? []);
      for (const ids of [
        after.participants.map(({ id }) => id),
        endpoints.map(({ peer }) => peer),
        endpoints.flatMap(({ producers }) => producers.map(({ id }) => id)),
      ])
        expect(new Set<string>(ids).size).toBe(ids.length);
    }
  });
});

test('at every moment who takes part hears every other who does, once, and nobody else hears or is heard', () => {
  check((steps) => {
    for (const { after } of steps) {
      const takesPart = after.participants.filter(
        ({ state, endpoint }) => state === 'admitted' && endpoint,
      );
      const flows = plan(after);
      for (const { id } of after.participants) {
        const due = takesPart.some((each) => each.id === id)
          ? takesPart
              .filter((from) => from.id !== id)
              .flatMap(({ endpoint }) => endpoint?.producers.map((producer) => producer.id) ?? [])
          : [];
        expect((flows.get(id) ?? []).map(({ producerId }) => producerId)).toEqual(due);
      }
    }
  });
});

test('ended is for good: nothing is decided, recorded or done any more', () => {
  check((steps) => {
    for (const { before, after, events, effects } of steps) {
      if (before.state !== 'ended') continue;
      expect(after).toBe(before);
      expect([...events, ...effects]).toEqual([]);
    }
  });
});

/** Who is there, and since when, as far as the ledger tells. */
function presence(events: readonly LedgerEvent[]): Map<ParticipantId, number> {
  const here = new Map<ParticipantId, number>();
  for (const { type, at, participant } of events) {
    if (!participant) continue;
    if (type === 'participant-admitted' || type === 'participant-waiting')
      here.set(participant, at);
    if (type === 'participant-left') here.delete(participant);
  }
  return here;
}

test('the ledger tells who was there when, and when the visit began and ended', () => {
  check((steps) => {
    const ledger: LedgerEvent[] = [];
    for (const { command, after, events } of steps) {
      for (const { at } of events) expect(at).toBe(command.now);
      ledger.push(...events);
      expect(presence(ledger)).toEqual(
        new Map(present(after).map(({ id, joinedAt }) => [id, joinedAt])),
      );
      for (const type of ['visit-started', 'visit-ended'] as const) {
        const times = ledger.filter((event) => event.type === type).map(({ at }) => at);
        const time = type === 'visit-started' ? after.startedAt : after.endedAt;
        expect(times).toEqual(time === undefined ? [] : [time]);
      }
    }
  });
});

test('a change of the visit is one that the ledger knows, but for who is the owner and what a token says anew', () => {
  const untold: readonly Command['type'][] = ['recover', 'identify', 'connect', 'join'];
  check((steps) => {
    for (const { before, after, command, events } of steps) {
      if (after === before) expect(events).toEqual([]);
      else if (!untold.includes(command.type)) expect(events).not.toEqual([]);
    }
  });
});

test('the ledger holds no name', () => {
  check((steps) => {
    for (const { before, events } of steps)
      for (const { name } of before.participants)
        if (name !== undefined) expect(JSON.stringify(events)).not.toContain(name);
  });
});

/** A node that does what it is told. */
class Model {
  readonly peers = new Map<PeerId, Set<ProducerId>>();

  lose(command: Command): void {
    if (command.type === 'media-lost') this.peers.clear();
    if (command.type !== 'endpoints-lost') return;
    for (const peer of command.peers) this.peers.delete(peer);
    for (const producers of this.peers.values())
      for (const producer of command.producers) producers.delete(producer);
  }

  do(effect: Effect): void {
    switch (effect.type) {
      case 'open-peer':
        if (!this.peers.has(effect.peer)) this.peers.set(effect.peer, new Set());
        return;
      case 'open-producer':
        this.peers.get(effect.peer)?.add(effect.producer);
        return;
      case 'close-producer':
        for (const producers of this.peers.values()) producers.delete(effect.producer);
        return;
      case 'close-peer':
        this.peers.delete(effect.peer);
        return;
      case 'close-visit':
        this.peers.clear();
        return;
    }
  }
}

const endpointsOf = (visit: Visit) =>
  new Map(
    visit.participants.flatMap(({ endpoint }) =>
      endpoint ? [[endpoint.peer, new Set(endpoint.producers.map(({ id }) => id))] as const] : [],
    ),
  );

test('a node that does what the effects say has exactly what the visit has', () => {
  check((steps) => {
    const node = new Model();
    for (const { command, after, effects } of steps) {
      node.lose(command);
      for (const effect of effects) node.do(effect);
      expect(node.peers).toEqual(endpointsOf(after));
    }
  });
});

test('any history read back from a snapshot in the middle goes on as if it had not been', () => {
  fc.assert(
    fc.property(histories, fc.nat(), (steps, cut) => {
      const at = cut % Math.max(steps.length, 1);
      let visit: Visit = structuredClone(steps[at]?.before ?? emptyVisit());
      for (const { command, after } of steps.slice(at)) {
        const decision = decide(visit, command);
        if (decision.ok) visit = decision.visit;
        expect(visit).toEqual(after);
      }
    }),
  );
});
