import {
  BedsideError,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type NodeId,
  type RtpCapabilities,
  type VisitKey,
} from '@bedside/protocol';
import type { NodeClient, NodeReport } from '../../src/nodes/client.ts';
import { Closings } from '../../src/nodes/closings.ts';
import type { LinkedNode } from '../../src/nodes/placement.ts';
import type { Media } from '../../src/visit/state.ts';
import type { HeardLink, NodeHost } from './node-host.ts';
import type { Process } from './process.ts';

/** As the control link has them. */
const CALL_DEADLINE_MS = 2_000;
const SILENCE_MS = 2_000;
const LOST_MS = 700;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 2_000;
const FIRST_MEETING_MS = 3_000;

/** One connection with a node. */
interface Stream extends HeardLink {
  /** Of the node that answered. */
  bootId: string;
  up: boolean;
  sentUntil: number;
  heardUntil: number;
}

interface Link {
  host: NodeHost;
  stream: Stream | undefined;
  node: LinkedNode | undefined;
  known: 'linked' | 'lost' | undefined;
  attempts: number;
  cancelLost: (() => void) | undefined;
}

/** The nodes as one gateway has them, by links that delay, lose and break. */
export class NodeLinks implements NodeClient {
  readonly region = 'here';
  /** Milliseconds a message takes at the most. */
  slowness = 3;
  /** Nodes that the network does not lead to. */
  readonly cut = new Set<NodeId>();
  /** How likely the answer to a call is lost while the link goes on. */
  losing = 0;
  readonly #process: Process;
  readonly #gateway: string;
  readonly #links = new Map<NodeId, Link>();
  readonly #onReport: (report: NodeReport) => void;
  readonly #closings: Closings;
  readonly #startedAt: number;

  constructor(
    process: Process,
    gateway: string,
    hosts: readonly NodeHost[],
    onReport: (report: NodeReport) => void,
  ) {
    this.#process = process;
    this.#gateway = gateway;
    this.#onReport = onReport;
    this.#startedAt = process.clock.now();
    this.#closings = new Closings(this, process.clock);
    for (const host of hosts)
      this.#links.set(host.id, {
        host,
        stream: undefined,
        node: undefined,
        known: undefined,
        attempts: 0,
        cancelLost: undefined,
      });
    for (const link of this.#links.values()) this.#connectLater(link);
    process.onEnd(() => {
      for (const { host, stream } of this.#links.values()) if (stream) host.detach(stream);
    });
  }

  linked(): readonly LinkedNode[] {
    return [...this.#links.values()].flatMap(({ node }) => node ?? []);
  }

  isLost(id: NodeId): boolean {
    const link = this.#links.get(id);
    if (link?.node) return false;
    return link?.known
      ? link.known === 'lost'
      : this.#process.clock.now() - this.#startedAt > FIRST_MEETING_MS;
  }

  rtpCapabilities(): RtpCapabilities | undefined {
    const isKnown = [...this.#links.values()].some(({ known }) => known);
    return isKnown ? { codecs: [] } : undefined;
  }

  closeVisit(media: Media, request: ControlRequest<'close-visit'>): void {
    this.#closings.close(media, request);
  }

  keepVisit(media: Media, visit: VisitKey): void {
    this.#closings.keep(media, visit);
  }

  call<Name extends ControlCommandName>(
    id: NodeId,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const { world, clock } = this.#process;
    const link = this.#links.get(id);
    const stream = link?.stream;
    const unavailable = () => new BedsideError('media-unavailable', { retryAfterMs: 100 });
    if (!link?.node || !stream) return Promise.reject(unavailable());
    return new Promise((resolve, reject) => {
      const cancel = clock.after(CALL_DEADLINE_MS, () => reject(unavailable()));
      const settle = (call: () => void) => {
        stream.heardUntil = Math.max(stream.heardUntil, world.now + this.#delay());
        const isLost = world.random.chance(this.losing);
        world.after(stream.heardUntil - world.now, () => {
          if (!this.#isOpen(link, stream) || isLost) return;
          this.#process.deliver(() => {
            cancel();
            call();
          });
        });
      };
      stream.sentUntil = Math.max(stream.sentUntil, world.now + this.#delay());
      world.after(stream.sentUntil - world.now, () => {
        if (!this.#isOpen(link, stream)) return;
        link.host.call(name, request, this.#gateway).then(
          (response) => settle(() => resolve(response)),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    });
  }

  /** The network, or the node, is another: what can't be heard any more is noticed in time. */
  changed(): void {
    for (const link of this.#links.values()) {
      const { stream, host } = link;
      if (!stream || this.#isOpen(link, stream)) continue;
      // A process that is gone closes its connections; a network that is cut does not.
      const isGone = !host.runs || host.bootId !== stream.bootId;
      this.#process.world.after(isGone ? 0 : SILENCE_MS, () => {
        // It may be back before anybody noticed.
        if (link.stream === stream && !this.#isOpen(link, stream)) this.#down(link, stream);
      });
    }
  }

  /** The process was stopped: nodes don't hear of it. */
  silent(): void {
    this.#process.world.after(SILENCE_MS, () => {
      if (this.#process.runs) return;
      for (const link of this.#links.values()) if (link.stream) this.#down(link, link.stream);
    });
  }

  /** Whether what is sent arrives. */
  #isOpen({ host, stream: present }: Link, stream: Stream): boolean {
    return (
      stream.up &&
      present === stream &&
      host.runs &&
      host.bootId === stream.bootId &&
      !this.cut.has(host.id) &&
      !this.#process.killed
    );
  }

  #down(link: Link, stream: Stream): void {
    stream.up = false;
    link.host.detach(stream);
    this.#process.deliver(() => {
      if (link.stream !== stream) return;
      link.stream = undefined;
      link.node = undefined;
      link.cancelLost = this.#process.clock.after(LOST_MS, () => this.#lost(link));
      link.attempts = 0;
      this.#connectLater(link);
    });
  }

  #lost(link: Link): void {
    if (!link.cancelLost) return;
    link.cancelLost();
    link.cancelLost = undefined;
    link.known = 'lost';
    this.#onReport({ type: 'lost', node: link.host.id });
  }

  #connectLater(link: Link): void {
    const full = Math.min(RECONNECT_MIN_MS * 2 ** link.attempts++, RECONNECT_MAX_MS);
    this.#process.clock.after(full * (0.5 + Math.random()), () => this.#connect(link));
  }

  #connect(link: Link): void {
    const { host } = link;
    if (this.cut.has(host.id) || !host.runs) {
      if (!host.runs) this.#lost(link);
      this.#connectLater(link);
      return;
    }
    const { world } = this.#process;
    const { id: nodeId, bootId } = host;
    const stream: Stream = {
      gateway: this.#gateway,
      bootId,
      up: true,
      sentUntil: 0,
      heardUntil: 0,
      visitsLost: (visits) =>
        this.#hear(link, stream, () =>
          this.#onReport({ type: 'visits-lost', node: host.id, visits, reason: 'worker-died' }),
        ),
      stateChanged: (state) => this.#hear(link, stream, () => this.#stateIs(link, state)),
    };
    link.stream = stream;
    stream.heardUntil = world.now;
    this.#hear(link, stream, () => {
      link.cancelLost?.();
      link.cancelLost = undefined;
      link.known = 'linked';
      link.attempts = 0;
      link.node = {
        nodeId,
        bootId,
        region: 'here',
        state: 'ready',
        pending: 0,
        load: { workers: [] },
        pipes: true,
      };
      this.#onReport({ type: 'linked', node: link.node });
      this.#closings.linked(nodeId);
    });
    host.attach(stream);
  }

  #stateIs({ host, node }: Link, state: LinkedNode['state']): void {
    if (!node || node.state === state) return;
    node.state = state;
    if (state === 'draining') this.#onReport({ type: 'draining', node: host.id });
  }

  #hear(link: Link, stream: Stream, call: () => void): void {
    const { world } = this.#process;
    stream.heardUntil = Math.max(stream.heardUntil, world.now + this.#delay());
    world.after(stream.heardUntil - world.now, () => {
      if (this.#isOpen(link, stream)) this.#process.deliver(() => link.stream === stream && call());
    });
  }

  #delay(): number {
    return this.#process.world.random.within(0, this.slowness);
  }
}
