import type { NodeId, ParticipantId, PeerId, ProducerId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { plan } from '../plan/plan.ts';
import { emptyVisit, longHistory, onHistories, outcomeOf, run } from './arbitrary.ts';
import { isAudience } from './audience.ts';
import { type Command, decide, type Effect } from './decide.ts';
import { GRANT_OF_SOURCE } from './grants.ts';
import { nodeOfPeer } from './nodes.ts';
import { roomsOf } from './places.ts';
import { settle } from './settle.ts';
import { admitted, findAdmitted, type LedgerEvent, type Person, present, Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value);
    for (const each of Object.values(value)) freeze(each);
  }
  return value;
}

test('histories get somewhere: into every place, to every command, to their end', () => {
  const seen = new Map<string, number>();
  const saw = (what: string, is: boolean) => seen.set(what, (seen.get(what) ?? 0) + (is ? 1 : 0));
  const count = (some: Parameters<typeof run>[0]) => {
    const moments = run(some);
    const states = moments.map(({ after }) => after);
    const done = new Set(
      moments.flatMap(({ command, decision }) => (decision.ok ? [command.type] : [])),
    );
    const any = (is: (visit: Visit) => boolean) => states.some(is);
    saw(
      'several take part',
      any((visit) => admitted(visit).length > 3),
    );
    saw(
      'flows',
      any((visit) => [...plan(visit).values()].flat().length > 10),
    );
    saw(
      'gains',
      any((visit) => [...plan(visit).values()].flat().some(({ gain }) => gain < 1)),
    );
    saw(
      'hold',
      any((visit) => admitted(visit).some(({ place }) => place === 'hold')),
    );
    saw(
      'a private talk',
      any((visit) => [...roomsOf(visit).values()].some((of) => of.length > 1)),
    );
    saw(
      'a whisper',
      any((visit) => admitted(visit).some(({ whisperTo }) => whisperTo)),
    );
    saw(
      'a guest',
      any((visit) => present(visit).some(({ invite }) => invite)),
    );
    saw(
      'waiting',
      any((visit) => present(visit).some(({ state }) => state === 'waiting')),
    );
    saw(
      'an audience',
      any((visit) => admitted(visit).filter((each) => isAudience(visit, each)).length > 1),
    );
    saw(
      'somebody of the audience who comes to take part',
      moments.some(({ before, after }) =>
        admitted(before).some((each) => {
          const next = findAdmitted(after, each.id);
          return isAudience(before, each) && next !== undefined && !isAudience(after, next);
        }),
      ),
    );
    saw(
      'unattended',
      any(({ unattendedSince }) => unattendedSince !== undefined),
    );
    saw(
      'an offer',
      any(({ handOver }) => handOver !== undefined),
    );
    saw(
      'ended',
      any(({ state }) => state === 'ended'),
    );
    for (const type of COMMANDS) saw(type, done.has(type));
  };
  fc.assert(fc.property(longHistory, count), { numRuns: 60, seed: 1 });
  for (const [what, times] of seen) expect(times, what).toBeGreaterThan(0);
});

/** What is as often as it is said, and what depends on the clock. */
const SAID: readonly Command['type'][] = ['send-message', 'report-quality', 'tick'];

/** Every one that can succeed. */
const COMMANDS = [
  'connect',
  'identify',
  'disconnect',
  'expire',
  'join',
  'produce',
  'pause-producer',
  'close-producer',
  'leave',
  'end',
  'admit',
  'remove',
  'move',
  'mute',
  'ask-unmute',
  'invite',
  'revoke-invite',
  'call',
  'cancel-call',
  'call-accepted',
  'call-exhausted',
  'hand-over',
  'answer-hand-over',
  'reassign',
  'answer-reassign',
  'set-languages',
  'set-interpreting',
  'take-turn',
  'cue',
  'whisper',
  'send-message',
  'report-quality',
  'raise-hand',
  'react',
  'wait',
  'tick',
  'recover',
  'media-lost',
  'endpoints-lost',
] as const satisfies readonly Command['type'][];

describe('a decision', () => {
  test('depends on visit and command alone, and changes neither', () => {
    onHistories((moments) => {
      for (const { before, command, decision } of moments) {
        const [visit, frozen] = [freeze(structuredClone(before)), freeze(structuredClone(command))];
        expect(decide(visit, frozen)).toEqual(decision);
      }
    });
  });

  test('that refuses has no visit, no event and no effect: nothing happened', () => {
    onHistories((moments) => {
      for (const { decision } of moments)
        if (!decision.ok) expect(Object.keys(decision).toSorted()).toEqual(['code', 'ok']);
    });
  });

  test('makes seq grow by one with each change and never else, and records nothing where nothing changes', () => {
    onHistories((moments) => {
      for (const moment of moments) {
        const { before, after } = moment;
        expect(after.seq).toBe(after === before ? before.seq : before.seq + 1);
        if (after === before) expect(outcomeOf(moment).events).toEqual([]);
      }
    });
  });

  test('taken twice changes nothing the second time, but for what is said and for time', () => {
    onHistories((moments) => {
      for (const { command, after } of moments) {
        if (SAID.includes(command.type)) continue;
        const again = decide(after, command);
        if (again.ok) expect(again.visit).toBe(after);
      }
    });
  });

  test('leaves nothing undone: all that follows from a change is done with it', () => {
    onHistories((moments) => {
      for (const { command, after } of moments)
        expect(settle(after, command.now + 1)).toEqual(after);
    });
  });

  test('ends a visit for good: nothing is decided, recorded or done any more', () => {
    onHistories((moments) => {
      for (const moment of moments) {
        if (moment.before.state !== 'ended') continue;
        expect(moment.after).toBe(moment.before);
        const { events, effects } = outcomeOf(moment);
        expect([...events, ...effects]).toEqual([]);
      }
    });
  });

  test('after a snapshot was read back is as if it had not been', () => {
    onHistories((moments) => {
      for (const { command, before, decision } of moments.filter((_, index) => index % 7 === 0)) {
        const read = Visit.parse(JSON.parse(JSON.stringify(before)));
        expect(read).toEqual(before);
        expect(decide(read, command)).toEqual(decision);
      }
    });
  });
});

test('no id is there twice: of a participant, a peer or a producer', () => {
  onHistories((moments) => {
    for (const { after } of moments) {
      const endpoints = after.participants.flatMap(({ endpoint }) => endpoint ?? []);
      for (const ids of [
        after.participants.map(({ id }) => id),
        endpoints.map(({ peer }) => peer),
        endpoints.flatMap(({ producers }) => producers.map(({ id }) => id)),
        (after.invites ?? []).map(({ id }) => id),
        (after.calls ?? []).map(({ id }) => id),
      ])
        expect(new Set<string>(ids).size).toBe(ids.length);
    }
  });
});

test('a participant has at most one producer of a source, and only while present', () => {
  onHistories((moments) => {
    for (const { after } of moments)
      for (const { state, endpoint } of after.participants) {
        const sources = endpoint?.producers.map(({ source }) => source) ?? [];
        expect(new Set(sources).size).toBe(sources.length);
        if (state === 'left') expect(endpoint).toBeUndefined();
      }
  });
});

test('there is media exactly where somebody may have an endpoint', () => {
  onHistories((moments) => {
    for (const { after } of moments) {
      if (after.participants.some(({ endpoint }) => endpoint)) expect(after.media).toBeDefined();
      if (present(after).length === 0) expect(after.media).toBeUndefined();
    }
  });
});

test('who is there is who their latest token says, and sends nothing that it does not grant', () => {
  onHistories((moments) => {
    const latest = new Map<ParticipantId, Person>();
    for (const { command, before, decision, after } of moments) {
      // A `join` that is repeated is answered, not done once more.
      const counts = decision.ok && (command.type !== 'join' || after !== before);
      if (counts && 'person' in command && typeof command.person === 'object')
        latest.set(command.person.id, command.person);
      for (const { id, role, name, lang, invite, grants, endpoint } of present(after)) {
        const person = latest.get(id);
        expect({ role, name, lang, invite, grants }).toEqual({
          role: person?.role,
          name: person?.name,
          lang: person?.lang,
          invite: person?.invite,
          grants: person?.grants,
        });
        for (const { source } of endpoint?.producers ?? [])
          expect(grants).toContain(GRANT_OF_SOURCE[source]);
      }
    }
  });
});

/** Who is there, and since when, as far as the ledger tells. */
function presence(events: readonly LedgerEvent[]): Map<ParticipantId, number> {
  const here = new Map<ParticipantId, { at: number; listens: boolean }>();
  for (const { type, at, participant, audience } of events) {
    // With a lecture its audience goes, without a word of each.
    if (type === 'visit-ended') for (const [id, { listens }] of here) if (listens) here.delete(id);
    if (!participant) continue;
    if (type === 'participant-admitted' || type === 'participant-waiting')
      here.set(participant, here.get(participant) ?? { at, listens: audience === true });
    if (type === 'participant-left') here.delete(participant);
  }
  return new Map([...here].map(([id, { at }]) => [id, at]));
}

describe('the ledger', () => {
  test('tells who was there when, and when the visit began and ended', () => {
    onHistories((moments) => {
      const ledger: LedgerEvent[] = [];
      for (const moment of moments) {
        const { events } = outcomeOf(moment);
        for (const { at } of events) expect(at).toBe(moment.command.now);
        ledger.push(...events);
      }
      const last = moments.at(-1)?.after ?? emptyVisit();
      expect(presence(ledger)).toEqual(
        new Map(present(last).map(({ id, joinedAt }) => [id, joinedAt])),
      );
      for (const [type, time] of [
        ['visit-started', last.startedAt],
        ['visit-ended', last.endedAt],
      ] as const) {
        const times = ledger.filter((event) => event.type === type).map(({ at }) => at);
        expect(times).toEqual(time === undefined ? [] : [time]);
      }
    });
  });

  test('knows of every change of who is there, sends, is called in, or answers for the visit', () => {
    const told = (visit: Visit) => ({
      state: visit.state,
      people: visit.participants.map(({ id, state, place, connection, whisperTo, endpoint }) => ({
        id,
        state,
        place,
        connection,
        whisperTo,
        producers: endpoint?.producers.map(({ id: producer, paused }) => ({ producer, paused })),
      })),
      responsible: visit.responsible,
      provider: visit.provider,
      interpreting: visit.interpreting,
      invites: visit.invites?.map(({ id, state }) => ({ id, state })),
      calls: visit.calls?.map(({ id, state }) => ({ id, state })),
    });
    const untold: readonly Command['type'][] = [
      // The participants lost nothing, it is the gateway that is new.
      'recover',
      // A new page of theirs, with which nothing is sent yet.
      'join',
    ];
    onHistories((moments) => {
      for (const moment of moments) {
        const { before, after, command } = moment;
        if (untold.includes(command.type) || outcomeOf(moment).events.length > 0) continue;
        expect(told(after)).toEqual(told(before));
      }
    });
  });

  test('holds no name and nothing that was written', () => {
    onHistories((moments) => {
      for (const moment of moments) {
        const text = JSON.stringify(outcomeOf(moment).events);
        for (const word of ['Ana', 'Ben', 'hello', 'late', 'moment'])
          expect(text).not.toContain(word);
      }
    });
  });
});

/** Nodes that do what they are told. */
class Model {
  readonly peers = new Map<PeerId, Map<ProducerId, boolean>>();
  readonly #nodes = new Map<PeerId, NodeId | undefined>();

  lose(command: Command): void {
    if (command.type === 'media-lost') this.#close(command.node);
    if (command.type !== 'endpoints-lost') return;
    for (const peer of command.peers) this.peers.delete(peer);
    for (const producers of this.peers.values())
      for (const producer of command.producers) producers.delete(producer);
  }

  #close(node: NodeId): void {
    for (const peer of [...this.peers.keys()])
      if (this.#nodes.get(peer) === node) this.peers.delete(peer);
  }

  do(effect: Effect, visit: Visit, isPaused: boolean): void {
    switch (effect.type) {
      case 'open-peer':
        this.#nodes.set(effect.peer, nodeOfPeer(visit, effect.peer)?.node);
        if (!this.peers.has(effect.peer)) this.peers.set(effect.peer, new Map());
        return;
      case 'open-producer':
        this.peers.get(effect.peer)?.set(effect.producer, isPaused);
        return;
      case 'pause-producer':
        for (const producers of this.peers.values())
          if (producers.has(effect.producer)) producers.set(effect.producer, effect.paused);
        return;
      case 'close-producer':
        for (const producers of this.peers.values()) producers.delete(effect.producer);
        return;
      case 'close-peer':
        this.peers.delete(effect.peer);
        return;
      case 'close-visit':
        this.#close(effect.media.node);
        return;
    }
  }
}

const endpointsOf = (visit: Visit) =>
  new Map(
    visit.participants.flatMap(({ endpoint }) =>
      endpoint
        ? [
            [
              endpoint.peer,
              new Map(endpoint.producers.map(({ id, paused }) => [id, paused])),
            ] as const,
          ]
        : [],
    ),
  );

test('nodes that do what the effects say have exactly what the visit has', () => {
  onHistories((moments) => {
    const node = new Model();
    for (const moment of moments) {
      const { command, after } = moment;
      node.lose(command);
      // One that is opened again is as it is.
      const paused = new Map([...endpointsOf(after).values()].flatMap((each) => [...each]));
      for (const effect of outcomeOf(moment).effects)
        node.do(effect, after, 'producer' in effect && (paused.get(effect.producer) ?? false));
      expect(node.peers).toEqual(endpointsOf(after));
    }
  });
});
