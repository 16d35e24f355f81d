import * as z from 'zod/mini';
import { LIMITS } from './limits.ts';

/** Opaque ids: printable, safe in a URL and in a Redis key, and free of meaning. */
const opaqueId = () =>
  z.string().check(z.minLength(1), z.maxLength(LIMITS.idLength), z.regex(/^[A-Za-z0-9._~:-]+$/));

/** A customer, as operators have named it: the token's issuer. */
export const TenantId = opaqueId().brand<'TenantId'>();
export type TenantId = z.infer<typeof TenantId>;

/** A visit, as the portal calls it. Its full name is the tenant's id and this. */
export const VisitId = opaqueId().brand<'VisitId'>();
export type VisitId = z.infer<typeof VisitId>;

/** The `sub` of the token: one person (or device) in one visit, over reloads and reconnects. */
export const ParticipantId = opaqueId().brand<'ParticipantId'>();
export type ParticipantId = z.infer<typeof ParticipantId>;

/** A secret of one joined page, 128 random bits; who shows it resumes that page's session. */
export const SessionId = opaqueId().brand<'SessionId'>();
export type SessionId = z.infer<typeof SessionId>;

/** Chosen by the caller, unique in the session: the same request twice is carried out once. */
export const RequestId = opaqueId().brand<'RequestId'>();
export type RequestId = z.infer<typeof RequestId>;

/** One of the two WebRTC transports of a join. */
export const TransportId = opaqueId().brand<'TransportId'>();
export type TransportId = z.infer<typeof TransportId>;

/** A track on its way from a participant to the node. */
export const ProducerId = opaqueId().brand<'ProducerId'>();
export type ProducerId = z.infer<typeof ProducerId>;

/** A track on its way from the node to a participant. */
export const ConsumerId = opaqueId().brand<'ConsumerId'>();
export type ConsumerId = z.infer<typeof ConsumerId>;

/** What a node calls a visit: a hash of tenant and visit id, so that a node never learns either. */
export const VisitKey = opaqueId().brand<'VisitKey'>();
export type VisitKey = z.infer<typeof VisitKey>;

/** What a node calls one join of one participant: random, never a person's id. */
export const PeerId = opaqueId().brand<'PeerId'>();
export type PeerId = z.infer<typeof PeerId>;

/** A node, as operators have named it. */
export const NodeId = opaqueId().brand<'NodeId'>();
export type NodeId = z.infer<typeof NodeId>;

/** A gateway, as operators have named it; unique in the cluster. */
export const GatewayId = opaqueId().brand<'GatewayId'>();
export type GatewayId = z.infer<typeof GatewayId>;
