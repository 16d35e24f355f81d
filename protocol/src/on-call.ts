import * as z from 'zod/mini';
import { defineCommand, defineEvent } from './contract.ts';
import { CallId, RequestId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { LanguageTag, Role, VisitKind } from './visit.ts';

/** An opaque tag that the portal gives a meaning: a specialty, a licence region. */
export const Tag = z.string().check(z.minLength(1), z.maxLength(LIMITS.idLength));
export type Tag = z.infer<typeof Tag>;

/** Whom a call is for: everything that is named must fit. */
export const Need = z.object({
  specialty: z.optional(Tag),
  /** Spoken or signed; `es` fits who has `es-MX`. */
  language: z.optional(LanguageTag),
  /** Where they must be licensed. */
  region: z.optional(Tag),
  /** The role with which they are on call; that in which they are to come where absent. */
  role: z.optional(Role),
});
export type Need = z.infer<typeof Need>;

const tags = z.array(Tag).check(z.maxLength(LIMITS.skills));

/** What somebody can be called for, as the portal vouches for it. */
export const Skills = z.object({
  specialties: z._default(tags, []),
  /** Spoken and signed ones. */
  languages: z._default(z.array(LanguageTag).check(z.maxLength(LIMITS.skills)), []),
  /** Where they are licensed. */
  regions: z._default(tags, []),
});
export type Skills = z.infer<typeof Skills>;

/**
 * Why it rings no more. declined: by the same person, in another window, or by `set-busy`.
 * unanswered: the time was over, and nobody else was left to ring.
 */
export const RingEndReason = z.enum(['taken', 'cancelled', 'unanswered', 'declined']);
export type RingEndReason = z.infer<typeof RingEndReason>;

const request = { requestId: RequestId };
const Empty = z.object({});
const busy = z.boolean();

/** Commands of a clinic's socket for who is on call. */
export const onCallCommands = {
  /**
   * Be rung from now on for what the skills of the token fit, until `sign-off` or the end of the
   * socket. Again: only `busy` changes. Needs the grant `on-call`.
   */
  'sign-on': defineCommand({
    request: z.object({
      ...request,
      /** On call, but not to be rung now. Default false. */
      busy: z._default(busy, false),
    }),
    response: Empty,
    errors: ['forbidden'],
  }),
  /** Be rung no more. What rings ends. */
  'sign-off': defineCommand({
    request: z.object({ ...request }),
    response: Empty,
    errors: [],
  }),
  /** Not to be rung for a while, or again. What rings ends as by `decline-call`. Signed on only. */
  'set-busy': defineCommand({
    request: z.object({ ...request, busy }),
    response: Empty,
    errors: ['conflict'],
  }),
  /**
   * Take a call that rings here. The first one who does gets it, and is busy from then on; the same
   * person again gets the same answer with a fresh token.
   */
  'accept-call': defineCommand({
    request: z.object({ ...request, callId: CallId }),
    response: z.object({
      visit: VisitId,
      /** As good as a token of the portal’s, for this person in this visit. */
      token: z.string().check(z.minLength(1), z.maxLength(LIMITS.tokenLength)),
    }),
    errors: ['call-taken', 'conflict', 'not-found', 'state-unavailable'],
  }),
  /** Not to be rung for this call any more. */
  'decline-call': defineCommand({
    request: z.object({ ...request, callId: CallId }),
    response: Empty,
    errors: ['conflict', 'state-unavailable'],
  }),
};

/** Events of a clinic's socket for who is on call. */
export const onCallEvents = {
  /** A call to accept or to decline. Again for the same call: it goes on ringing, until later. */
  ring: defineEvent({
    payload: z.object({
      callId: CallId,
      /** What they fit. */
      need: Need,
      /** In which they would come. */
      role: Role,
      /** Of the visit. */
      kind: VisitKind,
      /** Until when, by the gateway’s clock, in milliseconds since 1970. */
      until: z.int().check(z.nonnegative()),
    }),
  }),
  /** A call rings here no more. */
  'ring-ended': defineEvent({
    payload: z.object({ callId: CallId, reason: RingEndReason }),
  }),
};
