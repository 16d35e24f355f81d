import type {
  MediaSource,
  ParticipantId,
  ParticipantView,
  VisitId,
  VisitKey,
} from '@bedside/protocol';
import { plan } from '../../src/plan/plan.ts';
import { DEADLINES, visitKey, visitKeys } from '../../src/store/keys.ts';
import { unpack } from '../../src/store/packing.ts';
import { nextDeadline } from '../../src/visit/deadlines.ts';
import { microphoneOf } from '../../src/visit/endpoint.ts';
import { findPresent, type LedgerEvent, present, type Said, Visit } from '../../src/visit/state.ts';
import { viewOf } from '../../src/visit/view.ts';
import type { Stage } from './faults.ts';
import { type Operation, TENANT } from './operations.ts';
import type { SimPage } from './sim-page.ts';

export interface Settled {
  stage: Stage;
  pages: readonly SimPage[];
  operations: readonly Operation[];
  visits: ReadonlyMap<string, VisitKey>;
}

/** What of the end is not as it must be, each in a line. */
export function check(settled: Settled): string[] {
  return [...settled.visits].flatMap(([name, key]) => {
    const stored = read(settled.stage, key);
    // Its only page may not have come in.
    if (!stored) return isUsed(settled, name) ? [`${name} is not stored`] : [];
    const found = [
      ...checkMessages(settled, name, stored),
      ...checkRegisters(settled, name, stored),
      ...checkPages(settled, name, key, stored),
      ...checkDeadline(settled.stage, key, stored),
    ];
    return found.map((violation) => `${name}: ${violation}`);
  });
}

const isUsed = ({ stage, operations }: Settled, name: string): boolean =>
  operations.some((operation) => operation.visit === name && mustBeThere(stage, operation));

interface Stored {
  visit: Visit;
  said: Said[];
  ledger: LedgerEvent[];
}

function read({ redis }: Stage, key: VisitKey): Stored | undefined {
  const keys = visitKeys(key);
  const { text, list } = redis.data.peek;
  const snapshot = text(keys.snapshot);
  if (snapshot === undefined) return undefined;
  const parsed = <Item>(items: readonly string[]) =>
    items.map((item) => JSON.parse(Buffer.from(item, 'latin1').toString()) as Item);
  return {
    visit: Visit.parse(JSON.parse(unpack(Buffer.from(snapshot, 'latin1')))),
    said: parsed<Said>(list(keys.messages)),
    ledger: [
      ...parsed<LedgerEvent>(list(keys.ledger)),
      ...parsed<LedgerEvent>(list(keys.activity)),
    ],
  };
}

/** Until the next owner has heard from nodes what was kept, milliseconds. */
const RECALL_MS = 12_000;

/**
 * Whether what was acknowledged may be gone with its gateway: a failover lost it, or the gateway's lease, or
 * it was kept at a node (Redis was away) that was gone, or out of reach, when the next owner asked.
 */
function isAtRisk({ losses, fencing, outages }: Stage, operation: Operation): boolean {
  const { kept, endedAt, begunAt, life, visit } = operation;
  if (losses.some(({ from, to }) => endedAt >= from && begunAt <= to)) return true;
  if (!kept || !life) return false;
  const { lease } = visitKeys(visitKey(TENANT, visit as VisitId));
  const owners = fencing.taken.filter((each) => each.lease === lease);
  const taken = owners.findLast(({ by, at }) => by === life.owner && at <= endedAt)?.at ?? 0;
  if (losses.some(({ from, to }) => taken >= from && taken <= to)) return true;
  const next = owners.find(({ at }) => at > taken)?.at ?? Number.POSITIVE_INFINITY;
  // The next owner wrote it, and may be gone itself.
  if (losses.some(({ from, to }) => to >= next && from <= next + RECALL_MS)) return true;
  return outages.some(({ from, to }) => to >= begunAt && from <= next + RECALL_MS);
}

/** Whether it must be there: it was acknowledged, and is not at risk or its gateway lives on to write it. */
function mustBeThere(stage: Stage, operation: Operation): boolean {
  const { outcome, begunAt, life, visit } = operation;
  if (outcome !== 'done' || !life) return false;
  const { lease } = visitKeys(visitKey(TENANT, visit as VisitId));
  const owner = stage.fencing.taken.findLast((each) => each.lease === lease);
  const lives = !life.process.killed && owner?.by === life.owner && owner.at <= begunAt;
  return lives || !isAtRisk(stage, operation);
}

function checkMessages(
  { stage, operations, pages }: Settled,
  name: string,
  { said }: Stored,
): string[] {
  const found: string[] = [];
  const numbers = said.map(({ message }) => message.number);
  if (numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] as number)))
    found.push(`messages are numbered ${numbers}`);
  for (const operation of operations) {
    if (operation.visit !== name || operation.name !== 'send-message') continue;
    const text = operation.request.text as string;
    const times = said.filter(({ message }) => message.text === text);
    if (times.length > 1) found.push(`${text} is there ${times.length} times`);
    if (!mustBeThere(stage, operation)) continue;
    if (times.length === 0) found.push(`${text} was acknowledged and is lost`);
    const { number } = operation.answer as { number: number };
    if (times[0] && times[0].message.number !== number)
      found.push(`${text} is ${times[0].message.number}, and was acknowledged as ${number}`);
  }
  const mayBeLost =
    stage.losses.length > 0 ||
    operations.some((operation) => operation.visit === name && isAtRisk(stage, operation));
  for (const page of pages) {
    if (page.visit !== name || mayBeLost) continue;
    const texts = page.texts.map(({ text }) => text);
    const twice = texts.filter((text, index) => texts.indexOf(text) < index);
    if (twice.length > 0) found.push(`${page.id} has read ${twice} twice`);
  }
  return found;
}

interface Write {
  operation: Operation;
  value: unknown;
}

/** Each is a register that some write: at the end it holds what one of them wrote that no other came after. */
function checkRegisters(settled: Settled, name: string, { visit, ledger }: Stored): string[] {
  const found: string[] = [];
  const operations = settled.operations.filter((operation) => operation.visit === name);
  const writes = (to: (operation: Operation) => unknown): Write[] =>
    operations.flatMap((operation) => {
      const value = to(operation);
      return value === undefined ? [] : [{ operation, value }];
    });
  const expectOneOf = (what: string, actual: unknown, initial: unknown, some: readonly Write[]) => {
    const must = some.filter(({ operation }) => mustBeThere(settled.stage, operation));
    const isLast = ({ operation }: Write) =>
      !must.some((other) => other.operation.begunAt > operation.endedAt);
    const may = some
      .filter((write) => write.operation.outcome !== 'refused' && isLast(write))
      .map(({ value }) => value);
    if (must.length === 0) may.push(initial);
    if (!may.includes(actual)) found.push(`${what} is ${actual}, and should be one of ${may}`);
  };
  for (const participant of present(visit)) {
    const { id } = participant;
    // Who leaves begins anew, also where a failover has lost that they did.
    const hasLeft =
      ledger.some(({ type, participant: who }) => type === 'participant-left' && who === id) ||
      operations.some(({ name: command, by }) => command === 'leave' && by === id);
    if (hasLeft) continue;
    expectOneOf(
      `${id}'s hand`,
      participant.handRaisedAt !== undefined,
      false,
      writes(({ name: command, by, request }) =>
        command === 'raise-hand' && by === id ? request.raised : undefined,
      ),
    );
    expectOneOf(
      `${id}'s place`,
      participant.place.startsWith('room.') ? 'room' : participant.place,
      'main',
      writes(({ name: command, request }) =>
        command === 'move' && (request.participantIds as string[]).includes(id)
          ? (request.to as { type: string }).type
          : undefined,
      ),
    );
    const microphone = microphoneOf(participant);
    if (microphone)
      expectOneOf(
        `${id}'s microphone`,
        microphone.paused,
        false,
        writes((operation) => microphoneWrite(operation, id)),
      );
  }
  const began = ledger.flatMap(({ type, place }) => (type === 'privacy-started' ? [place] : []));
  if (new Set(began).size < began.length) found.push('a move to a private room was done twice');
  for (const type of ['hold-started', 'producer-paused'] as const) {
    const command = type === 'hold-started' ? 'move' : 'mute';
    const done = Map.groupBy(
      ledger.filter((event) => event.type === type && event.by !== undefined),
      ({ by, participant }) => `${by} ${participant}`,
    );
    for (const [who, events] of done) {
      const asked = operations.filter(
        ({ name: given, by, request }) =>
          given === command &&
          (command === 'mute'
            ? `${by} ${request.participantId}` === who
            : (request.to as { type: string }).type === 'hold' &&
              (request.participantIds as string[]).some((id) => `${by} ${id}` === who)),
      );
      if (events.length > asked.length)
        found.push(`${command} of ${who} was done ${events.length} times of ${asked.length}`);
    }
  }
  return found;
}

function microphoneWrite({ name, by, request }: Operation, of: ParticipantId): unknown {
  if (name === 'mute') return request.participantId === of ? true : undefined;
  if (by !== of) return undefined;
  if (name === 'produce')
    return request.source === ('microphone' satisfies MediaSource) ? request.paused : undefined;
  return name === 'pause-producer' ? request.paused : undefined;
}

/** Everybody who is in has a page that knows what the visit is, and the node does what the plan says. */
function checkPages(
  { stage, pages, operations }: Settled,
  name: string,
  key: VisitKey,
  { visit, said }: Stored,
): string[] {
  const found: string[] = [];
  const lease = stage.redis.data.peek.hash(visitKeys(key).lease);
  const ours = pages.filter((page) => page.visit === name && page.over === undefined);
  const planned = plan(visit);
  const node = stage.nodes.find(({ id }) => id === visit.media?.node);
  for (const participant of present(visit)) {
    const { id, endpoint, connection } = participant;
    const page = ours.find((each) => each.id === id);
    if (!page) {
      if (connection === 'connected') found.push(`${id} is there without a page`);
      continue;
    }
    const peer = endpoint && node?.fake.peer(key, endpoint.peer);
    if (!peer) {
      found.push(`${id} has nothing at ${node?.id}`);
      continue;
    }
    const flows = (planned.get(id) ?? []).map(({ producerId }) => producerId);
    const consumers = [...peer.consumers];
    differs(
      found,
      `${id} receives`,
      consumers.map(([producer]) => producer),
      flows,
    );
    differs(
      found,
      `${id}'s page plays`,
      [...page.consumers.keys()],
      consumers.map(([, { id: consumer }]) => consumer),
    );
    const producers = endpoint.producers.map(({ id: producer, paused }) => `${producer} ${paused}`);
    differs(
      found,
      `${id} sends`,
      [...peer.producers].map(([producer, { paused }]) => `${producer} ${paused}`),
      producers,
    );
    differs(
      found,
      `${id}'s page sends`,
      [...page.sending.values()].map(({ producerId }) => String(producerId)),
      endpoint.producers.map(({ id: producer }) => producer),
    );
  }
  for (const each of stage.nodes)
    differs(
      found,
      `${each.id} has`,
      each.fake.peersOf(key),
      present(visit).flatMap(({ endpoint }) =>
        endpoint && (endpoint.at ?? visit.media)?.node === each.id ? endpoint.peer : [],
      ),
    );
  const mayBeLost =
    stage.losses.length > 0 ||
    operations.some((operation) => operation.visit === name && isAtRisk(stage, operation));
  for (const page of ours) {
    if (!page.connected) {
      found.push(`${page.id} does not get in`);
      continue;
    }
    const self = findPresent(visit, page.id);
    if (self?.connection !== 'connected') found.push(`${page.id} is not known to be there`);
    if (page.gateway?.id !== lease?.get('gateway'))
      found.push(`${page.id} is at ${page.gateway?.id}, and the visit at ${lease?.get('gateway')}`);
    const people = viewOf(visit, page.id, 0).participants;
    differs(found, `${page.id} sees`, [...page.people.values()].map(textOf), people.map(textOf));
    // The number of a message that was lost is another one's in the end: who has read it passes that over.
    if (mayBeLost) continue;
    const read = new Set(page.texts.map(({ number }) => number));
    const missed = said.filter(
      ({ message, audience }) => audience.includes(page.id) && !read.has(message.number),
    );
    if (missed.length > 0)
      found.push(`${page.id} has not read ${missed.map(({ message }) => message.text)}`);
  }
  return found;
}

/** Somebody will look at the visit when it is due, whoever has it then. */
function checkDeadline({ redis }: Stage, key: VisitKey, { visit }: Stored): string[] {
  const due = nextDeadline(visit);
  // One that is not due is looked at in vain, and no more then.
  if (due === undefined) return [];
  const expected = redis.data.peek.scores(DEADLINES).get(key);
  return due === expected ? [] : [`is due at ${due}, and to be looked at at ${expected}`];
}

const textOf = (participant: ParticipantView): string => JSON.stringify(participant);

function differs(
  found: string[],
  what: string,
  actual: readonly string[],
  expected: readonly string[],
): void {
  const [is, should] = [actual, expected].map((some) => some.toSorted().join(' '));
  if (is !== should) found.push(`${what} ${is || 'nothing'}, and not ${should || 'nothing'}`);
}
