import * as z from 'zod/mini';
import { BedsideError, type ErrorCode } from './errors.ts';
import { GatewayId } from './ids.ts';
import { LIMITS } from './limits.ts';

/** A range of versions, both ends included. */
export const VersionRange = z.object({ min: z.int(), max: z.int() });
export type VersionRange = z.infer<typeof VersionRange>;

/**
 * Whose turn it is: `user` (a person can act on it), `protocol` (the caller's code is wrong),
 * `unavailable` (the same call may work later), `internal` (ours; look at the logs).
 */
export const ErrorKind = z.enum(['user', 'protocol', 'unavailable', 'internal']);
export type ErrorKind = z.infer<typeof ErrorKind>;

/** An error as it crosses a boundary. Receivers treat an unknown code by its kind. */
export const ErrorBody = z.object({
  /** A code of the registry, or of a newer one. */
  code: z.string().check(z.maxLength(64)),
  kind: ErrorKind,
  /** Whether the same request, with the same request id, may succeed later. */
  retryable: z.boolean(),
  /** Text for the person, in English; clients translate by code. */
  message: z.string().check(z.maxLength(512)),
  /** Path of the field that is wrong, for `invalid-request`: "rtpParameters.codecs.0.mimeType". */
  field: z.optional(z.string().check(z.maxLength(LIMITS.textLength))),
  /** Milliseconds to wait before trying again. */
  retryAfterMs: z.optional(z.int().check(z.nonnegative())),
  /** With `moved`: who has the visit. Connect again at once with `gateway=<id>` in the query, by which the balancer goes. */
  gateway: z.optional(GatewayId),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

/**
 * A command: one Socket.IO event with an acknowledgement. The event's only argument is the request;
 * the acknowledgement's only argument is `{ ok: true, data }` or `{ ok: false, error }`. What a command
 * does is its doc comment, which docs/protocol.md shows.
 */
export interface CommandDefinition<Request extends z.ZodMiniType, Response extends z.ZodMiniType> {
  request: Request;
  response: Response;
  /** Codes this command answers with, besides the common ones of its side. */
  errors: readonly ErrorCode[];
}

/** An event: one way, or with an acknowledgement where `ack` is set (its argument is empty). */
export interface EventDefinition<Payload extends z.ZodMiniType> {
  payload: Payload;
  /** Whether the receiver acknowledges once it has acted on the event. */
  ack?: boolean;
}

/** Every command of either side may be answered with these. */
export const COMMON_ERRORS = [
  'invalid-request',
  'unknown-command',
  'rate-limited',
  'deadline',
  'shutting-down',
  'internal',
] as const satisfies readonly ErrorCode[];

export const defineCommand = <Request extends z.ZodMiniType, Response extends z.ZodMiniType>(
  definition: CommandDefinition<Request, Response>,
): CommandDefinition<Request, Response> => definition;

export const defineEvent = <
  Payload extends z.ZodMiniType,
  const Definition extends EventDefinition<Payload>,
>(
  definition: Definition & EventDefinition<Payload>,
): Definition => definition;

export type CommandMap = Record<string, CommandDefinition<z.ZodMiniType, z.ZodMiniType>>;
export type EventMap = Record<string, EventDefinition<z.ZodMiniType>>;

export type RequestOf<Commands extends CommandMap, Name extends keyof Commands> = z.infer<
  Commands[Name]['request']
>;
export type ResponseOf<Commands extends CommandMap, Name extends keyof Commands> = z.infer<
  Commands[Name]['response']
>;
export type PayloadOf<Events extends EventMap, Name extends keyof Events> = z.infer<
  Events[Name]['payload']
>;

export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: ErrorBody };

/** Socket.IO's event map of a set of commands, for `Socket<...>` type parameters. */
export type CommandEvents<Commands extends CommandMap> = {
  [Name in keyof Commands]: (
    request: RequestOf<Commands, Name>,
    ack: (answer: Ack<ResponseOf<Commands, Name>>) => void,
  ) => void;
};

/** Socket.IO's event map of a set of events. */
export type ServerEvents<Events extends EventMap> = {
  [Name in keyof Events]: Events[Name] extends { ack: true }
    ? (payload: PayloadOf<Events, Name>, ack: () => void) => void
    : (payload: PayloadOf<Events, Name>) => void;
};

/**
 * The value as the schema types it.
 * @throws BedsideError `invalid-request` that names the first wrong field.
 */
export function parse<Schema extends z.ZodMiniType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data as z.infer<Schema>;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const field = [...(issue?.path ?? []), ...unknown].map(String).join('.') || '(root)';
  throw new BedsideError('invalid-request', { field });
}

/** Shape of an acknowledgement whose data a command's response schema checks. */
export const AckEnvelope = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), data: z.unknown() }),
  z.object({ ok: z.literal(false), error: ErrorBody }),
]);

/**
 * The data of an acknowledgement.
 * @throws BedsideError the error it carries, or `invalid-request` where it is no acknowledgement.
 */
export function unwrap<Schema extends z.ZodMiniType>(
  schema: Schema,
  answer: unknown,
): z.infer<Schema> {
  const envelope = parse(AckEnvelope, answer);
  if (!envelope.ok) throw BedsideError.fromBody(envelope.error);
  return parse(schema, envelope.data);
}
