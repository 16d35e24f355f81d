import type {
  ControlCommandName,
  ControlEventPayload,
  ControlRequest,
  ControlResponse,
  NodeId,
  RtpCapabilities,
  VisitKey,
} from '@bedside/protocol';
import type { Media } from '../visit/state.ts';
import type { LinkedNode } from './placement.ts';

/** What a node reports, parsed. */
export type NodeReport =
  /** The link is up, for the first time or again; compare the boot id. */
  | { type: 'linked'; node: LinkedNode }
  /** It is to be emptied. */
  | { type: 'draining'; node: NodeId }
  /** Its link is down and does not come back: its visits go elsewhere, where there is an elsewhere. */
  | { type: 'lost'; node: NodeId }
  | ({ type: 'transport-state'; node: NodeId } & ControlEventPayload<'transport-state'>)
  | ({ type: 'scores'; node: NodeId } & ControlEventPayload<'scores'>)
  | ({ type: 'speaker'; node: NodeId } & ControlEventPayload<'speaker'>)
  | ({ type: 'peers-lost'; node: NodeId } & ControlEventPayload<'peers-lost'>)
  | ({ type: 'pipes-silent'; node: NodeId } & ControlEventPayload<'pipes-silent'>)
  | ({ type: 'visits-lost'; node: NodeId } & ControlEventPayload<'visits-lost'>);

/** The nodes, as the actor sees them. */
export interface NodeClient {
  /** Where visits are placed. */
  readonly region: string;
  /** Nodes whose link is up. */
  linked(): readonly LinkedNode[];
  /** Nobody has heard of the node for a while, or ever. */
  isLost(node: NodeId): boolean;
  /** The cluster's constant set; undefined until a node has said it. */
  rtpCapabilities(): RtpCapabilities | undefined;
  /**
   * One call with its deadline.
   * @throws BedsideError the node's, or `media-unavailable` where it is not linked or doesn't answer
   */
  call<Name extends ControlCommandName>(
    node: NodeId,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>>;
  /** The visit is over: closed at its node, however long the node takes to answer. */
  closeVisit(media: Media, request: ControlRequest<'close-visit'>): void;
  /** The visit is opened anew at that node: not closed any more there, where that is still under way. */
  keepVisit(media: Media, visit: VisitKey): void;
}
