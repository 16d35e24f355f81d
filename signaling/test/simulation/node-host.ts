import {
  BedsideError,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type NodeId,
  type PeerId,
  type VisitKey,
} from '@bedside/protocol';
import type { LinkedNode } from '../../src/nodes/placement.ts';
import { FakeNode } from '../fake-node.ts';

/** A visit in which nobody's media is connected for so long is closed, milliseconds; a real node is more patient. */
const DESERTED_MS = 30_000;

/** One gateway's link, as the node sees it. */
export interface HeardLink {
  gateway: string;
  visitsLost(visits: VisitKey[]): void;
  stateChanged(state: LinkedNode['state']): void;
}

/** A command that changed something at the node, for who watches over epochs. */
export interface Obeyed {
  node: NodeId;
  visit: VisitKey;
  epoch: number;
  gateway: string;
  name: ControlCommandName;
}

/** What a broken node does, for who wants to see it found. */
export type NodeFlaw = 'believes anybody' | 'holds nothing' | 'closes no visit';

/** A node's process: what a gateway may do there, and who hears that its media is lost. */
export class NodeHost {
  readonly id: NodeId;
  runs = true;
  state: LinkedNode['state'] = 'ready';
  onObeyed: (obeyed: Obeyed) => void = () => {};
  #boot = 1;
  #fake: FakeNode;
  readonly #owners = new Map<VisitKey, { epoch: number; gateway: string }>();
  readonly #links = new Map<string, HeardLink>();
  readonly #untold = new Map<VisitKey, string>();
  readonly #desertedSince = new Map<VisitKey, number>();

  readonly #flaw: NodeFlaw | undefined;

  constructor(id: string, flaw?: NodeFlaw) {
    this.id = id as NodeId;
    this.#flaw = flaw;
    this.#fake = new FakeNode(id);
  }

  get bootId(): string {
    return `${this.id}-boot-${this.#boot}`;
  }

  get fake(): FakeNode {
    return this.#fake;
  }

  attach(link: HeardLink): void {
    this.#links.set(link.gateway, link);
    const missed = [...this.#untold].flatMap(([visit, owner]) =>
      owner === link.gateway ? [visit] : [],
    );
    for (const visit of missed) this.#untold.delete(visit);
    if (missed.length > 0) link.visitsLost(missed);
  }

  detach(link: HeardLink): void {
    if (this.#links.get(link.gateway) === link) this.#links.delete(link.gateway);
  }

  async call<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
    gateway: string,
  ): Promise<ControlResponse<Name>> {
    const { visit, epoch } = request;
    const owner = this.#owners.get(visit);
    if (this.#flaw === 'believes anybody' && name === 'keep-changes')
      return {} as ControlResponse<Name>;
    if (owner && (epoch < owner.epoch || (epoch === owner.epoch && gateway !== owner.gateway)))
      throw new BedsideError('stale-epoch');
    if (owner && gateway !== owner.gateway) this.#untold.delete(visit);
    this.#owners.set(visit, { epoch, gateway });
    this.onObeyed({ node: this.id, visit, epoch, gateway, name });
    if (this.#flaw === 'holds nothing' && name === 'kept-changes')
      return {} as ControlResponse<Name>;
    if (this.#flaw === 'closes no visit' && name === 'close-visit')
      return {} as ControlResponse<Name>;
    return this.#fake.call(this.id, name, request);
  }

  /** A worker died: its visits are gone, and their owners are told, as soon as they can be. */
  loseMedia(): void {
    for (const visit of this.#fake.visits.keys()) {
      if (this.#fake.peersOf(visit).length === 0) continue;
      const owner = this.#owners.get(visit)?.gateway ?? '';
      const link = this.#links.get(owner);
      if (link) link.visitsLost([visit]);
      else this.#untold.set(visit, owner);
    }
    this.#fake.lose();
  }

  /** To be called regularly. */
  sweep(now: number, isConnected: (peer: PeerId) => boolean): void {
    for (const [visit, { peers, sends, receives }] of this.#fake.visits) {
      if ([...peers.keys()].some(isConnected)) {
        this.#desertedSince.delete(visit);
        continue;
      }
      const since = this.#desertedSince.get(visit) ?? now;
      this.#desertedSince.set(visit, since);
      if (this.#flaw !== 'closes no visit' && now - since >= DESERTED_MS)
        for (const all of [peers, sends, receives]) all.clear();
    }
  }

  /** Its gateways are told to empty it, or that it takes visits again. */
  drain(draining: boolean): void {
    this.state = draining ? 'draining' : 'ready';
    for (const link of this.#links.values()) link.stateChanged(this.state);
  }

  /** SIGKILL. */
  kill(): void {
    this.runs = false;
    this.state = 'ready';
    this.#links.clear();
    this.#owners.clear();
    this.#untold.clear();
    this.#desertedSince.clear();
    this.#fake = new FakeNode(this.id);
  }

  start(): void {
    if (this.runs) return;
    this.#boot++;
    this.runs = true;
  }
}
