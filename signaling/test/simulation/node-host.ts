import {
  BedsideError,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type NodeId,
  type VisitKey,
} from '@bedside/protocol';
import { FakeNode } from '../fake-node.ts';

/** One gateway's link, as the node sees it. */
export interface HeardLink {
  gateway: string;
  visitsLost(visits: VisitKey[]): void;
}

/** A command that changed something at the node, for who watches over epochs. */
export interface Obeyed {
  node: NodeId;
  visit: VisitKey;
  epoch: number;
  gateway: string;
  name: ControlCommandName;
}

/** A node's process: what a gateway may do there, and who hears that its media is lost. */
export class NodeHost {
  readonly id: NodeId;
  runs = true;
  /** A stopped process: what it is sent waits. */
  onObeyed: (obeyed: Obeyed) => void = () => {};
  #boot = 1;
  #fake: FakeNode;
  readonly #owners = new Map<VisitKey, { epoch: number; gateway: string }>();
  readonly #links = new Map<string, HeardLink>();
  readonly #untold = new Map<VisitKey, string>();

  constructor(id: string) {
    this.id = id as NodeId;
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
    if (owner && (epoch < owner.epoch || (epoch === owner.epoch && gateway !== owner.gateway)))
      throw new BedsideError('stale-epoch');
    if (owner && gateway !== owner.gateway) this.#untold.delete(visit);
    this.#owners.set(visit, { epoch, gateway });
    this.onObeyed({ node: this.id, visit, epoch, gateway, name });
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

  /** SIGKILL. */
  kill(): void {
    this.runs = false;
    this.#links.clear();
    this.#owners.clear();
    this.#untold.clear();
    this.#fake = new FakeNode(this.id);
  }

  start(): void {
    if (this.runs) return;
    this.#boot++;
    this.runs = true;
  }
}
