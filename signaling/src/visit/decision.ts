import type {
  CallId,
  ClientEventPayload,
  Cue,
  DisplayName,
  ErrorCode,
  Grant,
  InterpretingMode,
  InviteId,
  LanguageTag,
  MediaSource,
  Message,
  MessageTarget,
  MoveTarget,
  Need,
  NodeId,
  ParticipantId,
  PeerId,
  Place,
  ProducerId,
  QualityChange,
  QualityEvidence,
  Reaction,
  RequestId,
  Role,
} from '@bedside/protocol';
import type * as z from 'zod/mini';
import { isAudience } from './audience.ts';
import {
  areTogether,
  DEPARTED_AUDIENCE_LIMIT,
  DEPARTED_LIMIT,
  type Endpoint,
  findAdmitted,
  findPresent,
  type LedgerEvent,
  type Media,
  type Participant,
  type Person,
  type Visit,
} from './state.ts';

/** Who gives a command: somebody who takes part, or the clinic's staff from outside of the visit. */
export type By =
  | { participant: ParticipantId }
  | { staff: ParticipantId; grants: readonly Grant[] };

/**
 * Everything that can happen to a visit. Time and new ids come with the command, so that the same
 * history always gives the same visit. `session` is the hash of a session id.
 */
export type Command =
  /** A page's socket opened: its session goes on, or takes the place of the participant's older one. */
  | { type: 'connect'; now: number; person: Person; session: string }
  /** A page renewed its token: who they are and what they may do is what this one says. */
  | { type: 'identify'; now: number; person: Person }
  /** A page's socket is gone. */
  | { type: 'disconnect'; now: number; participant: ParticipantId; session: string }
  /** The grace time of a page without a socket is over. */
  | { type: 'expire'; now: number; participant: ParticipantId; session: string }
  /** `media` is where the participant's endpoint is opened, and the visit's home if it has none yet; `peer` is new. */
  | {
      type: 'join';
      now: number;
      person: Person;
      session: string;
      request: RequestId;
      peer: PeerId;
      media: Media;
    }
  | {
      type: 'produce';
      now: number;
      participant: ParticipantId;
      request: RequestId;
      producer: ProducerId;
      source: MediaSource;
      paused: boolean;
    }
  | {
      type: 'pause-producer';
      now: number;
      participant: ParticipantId;
      producer: ProducerId;
      paused: boolean;
    }
  | { type: 'close-producer'; now: number; participant: ParticipantId; producer: ProducerId }
  | { type: 'leave'; now: number; participant: ParticipantId }
  /** `by` is absent where the portal's server ends the visit. */
  | { type: 'end'; now: number; by?: ParticipantId }
  /** Everybody who waits where `participants` is absent. */
  | { type: 'admit'; now: number; by: By; participants?: readonly ParticipantId[] }
  | { type: 'remove'; now: number; by: By; participant: ParticipantId }
  /** `room` is the name of a new one. */
  | {
      type: 'move';
      now: number;
      by: By;
      participants: readonly ParticipantId[];
      to: z.infer<typeof MoveTarget>;
      room: Place;
    }
  | { type: 'mute'; now: number; by: By; participant: ParticipantId }
  | { type: 'ask-unmute'; now: number; by: By; participant: ParticipantId }
  | {
      type: 'invite';
      now: number;
      by: By;
      invite: InviteId;
      role: Role;
      name?: z.infer<typeof DisplayName> | undefined;
      ttlMs: number;
      knock: boolean;
    }
  | { type: 'revoke-invite'; now: number; by: By; invite: InviteId }
  | {
      type: 'call';
      now: number;
      by: By;
      call: CallId;
      role: Role;
      groups: readonly Need[];
      ringMs: number;
    }
  | { type: 'cancel-call'; now: number; by: By; call: CallId }
  /** Somebody who was rung comes. */
  | { type: 'call-accepted'; now: number; call: CallId; person: ParticipantId }
  /** Nobody of the group that rings is left to ask, or its time is over. */
  | { type: 'call-exhausted'; now: number; call: CallId; group: number }
  | { type: 'hand-over'; now: number; by: By; to: ParticipantId | null }
  | { type: 'answer-hand-over'; now: number; by: By; accept: boolean }
  | { type: 'reassign'; now: number; by: By; to: ParticipantId | null }
  | { type: 'answer-reassign'; now: number; by: By; accept: boolean }
  | {
      type: 'set-languages';
      now: number;
      by: By;
      speaks?: readonly LanguageTag[] | undefined;
      hears?: readonly LanguageTag[] | undefined;
      signs?: boolean | undefined;
      duckDb?: number | undefined;
    }
  | { type: 'set-interpreting'; now: number; by: By; mode: InterpretingMode }
  | { type: 'take-turn'; now: number; by: By }
  | { type: 'cue'; now: number; by: By; participant: ParticipantId; cue: Cue }
  | { type: 'whisper'; now: number; by: By; to: ParticipantId | null }
  | {
      type: 'send-message';
      now: number;
      by: By;
      to: MessageTarget;
      kind: Message['kind'];
      text: string;
      /** A name of the request that no other has. */
      request?: string;
    }
  | {
      type: 'report-quality';
      now: number;
      by: By;
      changes: readonly QualityChange[];
      evidence: readonly QualityEvidence[];
    }
  | { type: 'raise-hand'; now: number; by: By; raised: boolean }
  | { type: 'react'; now: number; by: By; reaction: Reaction }
  /** What the portal shares with who waits. */
  | { type: 'wait'; now: number; ahead?: number | undefined; expectedAt?: number | undefined }
  /** A moment that `nextDeadline` named has come. */
  | { type: 'tick'; now: number }
  /** Another gateway opened the visit from Redis: nobody is connected to it yet. */
  | { type: 'recover'; now: number }
  /** The media is about to go to another node; or stays. */
  | { type: 'relocating'; now: number; media: Media | undefined }
  /** It is there now, where participants have these endpoints. */
  | { type: 'relocate'; now: number; endpoints: ReadonlyMap<ParticipantId, Endpoint> }
  /** The node has nothing of the visit any more. */
  | { type: 'media-lost'; now: number; node: NodeId }
  /** The node has the visit, but not these. */
  | {
      type: 'endpoints-lost';
      now: number;
      peers: readonly PeerId[];
      producers: readonly ProducerId[];
    };

export type Of<Type extends Command['type']> = Extract<Command, { type: Type }>;

/** Events of the protocol that a decision sends to single participants, and that nothing keeps. */
type Told = {
  [Name in 'unmute-asked' | 'cue' | 'reaction' | 'quality-changed' | 'whisper-ended']: {
    type: 'tell';
    to: readonly ParticipantId[];
    event: Name;
    payload: ClientEventPayload<Name>;
  };
};

/** What the node is to do, or somebody is told. What a page asks of producers, and `open-*`, must succeed for the change to count; all other closes are tidying. */
export type Effect =
  | { type: 'open-peer'; peer: PeerId }
  | { type: 'open-producer'; peer: PeerId; producer: ProducerId }
  | { type: 'pause-producer'; producer: ProducerId; paused: boolean }
  | { type: 'close-producer'; producer: ProducerId }
  | { type: 'close-peer'; peer: PeerId }
  | { type: 'close-visit'; media: Media }
  | Told[keyof Told]
  | {
      type: 'say';
      message: Message;
      audience: readonly ParticipantId[];
      /** Of a lecture's audience: who is told, and who is not of those who are in. */
      listeners?: { told: readonly ParticipantId[]; except: readonly ParticipantId[] };
      request?: string;
    };

export type Decision =
  | { ok: true; visit: Visit; events: readonly LedgerEvent[]; effects: readonly Effect[] }
  | { ok: false; code: ErrorCode };

export const refuse = (code: ErrorCode): Decision => ({ ok: false, code });

export const unchanged = (visit: Visit, ...effects: Effect[]): Decision => ({
  ok: true,
  visit,
  events: [],
  effects,
});

export const change = (
  visit: Visit,
  patch: Partial<Visit>,
  events: readonly LedgerEvent[],
  effects: readonly Effect[] = [],
): Decision => ({ ok: true, visit: { ...visit, ...patch, seq: visit.seq + 1 }, events, effects });

/** Who gave the command, for the ledger. */
export const idOf = (by: By): ParticipantId => ('staff' in by ? by.staff : by.participant);

/** The participant who gave the command, where they take part. */
export function giverOf(visit: Visit, by: By): Participant | undefined {
  return 'participant' in by ? findPresent(visit, by.participant) : undefined;
}

/**
 * Why a command is refused, if it is: who waits or stays outside has no say in the visit, and everybody
 * else needs one of these grants (none where the list is empty).
 */
export function refusal(visit: Visit, by: By, ...anyOf: Grant[]): ErrorCode | undefined {
  if (visit.state === 'ended') return 'visit-ended';
  if ('staff' in by)
    return anyOf.some((grant) => by.grants.includes(grant)) ? undefined : 'forbidden';
  const giver = findPresent(visit, by.participant);
  if (!giver) return 'not-joined';
  if (giver.state !== 'admitted') return 'forbidden';
  return anyOf.length === 0 || anyOf.some((grant) => giver.grants.includes(grant))
    ? undefined
    : 'forbidden';
}

/** The participant who gave a command that staff outside can not give, where they may; else why they may not. */
export function permit(
  visit: Visit,
  by: By,
  ...anyOf: Grant[]
): { giver: Participant; refused?: undefined } | { giver?: undefined; refused: ErrorCode } {
  const refused = refusal(visit, by, ...anyOf);
  const giver = giverOf(visit, by);
  return refused || !giver ? { refused: refused ?? 'forbidden' } : { giver };
}

/** Somebody else who hears the giver now. */
export function hearerOf(
  visit: Visit,
  giver: Participant,
  id: ParticipantId,
): Participant | undefined {
  const other = findAdmitted(visit, id);
  return other && other !== giver && areTogether(giver, other) ? other : undefined;
}

/** The list with these participants in their places, or at its end; who left longest ago falls out. */
export function swap(visit: Visit, ...changed: readonly Participant[]): Participant[] {
  const byId = new Map(changed.map((each) => [each.id, each]));
  const participants = visit.participants.map((each) => {
    const after = byId.get(each.id);
    byId.delete(each.id);
    return after ?? each;
  });
  participants.push(...byId.values());
  const departed = participants.filter(({ state }) => state === 'left');
  // Who listened takes no place of who took part.
  const { audience = [], others = [] } = Object.groupBy(departed, (each) =>
    isAudience(visit, each) ? 'audience' : 'others',
  );
  const forgotten = new Set([
    ...longestGone(others, DEPARTED_LIMIT),
    ...longestGone(audience, DEPARTED_AUDIENCE_LIMIT),
  ]);
  if (forgotten.size === 0) return participants;
  return participants.filter((each) => !forgotten.has(each));
}

/** All but the `most` who left last. */
function longestGone(departed: readonly Participant[], most: number): readonly Participant[] {
  if (departed.length <= most) return [];
  return departed.toSorted((one, other) => (one.leftAt ?? 0) - (other.leftAt ?? 0)).slice(0, -most);
}

/** The same without some of its optional fields. */
export function without<Item extends object, Key extends keyof Item>(
  item: Item,
  ...keys: Key[]
): Omit<Item, Key> {
  const rest = { ...item };
  for (const key of keys) delete rest[key];
  return rest;
}
