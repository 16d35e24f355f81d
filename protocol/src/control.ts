import * as z from 'zod/mini';
import {
  COMMON_ERRORS,
  type CommandEvents,
  defineCommand,
  defineEvent,
  type PayloadOf,
  type RequestOf,
  type ResponseOf,
  type ServerEvents,
  VersionRange,
} from './contract.ts';
import type { ErrorCode } from './errors.ts';
import {
  ConsumerId,
  GatewayId,
  NodeId,
  PeerId,
  PipeId,
  ProducerId,
  TransportId,
  VisitKey,
} from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  ConsumerPreference,
  DtlsParameters,
  IceParameters,
  Layer,
  MediaKind,
  RtpCapabilities,
  RtpParameters,
  TransportParameters,
} from './media.ts';

/** Socket.IO `auth` of the gateway's handshake with a node. */
export const ControlHandshake = z.object({
  /** A service JWT: HS256 under the control secret, iss the gateway id, aud `bedside-control`, lives a minute. */
  token: z.string().check(z.minLength(1), z.maxLength(LIMITS.tokenLength)),
  /** The protocol versions that the gateway speaks, lowest and highest. */
  versions: VersionRange,
  gatewayId: GatewayId,
  /**
   * The gateway knows that a visit may be at several workers of a node, one of which may die (`peers-lost`).
   * For one that does not say so a node keeps each visit at one worker.
   */
  spreads: z.optional(z.boolean()),
});
export type ControlHandshake = z.infer<typeof ControlHandshake>;

/** What a node may refuse a handshake with: `data` of Socket.IO's `connect_error`. */
export const CONTROL_HANDSHAKE_ERRORS = [
  'unauthorized',
  'unsupported-version',
  'invalid-request',
  'internal',
] as const satisfies readonly ErrorCode[];

/** What every command of a gateway may be answered with, besides its own errors. */
export const CONTROL_COMMON_ERRORS = [
  ...COMMON_ERRORS,
  'stale-epoch',
  'media-unavailable',
] as const satisfies readonly ErrorCode[];

const scope = {
  visit: VisitKey,
  /** Of the lease under which the gateway acts; a node refuses one that is lower than it has seen. */
  epoch: z.int().check(z.nonnegative()),
};
const Empty = z.object({});
const count = z.int().check(z.nonnegative());

/** One producer for one listener, as the media plan wants it. */
export const Flow = z.object({
  producerId: ProducerId,
  /** The plan holds it back, whatever the listener prefers. */
  paused: z.boolean(),
  /** mediasoup's consumer priority: who keeps quality when bandwidth falls. 1 lowest, 255 highest. */
  priority: z.int().check(z.minimum(1), z.maximum(255)),
  /** What the listener prefers does not count: full size, never paused. */
  protected: z.optional(z.boolean()),
  /** The highest layers that the plan allows; all where they are absent. */
  maxSpatialLayer: z.optional(Layer),
  maxTemporalLayer: z.optional(Layer),
});
export type Flow = z.infer<typeof Flow>;
const flows = z.array(Flow).check(z.maxLength(LIMITS.consumersPerParticipant));

/** A consumer, as the node describes it. */
export const NodeConsumer = z.object({
  consumerId: ConsumerId,
  producerId: ProducerId,
  kind: MediaKind,
  rtpParameters: RtpParameters,
  /** The sender muted it. */
  producerPaused: z.boolean(),
});
export type NodeConsumer = z.infer<typeof NodeConsumer>;

const consumers = z.array(NodeConsumer).check(z.maxLength(LIMITS.consumersPerParticipant));
const consumerIds = z.array(ConsumerId).check(z.maxLength(LIMITS.consumersPerParticipant));
/**
 * Producers that this listener can not consume, with the reason as an error code: `capacity` and
 * `media-unavailable` are worth another try.
 */
const refused = z
  .array(z.object({ producerId: ProducerId, code: z.string().check(z.maxLength(64)) }))
  .check(z.maxLength(LIMITS.consumersPerParticipant));

/** All that one listener is to receive. */
export const PeerPlan = z.object({ peer: PeerId, flows });
export type PeerPlan = z.infer<typeof PeerPlan>;

/** What the node did to make one listener's consumers equal to the plan. */
export const PeerPlanResult = z.object({
  peer: PeerId,
  added: consumers,
  /** Those that went with their producers since the last result, and those that this plan closed. */
  removed: z.array(ConsumerId).check(z.maxLength(LIMITS.consumersPerParticipant * 2)),
  refused,
});
export type PeerPlanResult = z.infer<typeof PeerPlanResult>;

/** One end of a pipe between two nodes: where it listens, and the key of what it sends. */
export const PipeEnd = z.object({
  /** The other node connects to no address that its operators have not allowed. */
  ip: z.string().check(z.minLength(2), z.maxLength(LIMITS.textLength)),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  srtp: z.object({
    cryptoSuite: z.string().check(z.maxLength(64)),
    keyBase64: z.string().check(z.maxLength(LIMITS.textLength)),
  }),
});
export type PipeEnd = z.infer<typeof PipeEnd>;

/** A producer as it leaves the node that it was opened at, and as it is opened at another under the same id. */
export const PipedProducer = z.object({
  producerId: ProducerId,
  kind: MediaKind,
  rtpParameters: RtpParameters,
  paused: z.boolean(),
  /** Whether active speaker detection listens to it. */
  observed: z.boolean(),
});
export type PipedProducer = z.infer<typeof PipedProducer>;
const pipedProducers = z.array(PipedProducer).check(z.maxLength(LIMITS.pipedProducers));
const pipedProducerIds = z.array(ProducerId).check(z.maxLength(LIMITS.pipedProducers));
const pipes = z
  .array(z.object({ pipe: PipeId, producers: pipedProducerIds }))
  .check(z.maxLength(LIMITS.nodesPerVisit * 2));

/** How busy a node is, worker by worker. */
export const NodeLoad = z.object({
  workers: z
    .array(
      z.object({
        /** Share of one core, 0 to 1, over the last sample. */
        cpu: z.number(),
        memoryBytes: z.number(),
        routers: count,
        consumers: count,
      }),
    )
    .check(z.maxLength(LIMITS.workersPerNode)),
  /** What one worker takes at the most. */
  limits: z.optional(
    z.object({
      consumersPerWorker: z.int().check(z.minimum(1)),
      visitsPerWorker: z.int().check(z.minimum(1)),
    }),
  ),
});
export type NodeLoad = z.infer<typeof NodeLoad>;

/** Whether a node takes new visits: it starts, it does, or it is being emptied. */
export const NodeState = z.enum(['starting', 'ready', 'draining']);
export type NodeState = z.infer<typeof NodeState>;

export const controlCommands = {
  /**
   * Both transports and all planned consumers of one peer, in one call; opens the visit’s router
   * where it is not open. A repeat answers with what is there. Consumers are live once the
   * receiving transport connects.
   */
  'open-peer': defineCommand({
    request: z.object({
      ...scope,
      peer: PeerId,
      rtpCapabilities: RtpCapabilities,
      flows,
      /**
       * There is no other node for it. Where there is, a node that has its share of a large visit says
       * `capacity`, and keeps room for what those who are there will receive of those to come. Gateways
       * that ask nobody else do not say it.
       */
      lastResort: z.optional(z.boolean()),
    }),
    response: z.object({
      /** For what the peer sends. */
      sendTransport: TransportParameters,
      /** For what it receives. */
      recvTransport: TransportParameters,
      consumers,
      refused,
    }),
    errors: ['capacity', 'media-unsupported'],
  }),
  /** Start DTLS. A repeat with the same parameters changes nothing. */
  'connect-transport': defineCommand({
    request: z.object({
      ...scope,
      peer: PeerId,
      transportId: TransportId,
      dtlsParameters: DtlsParameters,
    }),
    response: Empty,
    errors: ['not-found'],
  }),
  /** New ICE credentials of one transport. */
  'restart-ice': defineCommand({
    request: z.object({ ...scope, peer: PeerId, transportId: TransportId }),
    response: z.object({ iceParameters: IceParameters }),
    errors: ['not-found'],
  }),
  /** Open a producer under an id that the gateway chose. A repeat changes nothing. */
  produce: defineCommand({
    request: z.object({
      ...scope,
      peer: PeerId,
      producerId: ProducerId,
      kind: MediaKind,
      rtpParameters: RtpParameters,
      paused: z.boolean(),
      /** Whether active speaker detection listens to it. */
      observed: z.boolean(),
    }),
    response: Empty,
    errors: ['not-found', 'media-unsupported'],
  }),
  /** Pause or resume a producer. */
  'pause-producer': defineCommand({
    request: z.object({ ...scope, producerId: ProducerId, paused: z.boolean() }),
    response: Empty,
    errors: ['not-found'],
  }),
  /** Close a producer and all its consumers. One that is not there is closed already. */
  'close-producer': defineCommand({
    request: z.object({ ...scope, producerId: ProducerId }),
    response: Empty,
    errors: [],
  }),
  /**
   * Make the consumers of these listeners equal to the plan: add, close, pause, resume,
   * prioritise. Added consumers start with `start-consumers`, or when the receiving transport
   * connects if it is not yet connected.
   */
  'apply-plan': defineCommand({
    request: z.object({
      ...scope,
      listeners: z.array(PeerPlan).check(z.maxLength(LIMITS.peersPerVisit)),
    }),
    response: z.object({
      listeners: z.array(PeerPlanResult).check(z.maxLength(LIMITS.peersPerVisit)),
    }),
    errors: ['not-found'],
  }),
  /** The listener is ready for these consumers: resume those that the plan does not pause. */
  'start-consumers': defineCommand({
    request: z.object({
      ...scope,
      peer: PeerId,
      consumerIds,
    }),
    response: Empty,
    errors: ['not-found'],
  }),
  /** What the listener’s tiles need, within the plan. */
  'prefer-consumers': defineCommand({
    request: z.object({
      ...scope,
      peer: PeerId,
      preferences: z.array(ConsumerPreference).check(z.maxLength(LIMITS.participantsPerVisit * 2)),
    }),
    response: Empty,
    errors: ['not-found'],
  }),
  /** Close all that a peer has. One that is not there is closed already. */
  'close-peer': defineCommand({
    request: z.object({ ...scope, peer: PeerId }),
    response: Empty,
    errors: [],
  }),
  /** Close the visit’s router and all in it. One that is not there is closed already. */
  'close-visit': defineCommand({
    request: z.object({ ...scope }),
    response: Empty,
    errors: [],
  }),
  /**
   * Make what this node sends through the pipe to another node of the same visit equal to these
   * producers; opens the pipe where it is not open. The answer leaves out what is not there.
   */
  'send-pipe': defineCommand({
    request: z.object({ ...scope, pipe: PipeId, producers: pipedProducerIds }),
    response: z.object({ end: PipeEnd, producers: pipedProducers }),
    errors: ['not-found', 'capacity'],
  }),
  /**
   * The other half: make what this node has from that pipe equal to these producers, under their
   * ids; opens this end where it is not open. `end` is the sender’s; `forbidden` where its address is
   * not allowed, `conflict` where it was another one before: that takes a new pipe. A producer that is
   * here from elsewhere is an `invalid-request`.
   */
  'receive-pipe': defineCommand({
    request: z.object({ ...scope, pipe: PipeId, end: PipeEnd, producers: pipedProducers }),
    response: z.object({ end: PipeEnd }),
    errors: ['capacity', 'conflict', 'forbidden', 'media-unsupported'],
  }),
  /** Tell the sender of a pipe where the receiver is. A repeat with the same end changes nothing; with another one it is a `conflict`. */
  'connect-pipe': defineCommand({
    request: z.object({ ...scope, pipe: PipeId, end: PipeEnd }),
    response: Empty,
    errors: ['not-found', 'conflict', 'forbidden'],
  }),
  /** Close this node’s end of a pipe and all that goes through it. One that is not there is closed already. */
  'close-pipe': defineCommand({
    request: z.object({ ...scope, pipe: PipeId }),
    response: Empty,
    errors: [],
  }),
  /**
   * What the node has of a visit, for a gateway that takes it over; raises the epoch. A visit with many
   * consumers takes several pages: the first one is asked for with `from` 0, the next one with `from` as
   * `next` says. Who comes or goes meanwhile moves nobody to another page.
   */
  'describe-visit': defineCommand({
    request: z.object({
      ...scope,
      /** Where the page begins; without it the answer is in one piece, for gateways that know no pages. */
      from: z.optional(count),
    }),
    response: z.object({
      /** Where the next page begins; absent on the last one. */
      next: z.optional(count),
      /** Pipes that this node is the sender of; on the first page. */
      sends: z.optional(pipes),
      /** Pipes that this node is the receiver of; on the first page. */
      receives: z.optional(pipes),
      peers: z
        .array(
          z.object({
            peer: PeerId,
            sendTransportId: TransportId,
            recvTransportId: TransportId,
            producers: z
              .array(z.object({ producerId: ProducerId, kind: MediaKind, paused: z.boolean() }))
              .check(z.maxLength(LIMITS.producersPerPeer)),
            consumers: z
              .array(
                z.object({
                  ...NodeConsumer.shape,
                  /** Nothing is sent: by the plan, by the page’s wish, or because it is not ready. */
                  paused: z.boolean(),
                }),
              )
              .check(z.maxLength(LIMITS.consumersPerParticipant)),
          }),
        )
        .check(z.maxLength(LIMITS.peersPerVisit)),
    }),
    errors: [],
  }),
  /**
   * Hold for the next owner what Redis lacks of the visit while it is away, in place of what was held before;
   * without `changes` nothing is held any more. It outlives the visit here, and its gateway; the node can not read it.
   */
  'keep-changes': defineCommand({
    request: z.object({
      ...scope,
      changes: z.optional(z.string().check(z.maxLength(LIMITS.keptChangesLength))),
    }),
    response: Empty,
    errors: ['capacity'],
  }),
  /** What is held so, for a gateway that takes the visit over; raises the epoch: an owner before can keep no more. */
  'kept-changes': defineCommand({
    request: z.object({ ...scope }),
    response: z.object({
      changes: z.optional(z.string().check(z.maxLength(LIMITS.keptChangesLength))),
    }),
    errors: [],
  }),
};

/** What concerns a node as a whole, from a gateway or from who runs the cluster. */
export const nodeCommands = {
  /**
   * Take no new visits, and have the gateways move those that are here elsewhere; or take visits again.
   * A repeat says how many are left.
   */
  drain: defineCommand({
    request: z.object({ draining: z.boolean() }),
    response: z.object({
      /** Those that are open here now. */
      visits: count,
    }),
    errors: [],
  }),
};

const score = z.number().check(z.minimum(0), z.maximum(10));

/** Events from the node. Those of a visit go to the gateway that last acted on it. */
export const controlEvents = {
  /** First message on every control link. */
  welcome: defineEvent({
    payload: z.object({
      version: z.int(),
      nodeId: NodeId,
      /** New at every start of the process: the node lost all it had if this changes. */
      bootId: z.string().check(z.minLength(1), z.maxLength(LIMITS.idLength)),
      /** Whether it can share a visit with others: they reach the address of its pipes. */
      pipes: z.optional(z.boolean()),
      /** Where the node is, for placement. */
      region: z.string().check(z.maxLength(LIMITS.textLength)),
      state: NodeState,
      rtpCapabilities: RtpCapabilities,
      load: NodeLoad,
    }),
  }),
  /** Load of the node, every few seconds. */
  load: defineEvent({
    payload: z.object({ state: NodeState, load: NodeLoad }),
  }),
  /** ICE or DTLS of a transport changed. */
  'transport-state': defineEvent({
    payload: z.object({
      visit: VisitKey,
      peer: PeerId,
      transportId: TransportId,
      ice: z.enum(['new', 'connected', 'completed', 'disconnected', 'closed']),
      dtls: z.enum(['new', 'connecting', 'connected', 'failed', 'closed']),
    }),
  }),
  /**
   * Scores of producers (best encoding) and consumers that changed, 0 worst to 10 best; collected
   * over a second.
   */
  scores: defineEvent({
    payload: z.object({
      visit: VisitKey,
      producers: z
        .array(z.object({ producerId: ProducerId, score }))
        .check(z.maxLength(LIMITS.peersPerVisit * LIMITS.producersPerPeer)),
      consumers: z
        .array(z.object({ peer: PeerId, consumerId: ConsumerId, score, producerScore: score }))
        .check(z.maxLength(LIMITS.peersPerVisit * LIMITS.consumersPerParticipant)),
    }),
  }),
  /** The dominant speaker’s producer, or null for silence. */
  speaker: defineEvent({
    payload: z.object({ visit: VisitKey, producerId: z.nullable(ProducerId) }),
  }),
  /**
   * A worker is gone and the visit has others: these peers of it are lost, with what they sent, and so
   * are this node’s ends of these pipes, with what came by them.
   */
  'peers-lost': defineEvent({
    payload: z.object({
      visit: VisitKey,
      peers: z.array(PeerId).check(z.maxLength(LIMITS.peersPerVisit)),
      pipes: z.array(PipeId).check(z.maxLength(LIMITS.nodesPerVisit * 4)),
    }),
  }),
  /** What is sent through these pipes stays without an answer: their other ends are out of this node’s reach. */
  'pipes-silent': defineEvent({
    payload: z.object({
      visit: VisitKey,
      pipes: z.array(PipeId).check(z.minLength(1), z.maxLength(LIMITS.nodesPerVisit * 4)),
    }),
  }),
  /** The media of these visits is gone. */
  'visits-lost': defineEvent({
    payload: z.object({
      visits: z.array(VisitKey).check(z.maxLength(LIMITS.visitsPerReport)),
      reason: z.enum(['worker-died', 'worker-hung', 'shutting-down']),
    }),
  }),
};

export type ControlCommands = typeof controlCommands;
export type ControlCommandName = keyof ControlCommands;
export type ControlRequest<Name extends ControlCommandName> = RequestOf<ControlCommands, Name>;
export type ControlResponse<Name extends ControlCommandName> = ResponseOf<ControlCommands, Name>;
export type ControlEventMap = typeof controlEvents;
export type ControlEventName = keyof ControlEventMap;
export type ControlEventPayload<Name extends ControlEventName> = PayloadOf<ControlEventMap, Name>;

export type NodeCommands = typeof nodeCommands;
export type GatewayToNode = CommandEvents<ControlCommands> & CommandEvents<NodeCommands>;
export type NodeToGateway = ServerEvents<ControlEventMap>;
