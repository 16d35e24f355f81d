import {
  type Grant,
  type InviteId,
  LIMITS,
  type ParticipantId,
  type Role,
} from '@bedside/protocol';
import { acceptCall, type Call, cancelCall, exhaustCall, startCall } from './call.ts';
import { type By, change, type Decision, type Of, permit, refuse, unchanged } from './decision.ts';
import { GRANTS_OF_ROLE, OVER_OTHERS } from './grants.ts';
import { type Invite, present, type Visit } from './state.ts';

/** Calling somebody in: by an invitation, or by ringing who is on call. */

/** For how long who accepted a call may take to come, milliseconds. */
const ACCEPTED_MS = 10 * 60_000;

export function invite(visit: Visit, command: Of<'invite'>): Decision {
  const { now, by, invite: id, role, name, ttlMs, knock } = command;
  const { giver, refused } = permitFor(visit, by, role);
  if (!giver) return refuse(refused);
  if (visit.invites?.some((each) => each.id === id)) return unchanged(visit);
  const invites = withRoom(visit, now);
  if (!invites) return refuse('limit-reached');
  invites.push({
    id,
    role,
    ...(name === undefined ? {} : { name }),
    knock,
    by: giver.id,
    expiresAt: now + ttlMs,
    state: 'open',
  });
  return change(visit, { invites }, [{ type: 'invited', at: now, invite: id, role, by: giver.id }]);
}

/** Nobody can give what they lack. */
function permitFor(visit: Visit, by: By, role: Role): ReturnType<typeof permit> {
  const permitted = permit(visit, by, 'invite');
  const lacks = (grant: Grant) =>
    OVER_OTHERS.has(grant) && permitted.giver?.grants.includes(grant) === false;
  return GRANTS_OF_ROLE[role].some(lacks) ? { refused: 'forbidden' } : permitted;
}

/**
 * The invitations with room for one more beside those that calls which ring will need: what is good for
 * nothing any more makes it, the oldest first, and then whoever accepted a call longest ago and has not
 * come. Undefined where there is none.
 */
function withRoom(visit: Visit, now: number): Invite[] | undefined {
  const invites = [...(visit.invites ?? [])];
  const isSpent = ({ id, state, expiresAt, for: caller }: Invite) =>
    state === 'revoked' ||
    (state === 'open' && (expiresAt < now || present(visit).some((each) => each.id === caller))) ||
    (state === 'used' && !present(visit).some(({ invite: of }) => of === id));
  const isUnusedCall = ({ state, for: caller }: Invite) => state === 'open' && caller !== undefined;
  const ringing = (visit.calls ?? []).filter(({ state }) => state === 'ringing').length;
  while (invites.length + ringing >= LIMITS.invites) {
    const spent = invites.findIndex(isSpent);
    const goes = spent === -1 ? invites.findIndex(isUnusedCall) : spent;
    if (goes === -1) return undefined;
    invites.splice(goes, 1);
  }
  return invites;
}

export function revokeInvite(visit: Visit, { now, by, invite: id }: Of<'revoke-invite'>): Decision {
  const { giver, refused } = permit(visit, by, 'invite');
  if (!giver) return refuse(refused);
  const found = visit.invites?.find((each) => each.id === id);
  if (!found) return refuse('not-found');
  if (found.state === 'used') return refuse('invite-used');
  if (found.state === 'revoked') return unchanged(visit);
  const invites = visit.invites?.map((each) =>
    each === found ? { ...each, state: 'revoked' as const } : each,
  );
  return change(visit, { invites }, [
    { type: 'invite-revoked', at: now, invite: id, by: giver.id },
  ]);
}

export function call(visit: Visit, command: Of<'call'>): Decision {
  const { now, by, call: id, role, groups, ringMs } = command;
  const { giver, refused } = permitFor(visit, by, role);
  if (!giver) return refuse(refused);
  // Without a clinic there is nobody on call.
  if (visit.policy.clinic === undefined) return refuse('conflict');
  if (callOf(visit, id)) return unchanged(visit);
  const invites = withRoom(visit, now);
  if (!invites) return refuse('limit-reached');
  const calls = [...(visit.calls ?? [])];
  while (calls.length >= LIMITS.calls) {
    const done = calls.findIndex(({ state }) => state !== 'ringing');
    if (done === -1) return refuse('limit-reached');
    calls.splice(done, 1);
  }
  const started = startCall({ id, by: giver.id, role, groups: [...groups], ringMs }, now);
  return change(visit, { calls: [...calls, started], invites }, [
    { type: 'called', at: now, call: id, role, by: giver.id },
  ]);
}

export function cancel(visit: Visit, { now, by, call: id }: Of<'cancel-call'>): Decision {
  const { giver, refused } = permit(visit, by, 'invite');
  if (!giver) return refuse(refused);
  const found = callOf(visit, id);
  return found ? advanced(visit, found, cancelCall(found), now) : refuse('not-found');
}

export function callAccepted(
  visit: Visit,
  { now, call: id, person }: Of<'call-accepted'>,
): Decision {
  const found = callOf(visit, id);
  return found && visit.state !== 'ended'
    ? advanced(visit, found, acceptCall(found, person), now)
    : unchanged(visit);
}

export function callExhausted(
  visit: Visit,
  { now, call: id, group }: Of<'call-exhausted'>,
): Decision {
  const found = callOf(visit, id);
  return found && visit.state !== 'ended'
    ? advanced(visit, found, exhaustCall(found, group, now), now)
    : unchanged(visit);
}

/** Calls whose group has rung for its time. */
export function callTimeouts(visit: Visit, now: number): Call[] {
  return (visit.calls ?? []).filter(({ state, until }) => state === 'ringing' && until <= now);
}

/** The invitation of who accepted a call: it is called as the call is. */
export const inviteOfCall = (id: Call['id']): InviteId => id as string as InviteId;

/** The participant that the invitation of a call makes of who accepted. */
export const guestOf = (invite: InviteId): ParticipantId => `guest.${invite}` as ParticipantId;

const callOf = (visit: Visit, id: Call['id']) => visit.calls?.find((each) => each.id === id);

function advanced(visit: Visit, before: Call, after: Call, now: number): Decision {
  if (after === before) return unchanged(visit);
  const calls = visit.calls?.map((each) => (each === before ? after : each)) ?? [];
  const { id, role, state, by, acceptedBy } = after;
  if (state !== 'accepted' || acceptedBy === undefined) return change(visit, { calls }, []);
  // Its own room was kept for it while it rang; who accepted after that may find none.
  const invites = withRoom({ ...visit, calls }, now);
  if (!invites) return unchanged(visit);
  // Who was rung and says yes comes with this.
  invites.push({
    id: inviteOfCall(id),
    role,
    knock: false,
    by,
    for: acceptedBy,
    expiresAt: now + ACCEPTED_MS,
    state: 'open',
  });
  return change(visit, { calls, invites }, []);
}
