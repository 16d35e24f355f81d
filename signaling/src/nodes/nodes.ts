import {
  BedsideError,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type GatewayId,
  type NodeId,
  type RtpCapabilities,
  toBedsideError,
  type VisitKey,
} from '@bedside/protocol';
import type { Clock, ControlSettings, View } from '@bedside/service';
import type { Logger } from 'pino';
import type { VisitTelemetry } from '../ports.ts';
import type { Media } from '../visit/state.ts';
import type { NodeClient, NodeReport } from './client.ts';
import { Closings } from './closings.ts';
import { ControlCredentials } from './handshake.ts';
import { NodeLink } from './link.ts';
import { desiredNodes, type LinkedNode } from './placement.ts';

export interface NodesOptions {
  /** Where they are; where none is named, those that are met. */
  urls: readonly string[];
  /** Where visits are placed. */
  region: string;
  gatewayId: GatewayId;
  control: ControlSettings;
  clock: Clock;
  log: Logger;
  telemetry: VisitTelemetry;
  onReport: (report: NodeReport) => void;
}

const DESIRED_INTERVAL_MS = 1_000;
/** A node that is there has said who it is so long after its link was opened. */
const FIRST_MEETING_MS = 3_000;

/** The control links with all nodes, by the node id that each says at its welcome. */
export class Nodes implements NodeClient {
  readonly #options: NodesOptions;
  /** By control address. */
  readonly #links = new Map<string, NodeLink>();
  readonly #first = Promise.withResolvers<void>();
  readonly #nodes = new Map<NodeId, { link: NodeLink; node: LinkedNode }>();
  readonly #closings: Closings;
  readonly #credentials: ControlCredentials;
  /** Addresses that what proves this gateway is not for. */
  readonly #shunned = new Set<string>();
  #rtpCapabilities: RtpCapabilities | undefined;
  /** Every node that was ever linked. */
  readonly #known = new Map<NodeId, 'linked' | 'lost'>();
  /** When the last link was opened: its node may be any that was not met so far. */
  #openedAt = Number.POSITIVE_INFINITY;
  #desiredAt = 0;

  constructor(options: NodesOptions) {
    this.#options = options;
    this.#closings = new Closings(this, options.clock);
    this.#credentials = new ControlCredentials(options.control, options.log);
  }

  /** Opens the links; resolves once one node has said its welcome, or after the deadline. */
  async start(deadlineMs: number): Promise<void> {
    this.#openedAt = this.#options.clock.now();
    this.#reportLinks();
    const cancel = this.#options.clock.after(deadlineMs, this.#first.resolve);
    for (const url of this.#options.urls) this.#open(url);
    if (this.#links.size > 0) await this.#first.promise;
    cancel();
  }

  /** Who is in the cluster: nodes that are new are linked to. One that is gone is lost once its link is down, too. */
  meet(view: View): void {
    if (this.#options.urls.length > 0) return;
    const nodes = [...view.values()].filter(({ kind }) => kind === 'node');
    for (const { address } of nodes) if (!this.#links.has(address)) this.#open(address);
    for (const [url, link] of this.#links) {
      if (link.up || nodes.some(({ address }) => address === url)) continue;
      this.#links.delete(url);
      link.giveUp();
    }
    this.#reportLinks();
  }

  close(): void {
    this.#closings.stop();
    for (const link of this.#links.values()) link.close();
  }

  closeVisit(media: Media, request: ControlRequest<'close-visit'>): void {
    this.#closings.close(media, request);
  }

  keepVisit(media: Media, visit: VisitKey): void {
    this.#closings.keep(media, visit);
  }

  isLost(node: NodeId): boolean {
    if (this.#nodes.has(node)) return false;
    const known = this.#known.get(node);
    // Of one that was never met all that can be said is that it had its time.
    return known ? known === 'lost' : this.#options.clock.now() - this.#openedAt > FIRST_MEETING_MS;
  }

  get region(): string {
    return this.#options.region;
  }

  linked(): readonly LinkedNode[] {
    return [...this.#nodes.values()].map(({ node }) => node);
  }

  rtpCapabilities(): RtpCapabilities | undefined {
    return this.#rtpCapabilities;
  }

  async call<Name extends ControlCommandName>(
    id: NodeId,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const started = performance.now();
    const report = (outcome: string) =>
      this.#options.telemetry.nodeCall(name, outcome, (performance.now() - started) / 1000);
    try {
      const link = this.#nodes.get(id)?.link;
      if (!link) throw new BedsideError('media-unavailable', { retryAfterMs: 500 });
      const response = await link.call(name, request);
      report('ok');
      return response;
    } catch (thrown) {
      report(toBedsideError(thrown).code);
      throw thrown;
    }
  }

  #open(url: string): void {
    const { gatewayId, clock, log, onReport } = this.#options;
    const credentials = this.#credentials;
    if (!credentials.areFor(url)) {
      if (!this.#shunned.has(url))
        log.error(
          { control: new URL(url).origin },
          'no link with this node: the built-in control secret is for one machine only',
        );
      this.#shunned.add(url);
      return;
    }
    let id: NodeId | undefined;
    const forget = () => {
      if (id !== undefined && this.#nodes.get(id)?.link === link) this.#nodes.delete(id);
    };
    const link: NodeLink = new NodeLink({
      url,
      gatewayId,
      credentials,
      clock,
      log,
      onWelcome: ({ nodeId, bootId, region, state, load, pipes = false, rtpCapabilities }) => {
        forget();
        id = nodeId;
        const node: LinkedNode = { nodeId, bootId, region, state, load, pipes, pending: 0 };
        this.#nodes.set(nodeId, { link, node });
        this.#known.set(nodeId, 'linked');
        this.#rtpCapabilities = rtpCapabilities;
        this.#reportLinks();
        log.info({ node: nodeId }, 'control link with a node is up');
        this.#first.resolve();
        onReport({ type: 'linked', node });
        this.#closings.linked(nodeId);
        if (state === 'draining') onReport({ type: 'draining', node: nodeId });
      },
      onDown: () => {
        forget();
        this.#reportLinks();
        log.warn({ node: id }, 'control link with a node is down');
      },
      onLost: () => {
        if (id === undefined || this.#nodes.has(id)) return;
        this.#known.set(id, 'lost');
        log.warn({ node: id }, 'a node is lost');
        onReport({ type: 'lost', node: id });
      },
      onEvent: (name, payload) => {
        const known = id === undefined ? undefined : this.#nodes.get(id);
        if (!known || known.link !== link) return;
        if (name === 'load') {
          const was = known.node.state;
          Object.assign(known.node, payload, { pending: 0 });
          if (was !== 'draining' && known.node.state === 'draining')
            onReport({ type: 'draining', node: known.node.nodeId });
          this.#reportDesired();
          return;
        }
        // Name and payload belong together by NodeLink's signature, which the compiler can't follow into a union.
        onReport({ type: name, ...payload, node: known.node.nodeId } as unknown as NodeReport);
      },
    });
    this.#links.set(url, link);
    this.#openedAt = clock.now();
  }

  /** Not at every node's every report: it looks at all of them. */
  #reportDesired(): void {
    const { clock, region, telemetry } = this.#options;
    if (clock.now() - this.#desiredAt < DESIRED_INTERVAL_MS) return;
    this.#desiredAt = clock.now();
    telemetry.desiredNodes(desiredNodes(this.linked(), region));
  }

  #reportLinks(): void {
    const { telemetry } = this.#options;
    telemetry.nodeLink('connected', this.#nodes.size);
    telemetry.nodeLink('disconnected', this.#links.size - this.#nodes.size);
  }
}
