import { createHash } from 'node:crypto';
import {
  BedsideError,
  type CallId,
  type ClientCommandName,
  type ClientRequest,
  type ClientResponse,
  type InviteId,
  type RequestId,
} from '@bedside/protocol';
import type { GuestTokens } from '../ports.ts';
import type { By, Command } from '../visit/decide.ts';
import { guestOf } from '../visit/invites.ts';
import { placeOf } from '../visit/places.ts';
import type { Visit } from '../visit/state.ts';

/** For how long an invitation can be used, milliseconds. */
const INVITE_TTL_MS = 15 * 60_000;
/** For how long each group of a call rings, milliseconds. */
const RING_MS = 30_000;

/** Commands that the visit decides by itself: the node has no part in them but the plan that follows. */
const ACTS = [
  'admit',
  'remove',
  'move',
  'ask-unmute',
  'invite',
  'revoke-invite',
  'call',
  'cancel-call',
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
] as const satisfies readonly ClientCommandName[];
export type Act = (typeof ACTS)[number];

/** Those that the clinic's staff may give from outside of the visit. */
const OF_STAFF = ['admit', 'remove', 'send-message', 'reassign', 'answer-reassign'] as const;

export const isStaffCommand = (name: ClientCommandName): name is (typeof OF_STAFF)[number] =>
  (OF_STAFF as readonly string[]).includes(name);

/** Known by themselves where they come again, or as good as not: what many send at a time is not remembered one by one. */
const REPEATED_AT_WILL: readonly Act[] = ['send-message', 'report-quality'];

/** What the visit remembers an act by, where it does. */
export const actNameOf = (session: string, act: Act, request: RequestId): string | undefined =>
  REPEATED_AT_WILL.includes(act) ? undefined : nameOf(session, act, request);

/** Done in its turn; acknowledged once it is committed. */
export interface Acted<Response> {
  committed: Promise<unknown>;
  response: Response | Promise<Response>;
}

export async function done<Response>({ committed, response }: Acted<Response>): Promise<Response> {
  // Both are awaited from the start: neither may fail unheard.
  const [answer] = await Promise.all([response, committed]);
  return answer;
}

/** `session`: in which request ids are unique, over gateways too. */
export type Acts = {
  [Name in Act]: (
    by: By,
    request: ClientRequest<Name>,
    session: string,
  ) => Acted<ClientResponse<Name>>;
};

/**
 * A name for one request: the same one again, even at another gateway, is not done a second time.
 * @param session In which request ids are unique, over gateways too.
 */
export const nameOf = (session: string, command: ClientCommandName, request: RequestId): string =>
  createHash('sha256').update(`${session} ${command} ${request}`).digest('base64url').slice(0, 16);

/** One handler for each act; `Context` is who acts. */
export function mapActs<Context>(
  make: <Name extends Act>(
    name: Name,
  ) => (context: Context, request: ClientRequest<Name>) => Promise<ClientResponse<Name>>,
) {
  return Object.fromEntries(ACTS.map((name) => [name, make(name)])) as {
    [Name in Act]: (
      context: Context,
      request: ClientRequest<Name>,
    ) => Promise<ClientResponse<Name>>;
  };
}

type WithoutNow<Each> = Each extends Command ? Omit<Each, 'now'> : never;

export interface ActsHost {
  /** Milliseconds since 1970. */
  now(): number;
  visit(): Visit;
  /** Decides and commits. @throws BedsideError */
  did(command: Command): Promise<unknown>;
  /** That all is as it was, on record. */
  confirmed(): Promise<unknown>;
  /** Whether the node does as the plan says, once it was asked to. */
  inLine(): Promise<boolean>;
  mint: GuestTokens['mint'];
  /** The number of the message that a request has said already. */
  said(request: string): number | undefined;
  /** Redis answers: without it nobody can be rung. */
  canCall(): boolean;
}

export function createActs(host: ActsHost): Acts {
  const { now, visit, did, confirmed, inLine, mint, said, canCall } = host;
  const act = (command: WithoutNow<Command>): Acted<Record<string, never>> => ({
    committed: did({ ...command, now: now() } as Command),
    response: {},
  });
  /** Privacy is not acknowledged before the node keeps it. */
  const privately = <Response>(committed: Promise<unknown>, response: Response) => ({
    committed,
    response: inLine().then((applied) => {
      if (!applied) throw new BedsideError('media-unavailable', { retryAfterMs: 1_000 });
      return response;
    }),
  });
  return {
    admit: (by, { participantIds: participants }) =>
      act({ type: 'admit', by, ...(participants ? { participants } : {}) }),
    remove: (by, { participantId: participant }) =>
      privately(act({ type: 'remove', by, participant }).committed, {}),
    move: (by, { requestId, participantIds: participants, to }, session) => {
      const room = `room.${nameOf(session, 'move', requestId)}`;
      const { committed } = act({ type: 'move', by, participants, to, room });
      return privately(committed, { place: placeOf({ to, room }) });
    },
    'ask-unmute': (by, { participantId: participant }) =>
      act({ type: 'ask-unmute', by, participant }),
    invite: (by, { requestId, role, name, ttlMs = INVITE_TTL_MS, knock }, session) => {
      const invite = nameOf(session, 'invite', requestId) as InviteId;
      const { committed } = act({ type: 'invite', by, invite, role, name, ttlMs, knock });
      const { tenant, visit: id, invites } = visit();
      const expiresAt = invites?.find((each) => each.id === invite)?.expiresAt ?? now();
      const guest = { tenant, visit: id, participant: guestOf(invite), role, name, invite };
      const response = mint(guest).then((token) => ({ inviteId: invite, token, expiresAt }));
      return { committed, response };
    },
    'revoke-invite': (by, { inviteId: invite }) => act({ type: 'revoke-invite', by, invite }),
    call: (by, { requestId, role, groups, ringMs = RING_MS }, session) => {
      if (!canCall()) throw new BedsideError('state-unavailable');
      const call = nameOf(session, 'call', requestId) as CallId;
      const { committed } = act({ type: 'call', by, call, role, groups, ringMs });
      return { committed, response: { callId: call } };
    },
    'cancel-call': (by, { callId: call }) => act({ type: 'cancel-call', by, call }),
    'hand-over': (by, { to }) => act({ type: 'hand-over', by, to }),
    'answer-hand-over': (by, { accept }) => act({ type: 'answer-hand-over', by, accept }),
    reassign: (by, { to }) => act({ type: 'reassign', by, to }),
    'answer-reassign': (by, { accept }) => act({ type: 'answer-reassign', by, accept }),
    'set-languages': (by, { requestId, ...languages }) =>
      act({ type: 'set-languages', by, ...languages }),
    'set-interpreting': (by, { mode }) => act({ type: 'set-interpreting', by, mode }),
    'take-turn': (by) => act({ type: 'take-turn', by }),
    cue: (by, { participantId: participant, cue }) => act({ type: 'cue', by, participant, cue }),
    whisper: (by, { to }) => privately(act({ type: 'whisper', by, to }).committed, {}),
    'send-message': (by, { requestId, to, kind, text }, session) => {
      const request = nameOf(session, 'send-message', requestId);
      const number = said(request);
      if (number !== undefined) return { committed: confirmed(), response: { number } };
      const { committed } = act({ type: 'send-message', by, to, kind, text, request });
      return { committed, response: { number: visit().messages ?? 0 } };
    },
    'report-quality': (by, { changes, evidence }) =>
      act({ type: 'report-quality', by, changes, evidence }),
    'raise-hand': (by, { raised }) => act({ type: 'raise-hand', by, raised }),
    react: (by, { reaction }) => act({ type: 'react', by, reaction }),
  };
}
