import { isDeepStrictEqual } from 'node:util';
import { HOLD, type LeaveReason, LIMITS, MAIN_ROOM, type ParticipantId } from '@bedside/protocol';
import { COMINGS, spend } from './allowance.ts';
import { isAudience, ofAudience } from './audience.ts';
import {
  change,
  type Decision,
  type Effect,
  type Of,
  refusal,
  refuse,
  swap,
  unchanged,
  without,
} from './decision.ts';
import { mayProduce, withoutEndpoint, withProducers } from './endpoint.ts';
import { mustWait } from './entry.ts';
import { endpointAt } from './nodes.ts';
import { roomsOf } from './places.ts';
import {
  find,
  findPresent,
  type Invite,
  type LedgerEvent,
  type Participant,
  type Person,
  present,
  TOKENS_LIMIT,
  type Visit,
  wasSentAway,
} from './state.ts';

/** Who comes, drops, comes back and goes. */

export function connect(visit: Visit, { now, person, session }: Of<'connect'>): Decision {
  if (visit.state === 'ended') return refuse('visit-ended');
  if (isBarred(visit, person)) return refuse('removed');
  const participant = findPresent(visit, person.id);
  if (!isInvited(visit, person, session, now)) return refuse('invite-used');
  // Who has not joined yet has no part in the visit; their session lives in the shell until `join`.
  if (!participant) return unchanged(visit);
  if (!hasRoom(visit, participant, person)) return refuse('limit-reached');
  const event = { at: now, participant: person.id, role: person.role };
  const { identified, events, effects } = withIdentity(visit, participant, person, now);
  // A session is one of a role: under another one it is not resumed.
  if (participant.session === session && participant.role === person.role) {
    if (participant.connection === 'connected') return identify(visit, { now, person });
    return change(
      visit,
      { participants: swap(visit, { ...identified, connection: 'connected' }) },
      [{ type: 'participant-reconnected', ...event }, ...events],
      effects,
    );
  }
  const { endpoint } = participant;
  const replaced: Participant = {
    ...withoutEndpoint(identified),
    session,
    connection: 'connected',
  };
  return change(
    visit,
    { participants: swap(visit, replaced) },
    [{ type: 'participant-replaced', ...event }],
    endpoint ? [{ type: 'close-peer', peer: endpoint.peer }] : [],
  );
}

export function identify(visit: Visit, { now, person }: Omit<Of<'identify'>, 'type'>): Decision {
  const participant = findPresent(visit, person.id);
  if (!participant) return unchanged(visit);
  if (isBarred(visit, person)) return refuse('unauthorized');
  if (!hasRoom(visit, participant, person)) return refuse('limit-reached');
  const { identified, events, effects } = withIdentity(visit, participant, person, now);
  return identified === participant
    ? unchanged(visit)
    : change(visit, { participants: swap(visit, identified) }, events, effects);
}

export function disconnect(
  visit: Visit,
  { now, participant: id, session }: Of<'disconnect'>,
): Decision {
  const participant = findPresent(visit, id);
  if (
    !participant ||
    participant.session !== session ||
    participant.connection === 'reconnecting'
  ) {
    return unchanged(visit);
  }
  return change(
    visit,
    { participants: swap(visit, { ...participant, connection: 'reconnecting' }) },
    [{ type: 'participant-reconnecting', at: now, participant: id, role: participant.role }],
  );
}

export function expire(visit: Visit, { now, participant: id, session }: Of<'expire'>): Decision {
  const participant = findPresent(visit, id);
  if (!participant || participant.session !== session || participant.connection === 'connected') {
    return unchanged(visit);
  }
  return depart(visit, id, 'connection-lost', now);
}

export function join(
  visit: Visit,
  { now, person, session, request, peer, media }: Of<'join'>,
): Decision {
  if (visit.state === 'ended') return refuse('visit-ended');
  if (isBarred(visit, person)) return refuse('removed');
  if (!isInvited(visit, person, session, now)) return refuse('invite-used');
  const earlier = find(visit, person.id);
  const before = findPresent(visit, person.id);
  if (before?.endpoint?.request === request) {
    return unchanged(visit, { type: 'open-peer', peer: before.endpoint.peer });
  }
  if (!hasRoom(visit, before, person)) return refuse('limit-reached');
  const comings = before || !earlier ? earlier?.comings : spend(earlier.comings, now, COMINGS);
  if (!before && earlier && comings === undefined) return refuse('rate-limited');

  const participant: Participant = {
    ...unidentified(visit, before ?? newcomer(visit, earlier, person, now), person, now),
    ...identityOf(person),
    ...(comings === undefined ? {} : { comings }),
    ...(earlier?.whispers === undefined ? {} : { whispers: earlier.whispers }),
    tokens: withToken(earlier, person),
    connection: 'connected',
    session,
    endpoint: endpointAt(visit, { peer, request, producers: [] }, media),
  };
  const events: LedgerEvent[] = [];
  if (!visit.media) events.push({ type: 'media-placed', at: now });
  const effects: Effect[] = [{ type: 'open-peer', peer }];
  if (before?.endpoint) effects.push({ type: 'close-peer', peer: before.endpoint.peer });
  return change(
    visit,
    {
      participants: swap(visit, participant),
      media: visit.media ?? media,
      ...usedBy(visit, person, session, now, events),
    },
    events,
    effects,
  );
}

/** Whether there is room for this person among those who take part, or in the audience, where they go there now. */
function hasRoom(visit: Visit, before: Participant | undefined, person: Person): boolean {
  const listens = isAudience(visit, person);
  if (before && isAudience(visit, before) === listens) return true;
  const there = present(visit).filter((each) => isAudience(visit, each) === listens);
  return there.length < (listens ? LIMITS.audiencePerVisit : LIMITS.participantsPerVisit);
}

/** How somebody who is not in the visit comes in. */
function newcomer(
  visit: Visit,
  earlier: Participant | undefined,
  person: Person,
  now: number,
): Omit<Participant, 'session'> {
  // Who was sent away comes as new.
  const known = earlier && !wasSentAway(earlier) ? earlier : undefined;
  const { place = MAIN_ROOM, hold } = known ?? {};
  return {
    ...languagesOf(known, person),
    ...identityOf(person),
    tokens: [],
    connection: 'connected',
    id: person.id,
    state: mustWait(visit, person) ? 'waiting' : 'admitted',
    // To leave and come back is no way out of hold, nor past the wall of a private room that is in use.
    place: place === HOLD || roomsOf(visit).has(place) ? place : MAIN_ROOM,
    ...(hold === undefined ? {} : { hold }),
    joinedAt: now,
  };
}

/** What somebody said of their languages before they left, unless their token says another one by now. */
function languagesOf(
  earlier: Participant | undefined,
  { lang }: Person,
): Pick<Participant, 'speaks' | 'hears' | 'signs' | 'duckDb'> {
  if (!earlier || earlier.lang !== lang) return {};
  const { speaks, hears, signs, duckDb } = earlier;
  return {
    ...(speaks === undefined ? {} : { speaks }),
    ...(hears === undefined ? {} : { hears }),
    ...(signs === undefined ? {} : { signs }),
    ...(duckDb === undefined ? {} : { duckDb }),
  };
}

/** Whether a removal has made this token useless. */
function isBarred(visit: Visit, { id, token }: Person): boolean {
  return visit.barred?.some((each) => each.id === id && each.tokens.includes(token)) ?? false;
}

function inviteOf(visit: Visit, { invite: id }: Person): Invite | undefined {
  return id === undefined ? undefined : visit.invites?.find((each) => each.id === id);
}

/** Whether the invitation that the token names, if it does, is still good for this page. */
function isInvited(visit: Visit, person: Person, session: string, now: number): boolean {
  if (person.invite === undefined) return true;
  const invite = inviteOf(visit, person);
  if (invite?.state === 'used') return invite.session === session;
  return invite?.state === 'open' && now <= invite.expiresAt;
}

function usedBy(
  visit: Visit,
  person: Person,
  session: string,
  now: number,
  events: LedgerEvent[],
): Pick<Visit, 'invites'> {
  const invite = inviteOf(visit, person);
  if (invite?.state !== 'open') return {};
  events.push({ type: 'invite-used', at: now, participant: person.id, invite: invite.id });
  return {
    invites: visit.invites?.map((each) =>
      each === invite ? { ...each, state: 'used' as const, session } : each,
    ),
  };
}

function withToken(participant: Participant | undefined, { token }: Person): string[] {
  const tokens = participant?.tokens ?? [];
  return tokens.includes(token) ? tokens : [...tokens, token].slice(-TOKENS_LIMIT);
}

export function end(visit: Visit, { now, by }: Of<'end'>): Decision {
  if (by !== undefined && visit.state !== 'ended') {
    const refused = refusal(visit, { participant: by }, 'end');
    if (refused) return refuse(refused);
  }
  return visit.state === 'ended'
    ? unchanged(visit)
    : over(visit, now, by === undefined ? {} : { by });
}

/** The visit ends for everybody. */
export function over(visit: Visit, now: number, why: Pick<LedgerEvent, 'by' | 'reason'>): Decision {
  return change(
    without(visit, 'media', 'responsible', 'unattendedSince', 'handOver', 'offeredTo', 'turns'),
    {
      state: 'ended',
      endedAt: now,
      participants: visit.participants.map((each) =>
        each.state === 'left' ? each : left(each, 'visit-ended', now),
      ),
    },
    [
      // For its audience that it ended says enough.
      ...present(visit)
        .filter((each) => !isAudience(visit, each))
        .map((each) => leftEvent(visit, each, 'visit-ended', now)),
      { type: 'visit-ended', at: now, ...why },
    ],
  );
}

export function recover(visit: Visit): Decision {
  if (
    !visit.participants.some((each) => each.state !== 'left' && each.connection === 'connected')
  ) {
    return unchanged(visit);
  }
  const participants = visit.participants.map((each) =>
    each.state === 'left' ? each : { ...each, connection: 'reconnecting' as const },
  );
  // No ledger event: the participants lost nothing, it is the gateway that is new.
  return change(visit, { participants }, []);
}

/** A participant goes. With the last one the media goes too; the visit stays open for whoever comes back. */
export function depart(
  visit: Visit,
  id: ParticipantId,
  reason: LeaveReason,
  now: number,
  by?: ParticipantId,
): Decision {
  const participant = findPresent(visit, id);
  if (!participant) return unchanged(visit);
  const participants = swap(visit, left(participant, reason, now));
  const events = [{ ...leftEvent(visit, participant, reason, now), ...(by ? { by } : {}) }];
  if (present(visit).length === 1) {
    return change(without(visit, 'media'), { participants }, events);
  }
  const { endpoint } = participant;
  return change(
    visit,
    { participants },
    events,
    endpoint ? [{ type: 'close-peer', peer: endpoint.peer }] : [],
  );
}

function left(participant: Participant, reason: LeaveReason, now: number): Participant {
  return {
    ...without(withoutEndpoint(participant), 'whisperTo', 'handRaisedAt'),
    state: 'left',
    leftAt: now,
    leftReason: reason,
  };
}

function leftEvent(
  visit: Visit,
  participant: Participant,
  reason: LeaveReason,
  now: number,
): LedgerEvent {
  return {
    type: 'participant-left',
    at: now,
    ...ofAudience(isAudience(visit, participant)),
    participant: participant.id,
    role: participant.role,
    reason,
  };
}

/**
 * The participant as the latest token has them, without the producers that it does not grant; the same
 * one where nothing differs.
 */
function withIdentity(
  visit: Visit,
  participant: Participant,
  person: Person,
  now: number,
): { identified: Participant; events: LedgerEvent[]; effects: Effect[] } {
  const producers = participant.endpoint?.producers ?? [];
  const withdrawn = producers.filter(({ source }) => !mayProduce(person, source));
  const tokens = withToken(participant, person);
  if (
    withdrawn.length === 0 &&
    tokens === participant.tokens &&
    isDeepStrictEqual(identityOf(participant), identityOf(person))
  )
    return { identified: participant, events: [], effects: [] };
  // The new token may be without a name or a language.
  return {
    identified: withProducers(
      {
        ...unidentified(visit, participant, person, now),
        ...identityOf(person),
        session: participant.session,
        tokens,
      },
      producers.filter((producer) => !withdrawn.includes(producer)),
    ),
    events: withdrawn.map(({ source }) => ({
      type: 'producer-closed',
      at: now,
      participant: participant.id,
      source,
    })),
    effects: withdrawn.map(({ id: producer }) => ({ type: 'close-producer', producer })),
  };
}

type Sessionless = Omit<Participant, 'session'>;

/**
 * Without what a token says of them. Who is in and goes to the audience by this one, or takes part from now on,
 * is there since now.
 */
function unidentified(
  visit: Visit,
  participant: Sessionless,
  person: Person,
  now: number,
): Sessionless {
  const rest: Sessionless = without(participant, 'name', 'lang', 'invite');
  const goesOver =
    rest.admittedAt !== undefined && isAudience(visit, participant) !== isAudience(visit, person);
  return goesOver ? { ...without(rest, 'admittedAt'), joinedAt: now } : rest;
}

function identityOf(
  person: Person | Participant,
): Pick<Participant, 'role' | 'grants' | 'name' | 'lang' | 'invite'> {
  return {
    role: person.role,
    grants: [...person.grants],
    ...(person.invite === undefined ? {} : { invite: person.invite }),
    ...(person.name === undefined ? {} : { name: person.name }),
    ...(person.lang === undefined ? {} : { lang: person.lang }),
  };
}
