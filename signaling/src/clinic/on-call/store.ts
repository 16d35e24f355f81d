import {
  type CallId,
  ParticipantId,
  RingEndReason,
  Role,
  Skills,
  VisitId,
  type VisitKind,
} from '@bedside/protocol';
import type { RedisCalls } from '@bedside/service';
import type { Cluster, Redis } from 'ioredis';
import * as z from 'zod/mini';
import type { ClinicKey } from '../keys.ts';
import { onCallKeys } from './keys.ts';
import type { OnCallPerson, Rung } from './matching.ts';
import type { OnCallMessage } from './messages.ts';
import { ACCEPT, DECLINE, END, PRESENT, RING } from './scripts.ts';

/** Who is on call at a gateway that was killed is so no more after this long, milliseconds. */
export const PRESENCE_TTL_MS = 5_000;
/** The list of gateways outlives them: it is only where to look. */
const GATEWAYS_TTL_MS = 60_000;
/** A call is remembered for so long after its ring time, milliseconds. */
const RUNG_TTL_MS = 60_000;
/** Who accepted may ask for a token again for so long, milliseconds. */
const ACCEPTED_TTL_MS = 600_000;

/** A ring, as the owner of the visit has it sent. */
export interface Ringing {
  call: CallId;
  index: number;
  visit: VisitId;
  role: Role;
  kind: VisitKind;
  forMs: number;
  people: readonly Rung[];
}

/** How a call stands, by what Redis keeps. */
export interface CallRecord {
  by: ParticipantId | undefined;
  over: RingEndReason | undefined;
  declined: ReadonlySet<ParticipantId>;
}

export type Acceptance =
  /** `over` is absent until the visit knows. */
  | { type: 'theirs'; visit: VisitId; role: Role; over: RingEndReason | undefined }
  | { type: 'taken' }
  | { type: 'gone'; over: RingEndReason | undefined };

const People = z.array(
  z.object({
    person: ParticipantId,
    role: Role,
    skills: Skills,
    since: z.int(),
    busy: z.boolean(),
  }),
);
const Over = z.catch(z.optional(RingEndReason), undefined);
const AcceptReply = z.union([
  z.tuple([z.literal('theirs'), VisitId, Role, Over]),
  z.tuple([z.literal('taken')]),
  z.tuple([z.literal('gone'), Over]),
]);
const DECLINED = 'declined';

/** Who is on call, and whom they are called by, in Redis. Calls throw as RedisCalls. */
export class OnCallStore {
  readonly #redis: Redis | Cluster;
  readonly #calls: RedisCalls;
  readonly #gateway: string;

  /** `gateway`: a name of this process that no other and no later one has. */
  constructor(redis: Redis | Cluster, calls: RedisCalls, gateway: string) {
    this.#redis = redis;
    this.#calls = calls;
    this.#gateway = gateway;
  }

  /** Who of a clinic is on call at this gateway, until PRESENCE_TTL_MS from now. `changed`: the others should look. */
  async present(
    clinic: ClinicKey,
    people: readonly OnCallPerson[],
    changed: boolean,
  ): Promise<void> {
    const keys = onCallKeys(clinic);
    await this.#calls.run(
      'on-call-present',
      PRESENT,
      [keys.gateways, keys.people(this.#gateway)],
      [
        this.#gateway,
        people.length === 0 ? '' : JSON.stringify(people),
        PRESENCE_TTL_MS,
        GATEWAYS_TTL_MS,
        keys.messages,
        changed ? text({ type: 'people' }) : '',
      ],
    );
  }

  /** Who is on call at any gateway. */
  async people(clinic: ClinicKey): Promise<OnCallPerson[]> {
    const keys = onCallKeys(clinic);
    const gateways = await this.#calls.call('on-call-people', () =>
      this.#redis.smembers(keys.gateways),
    );
    if (gateways.length === 0) return [];
    const all = await this.#calls.call('on-call-people', () =>
      this.#redis.mget(gateways.map(keys.people)),
    );
    // What another version wrote is nobody.
    return all.flatMap((json) => People.safeParse(JSON.parse(json ?? '[]')).data ?? []);
  }

  async read(clinic: ClinicKey, call: CallId): Promise<CallRecord> {
    const fields = await this.#calls.call('read-call', () =>
      this.#redis.hgetall(onCallKeys(clinic).call(call)),
    );
    const declined = Object.entries(fields).flatMap(([name, value]) =>
      name.startsWith('p:') && value === DECLINED ? [name.slice(2) as ParticipantId] : [],
    );
    return {
      by: fields.by as ParticipantId | undefined,
      over: Over.parse(fields.over),
      declined: new Set(declined),
    };
  }

  /** Nobody is rung where somebody has accepted. */
  async ring(clinic: ClinicKey, { visit, ...ringing }: Ringing): Promise<void> {
    const keys = onCallKeys(clinic);
    const { call, role, kind, forMs, people } = ringing;
    await this.#calls.run(
      'ring-call',
      RING,
      [keys.call(call)],
      [
        keys.messages,
        text({ type: 'ring', ...ringing, people: [...people] }),
        forMs + RUNG_TTL_MS,
        visit,
        role,
        kind,
        ...people.map(({ person }) => person),
      ],
    );
  }

  async accept(clinic: ClinicKey, call: CallId, by: ParticipantId): Promise<Acceptance> {
    const keys = onCallKeys(clinic);
    const fields = await this.#calls.run(
      'accept-call',
      ACCEPT,
      [keys.call(call)],
      [by, keys.messages, text({ type: 'accepted', call, by }), ACCEPTED_TTL_MS],
    );
    const reply = AcceptReply.parse(z.array(z.unknown()).parse(fields).map(String));
    switch (reply[0]) {
      case 'theirs':
        return { type: 'theirs', visit: reply[1], role: reply[2], over: reply[3] };
      case 'gone':
        return { type: 'gone', over: reply[1] };
      case 'taken':
        return { type: 'taken' };
    }
  }

  async decline(clinic: ClinicKey, call: CallId, by: ParticipantId): Promise<void> {
    const keys = onCallKeys(clinic);
    await this.#calls.run(
      'decline-call',
      DECLINE,
      [keys.call(call)],
      [by, keys.messages, text({ type: 'declined', call, by })],
    );
  }

  /** Resolves with who has accepted, if somebody has. */
  async end(
    clinic: ClinicKey,
    call: CallId,
    reason: RingEndReason,
  ): Promise<ParticipantId | undefined> {
    const keys = onCallKeys(clinic);
    const by = await this.#calls.run(
      'end-call',
      END,
      [keys.call(call)],
      [reason, keys.messages, text({ type: 'over', call, reason }), ACCEPTED_TTL_MS],
    );
    // The reply is bytes.
    return String(by) === '' ? undefined : (String(by) as ParticipantId);
  }
}

const text = (message: OnCallMessage): string => JSON.stringify(message);
