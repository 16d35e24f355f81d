import type { ParticipantId, RequestId, Role } from '@bedside/protocol';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { emptyVisit } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { by, join, leave } from './examples.ts';
import { findPresent, type Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

/**
 * A visit in which who lacks `admit` waits until admitted, as anybody would explain it: everybody is
 * outside, waits, or is somewhere; the first provider who came answers for it, until they go.
 */
interface Model {
  where: Map<string, 'waiting' | string>;
  /** Who would be put on hold, or into which room, when they come back. */
  bound: Map<string, string>;
  /** Of a provider, when their socket is gone. */
  away: Set<string>;
  responsible: string | undefined;
  offeredTo: string | undefined;
}
interface Real {
  visit: Visit;
  requests: number;
}

const ROLES: Readonly<Record<string, Role>> = {
  ana: 'provider',
  ben: 'provider',
  pat: 'patient',
  ida: 'interpreter',
};
const who = fc.constantFrom(...Object.keys(ROLES));
const isProvider = (id: string) => ROLES[id] === 'provider';
const isIn = ({ where }: Model, id: string) => where.has(id) && where.get(id) !== 'waiting';
const mayAct = (model: Model, id: string) => isProvider(id) && isIn(model, id);

/** Somebody came or went: who answers for the visit now. */
function pass(model: Model): void {
  const able = Object.keys(ROLES).filter((id) => mayAct(model, id));
  if (model.responsible === undefined || !able.includes(model.responsible)) {
    // Who came first: a map keeps the order.
    const byComing = [...model.where.keys()].filter((id) => able.includes(id));
    model.responsible = byComing.find((id) => !model.away.has(id)) ?? byComing[0];
    model.offeredTo = undefined;
  }
  if (model.offeredTo !== undefined && !able.includes(model.offeredTo)) model.offeredTo = undefined;
}

const isOpen = (model: Model, place: string) => [...model.where.values()].includes(place);

/** What is commanded, and what becomes of the model; false where it is to be refused. */
class Step implements fc.Command<Model, Real> {
  readonly #name: string;
  readonly #command: (model: Model, real: Real) => Command;
  readonly #follow: (model: Model) => boolean;

  constructor(
    name: string,
    command: (model: Model, real: Real) => Command,
    follow: Step['follow'],
  ) {
    this.#name = name;
    this.#command = command;
    this.#follow = follow;
  }

  check(): boolean {
    return true;
  }

  follow(model: Model): boolean {
    return this.#follow(model);
  }

  run(model: Model, real: Real): void {
    const decision = decide(real.visit, this.#command(model, real));
    expect(decision.ok, this.#name).toBe(this.follow(model));
    if (decision.ok) real.visit = decision.visit;
    pass(model);
    const { participants, responsible, handOver, unattendedSince } = real.visit;
    const there = participants.filter(({ state }) => state !== 'left');
    expect(
      Object.fromEntries(
        there.map(({ id, state, place }) => [id, state === 'waiting' ? state : place]),
      ),
    ).toEqual(Object.fromEntries(model.where));
    expect(responsible).toBe(model.responsible);
    expect(handOver?.to).toBe(model.offeredTo);
    const attended = [...model.where.keys()].some((id) => mayAct(model, id) && !model.away.has(id));
    if (attended) expect(unattendedSince).toBeUndefined();
    else if (responsible !== undefined) expect(unattendedSince).toBeDefined();
  }

  toString(): string {
    return this.#name;
  }
}

const comes = (id: string) =>
  new Step(
    `${id} comes`,
    (_, real) => {
      real.requests += 1;
      const request = `request-${real.requests}` as RequestId;
      return { ...join(id, ROLES[id] ?? 'patient'), request };
    },
    (model) => {
      model.away.delete(id);
      if (model.where.has(id)) return true;
      const last = model.bound.get(id) ?? 'main';
      const place = last === 'hold' || isOpen(model, last) ? last : 'main';
      model.bound.set(id, place);
      model.where.set(id, isProvider(id) ? place : 'waiting');
      return true;
    },
  );

const goes = (id: string) =>
  new Step(
    `${id} goes`,
    () => leave(id),
    (model) => {
      model.where.delete(id);
      model.away.delete(id);
      return true;
    },
  );

const drops = (id: string) =>
  new Step(
    `${id} drops`,
    (_, { visit }) => {
      const participant = id as ParticipantId;
      const session = findPresent(visit, participant)?.session ?? '';
      return { type: 'disconnect', now: 3_000, participant, session };
    },
    (model) => {
      if (model.where.has(id)) model.away.add(id);
      return true;
    },
  );

const admits = ([giver, id]: [string, string]) =>
  new Step(
    `${giver} admits ${id}`,
    () => ({ type: 'admit', now: 3_000, by: by(giver), participants: [id as ParticipantId] }),
    (model) => {
      if (!mayAct(model, giver) || model.where.get(id) !== 'waiting') return false;
      model.where.set(id, model.bound.get(id) ?? 'main');
      return true;
    },
  );

const moves = ([giver, ids, to]: [string, string[], string]) =>
  new Step(
    `${giver} moves ${ids.join(' and ')} to ${to}`,
    (model) => ({
      type: 'move',
      now: 3_000,
      by: by(giver),
      participants: ids as ParticipantId[],
      to:
        to === 'main'
          ? { type: 'main' }
          : to === 'hold'
            ? { type: 'hold', audio: 'none' }
            : { type: 'room', ...(isOpen(model, to) ? { room: to } : {}) },
      room: to,
    }),
    (model) => {
      if (!mayAct(model, giver) || !ids.every((id) => isIn(model, id))) return false;
      for (const id of ids) {
        model.where.set(id, to);
        model.bound.set(id, to);
      }
      return true;
    },
  );

const offers = ([giver, to]: [string, string]) =>
  new Step(
    `${giver} offers to ${to}`,
    () => ({ type: 'hand-over', now: 3_000, by: by(giver), to: to as ParticipantId }),
    (model) => {
      if (!mayAct(model, giver) || !mayAct(model, to)) return false;
      if (giver === to || model.responsible === to) return false;
      model.offeredTo = to;
      return true;
    },
  );

const answers = ([giver, accept]: [string, boolean]) =>
  new Step(
    `${giver} ${accept ? 'accepts' : 'refuses'}`,
    () => ({ type: 'answer-hand-over', now: 3_000, by: by(giver), accept }),
    (model) => {
      if (model.offeredTo !== giver) return false;
      if (accept) model.responsible = giver;
      model.offeredTo = undefined;
      return true;
    },
  );

test('the machine does as the simple account of waiting, places and responsibility says', () => {
  const some = fc.uniqueArray(who, { minLength: 1, maxLength: 3 });
  const place = fc.constantFrom('main', 'hold', 'room-1', 'room-2');
  const steps = fc.commands<Model, Real>(
    [
      who.map(comes),
      who.map(goes),
      who.map(drops),
      fc.tuple(who, who).map(admits),
      fc.tuple(who, some, place).map(moves),
      fc.tuple(who, who).map(offers),
      fc.tuple(who, fc.boolean()).map(answers),
    ],
    { maxCommands: 80, size: 'max' },
  );
  const begin = (): { model: Model; real: Real } => ({
    model: {
      where: new Map(),
      bound: new Map(),
      away: new Set(),
      responsible: undefined,
      offeredTo: undefined,
    },
    real: { visit: emptyVisit({ admission: 'on-admit' }), requests: 0 },
  });
  fc.assert(
    fc.property(steps, (commands) => fc.modelRun(begin, commands)),
    { numRuns: 300 },
  );
});
