import * as z from 'zod/mini';
import { LIMITS } from './limits.ts';

declare const idOf: unique symbol;
/** A string that names something of one kind. An id of your own becomes one by `'p-17' as ParticipantId`. */
export type Id<Kind extends string> = string & { readonly [idOf]: Kind };

/** Opaque ids: printable, safe in a URL and in a Redis key, and free of meaning. */
const opaqueId = <Kind extends string>() =>
  z
    .string()
    .check(
      z.minLength(1),
      z.maxLength(LIMITS.idLength),
      z.regex(/^[A-Za-z0-9._~:-]+$/),
    ) as z.ZodMiniType<string> as z.ZodMiniType<Id<Kind>, string>;

/** A customer, as operators have named it: the token's issuer. */
export const TenantId = opaqueId<'TenantId'>();
export type TenantId = Id<'TenantId'>;

/** A visit, as the portal calls it. Its full name is the tenant's id and this. */
export const VisitId = opaqueId<'VisitId'>();
export type VisitId = Id<'VisitId'>;

/** A clinic of a tenant, as the portal calls it: whose queue a visit waits in. */
export const ClinicId = opaqueId<'ClinicId'>();
export type ClinicId = Id<'ClinicId'>;

/** The `sub` of the token: one person (or device) in one visit, over reloads and reconnects. */
export const ParticipantId = opaqueId<'ParticipantId'>();
export type ParticipantId = Id<'ParticipantId'>;

/** An invitation into one visit. */
export const InviteId = opaqueId<'InviteId'>();
export type InviteId = Id<'InviteId'>;

/** A call for somebody who is on call. */
export const CallId = opaqueId<'CallId'>();
export type CallId = Id<'CallId'>;

/** A secret of one joined page, 128 random bits; who shows it resumes that page's session. */
export const SessionId = opaqueId<'SessionId'>();
export type SessionId = Id<'SessionId'>;

/** Chosen by the caller, unique in the session: the same request twice is carried out once. */
export const RequestId = opaqueId<'RequestId'>();
export type RequestId = Id<'RequestId'>;

/** One of the two WebRTC transports of a join. */
export const TransportId = opaqueId<'TransportId'>();
export type TransportId = Id<'TransportId'>;

/** A track on its way from a participant to the node. */
export const ProducerId = opaqueId<'ProducerId'>();
export type ProducerId = Id<'ProducerId'>;

/** A track on its way from the node to a participant. */
export const ConsumerId = opaqueId<'ConsumerId'>();
export type ConsumerId = Id<'ConsumerId'>;

/** What a node calls a visit: a hash of tenant and visit id, so that a node never learns either. */
export const VisitKey = opaqueId<'VisitKey'>();
export type VisitKey = Id<'VisitKey'>;

/** What a node calls one join of one participant: random, never a person's id. */
export const PeerId = opaqueId<'PeerId'>();
export type PeerId = Id<'PeerId'>;

/** A one-way pipe of a visit's media from one node to another: random, new where it is opened anew. */
export const PipeId = opaqueId<'PipeId'>();
export type PipeId = Id<'PipeId'>;

/** A node, as operators have named it. */
export const NodeId = opaqueId<'NodeId'>();
export type NodeId = Id<'NodeId'>;

/** A gateway, as operators have named it; unique in the cluster. */
export const GatewayId = opaqueId<'GatewayId'>();
export type GatewayId = Id<'GatewayId'>;
