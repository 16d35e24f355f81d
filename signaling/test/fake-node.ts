import { isDeepStrictEqual } from 'node:util';
import {
  BedsideError,
  type ConsumerId,
  type ControlCommandName,
  type ControlRequest,
  type ControlResponse,
  type Flow,
  type NodeConsumer,
  type NodeId,
  type PeerId,
  type PeerPlanResult,
  type PipeEnd,
  type PipeId,
  type ProducerId,
  type RtpCapabilities,
  type TransportId,
  type VisitKey,
} from '@bedside/protocol';
import type { NodeClient } from '../src/nodes/client.ts';
import type { LinkedNode } from '../src/nodes/placement.ts';
import type { Media } from '../src/visit/state.ts';

type TransportParameters = ControlResponse<'open-peer'>['sendTransport'];
type Kind = NodeConsumer['kind'];

interface FakePeer {
  producers: Map<ProducerId, { kind: Kind; paused: boolean }>;
  consumers: Map<ProducerId, { id: ConsumerId; started: boolean }>;
  gone: ConsumerId[];
}

interface FakeSender {
  end: PipeEnd;
  producers: ProducerId[];
  receiver?: PipeEnd;
}

interface FakeReceiver {
  end: PipeEnd;
  sender: PipeEnd;
  producers: Map<ProducerId, { kind: Kind; paused: boolean }>;
}

interface FakeVisit {
  epoch: number;
  peers: Map<PeerId, FakePeer>;
  sends: Map<PipeId, FakeSender>;
  receives: Map<PipeId, FakeReceiver>;
  /** For the next owner. */
  held?: string | undefined;
}

type Handlers = {
  [Name in ControlCommandName]: (
    visit: FakeVisit,
    request: ControlRequest<Name>,
  ) => ControlResponse<Name>;
};

/** What becomes of a call: nothing special, or request or answer lost on the way. */
export type Fate = 'done' | 'request-lost' | 'answer-lost';

/** A node at the port: does what a node does, without media, and loses what a test wants lost. */
export class FakeNode implements NodeClient {
  readonly id: NodeId;
  readonly visits = new Map<VisitKey, FakeVisit>();
  readonly calls: ControlCommandName[] = [];
  up = true;
  /** Takes nobody more, or only who has nowhere else to go. */
  full: boolean | 'share' = false;
  /** Other nodes reach it. */
  pipes = true;
  /** It connects to no other node. */
  isClosed = false;
  /** Consumers that each peer may have. */
  room = Number.POSITIVE_INFINITY;
  bootId = 'boot-1';
  fate: (name: ControlCommandName) => Fate = () => 'done';
  /** Awaited before a call is carried out. */
  before: (name: ControlCommandName) => Promise<void> = async () => {};
  readonly region = 'here';
  #ids = 0;
  #ports = 0;

  constructor(id = 'node-1') {
    this.id = id as NodeId;
  }

  linked(): readonly LinkedNode[] {
    if (!this.up) return [];
    const { id: nodeId, bootId } = this;
    const load = { workers: [] };
    const { pipes } = this;
    return [{ nodeId, bootId, region: 'here', state: 'ready', pending: 0, load, pipes }];
  }

  rtpCapabilities(): RtpCapabilities {
    return { codecs: [] };
  }

  isLost(_node?: NodeId): boolean {
    return false;
  }

  closeVisit(_media: Media, request: ControlRequest<'close-visit'>): void {
    this.call(this.id, 'close-visit', request).catch(() => {});
  }

  keepVisit(): void {}

  async call<Name extends ControlCommandName>(
    _node: NodeId,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const lost = () => new BedsideError('media-unavailable');
    this.calls.push(name);
    const fate = this.fate(name);
    await this.before(name);
    if (!this.up || fate === 'request-lost') throw lost();
    const response = this.#carryOut(name, request);
    if (fate === 'answer-lost') throw lost();
    return response;
  }

  /** Everything is gone: its worker died. */
  lose(): void {
    for (const visit of this.visits.values()) empty(visit);
  }

  /** A new process at the same address. */
  reboot(): void {
    this.visits.clear();
    this.bootId = `boot-after-${this.bootId}`;
  }

  peersOf(key: VisitKey): PeerId[] {
    return [...(this.visits.get(key)?.peers.keys() ?? [])];
  }

  peer(key: VisitKey, peer: PeerId): FakePeer | undefined {
    return this.visits.get(key)?.peers.get(peer);
  }

  #carryOut<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
  ): ControlResponse<Name> {
    const visit = this.visits.get(request.visit) ?? {
      epoch: 0,
      peers: new Map(),
      sends: new Map(),
      receives: new Map(),
    };
    this.visits.set(request.visit, visit);
    if (request.epoch < visit.epoch) throw new BedsideError('stale-epoch');
    visit.epoch = request.epoch;
    return this.#handlers[name](visit, request);
  }

  readonly #handlers: Handlers = {
    'open-peer': (visit, { peer: id, flows, lastResort }) => {
      const takes = !this.full || (this.full === 'share' && lastResort);
      if (!takes && !visit.peers.has(id)) throw new BedsideError('capacity');
      const peer = visit.peers.get(id) ?? { producers: new Map(), consumers: new Map(), gone: [] };
      visit.peers.set(id, peer);
      const { refused } = this.#plan(visit, id, peer, flows);
      return {
        sendTransport: transport(`send-${id}`),
        recvTransport: transport(`recv-${id}`),
        consumers: consumersOf(visit, peer),
        refused,
      };
    },
    'connect-transport': () => ({}),
    'restart-ice': () => ({ iceParameters: transport('').iceParameters }),
    produce: (visit, { peer, producerId, kind, paused }) => {
      const { producers } = this.#peer(visit, peer);
      if (!producers.has(producerId)) producers.set(producerId, { kind, paused });
      return {};
    },
    'pause-producer': (visit, { producerId, paused }) => {
      const producer = producerOf(visit, producerId);
      if (!producer) throw new BedsideError('not-found');
      producer.paused = paused;
      return {};
    },
    'close-producer': (visit, { producerId }) => {
      closeProducer(visit, producerId);
      return {};
    },
    'apply-plan': (visit, { listeners }) => {
      const planned = listeners.map(({ peer, flows }) => ({
        id: peer,
        peer: this.#peer(visit, peer),
        flows,
      }));
      return {
        listeners: planned.map(({ id, peer, flows }) => this.#plan(visit, id, peer, flows)),
      };
    },
    'start-consumers': (visit, { peer, consumerIds }) => {
      for (const consumer of this.#peer(visit, peer).consumers.values())
        if (consumerIds.includes(consumer.id)) consumer.started = true;
      return {};
    },
    'prefer-consumers': (visit, { peer }) => {
      this.#peer(visit, peer);
      return {};
    },
    'close-peer': (visit, { peer }) => {
      for (const id of visit.peers.get(peer)?.producers.keys() ?? []) closeProducer(visit, id);
      visit.peers.delete(peer);
      return {};
    },
    'close-visit': (visit) => {
      empty(visit);
      return {};
    },
    'send-pipe': (visit, { pipe, producers }) => {
      if (!this.#isOpen(visit)) throw new BedsideError('not-found');
      const there = producers.filter((id) => sourceOf(visit, id));
      const sender = visit.sends.get(pipe) ?? { end: this.#end(), producers: [] };
      visit.sends.set(pipe, { ...sender, producers: there });
      return {
        end: sender.end,
        producers: there.map((producerId) => ({
          producerId,
          ...(sourceOf(visit, producerId) as { kind: Kind; paused: boolean }),
          rtpParameters: { codecs: [] },
          observed: false,
        })),
      };
    },
    'receive-pipe': (visit, { pipe, end: sender, producers }) => {
      if (this.isClosed) throw new BedsideError('forbidden', { field: 'end' });
      const known = visit.receives.get(pipe);
      if (known && !isDeepStrictEqual(known.sender, sender)) throw new BedsideError('conflict');
      const others = [...visit.receives].filter(([id]) => id !== pipe);
      const taken = ({ producerId }: { producerId: ProducerId }) =>
        sourceOf(visit, producerId) ??
        others.find(([, receiver]) => receiver.producers.has(producerId));
      if (producers.some(taken)) throw new BedsideError('invalid-request', { field: 'producers' });
      const end = known?.end ?? this.#end();
      const opened = new Map(
        producers.map(({ producerId, kind, paused }) => [producerId, { kind, paused }]),
      );
      for (const id of known?.producers.keys() ?? []) if (!opened.has(id)) unlisten(visit, id);
      visit.receives.set(pipe, { end, sender, producers: opened });
      return { end };
    },
    'connect-pipe': (visit, { pipe, end }) => {
      const sender = visit.sends.get(pipe);
      if (!sender) throw new BedsideError('not-found');
      if (sender.receiver && !isDeepStrictEqual(sender.receiver, end))
        throw new BedsideError('conflict');
      sender.receiver = end;
      return {};
    },
    'close-pipe': (visit, { pipe }) => {
      for (const id of visit.receives.get(pipe)?.producers.keys() ?? []) unlisten(visit, id);
      visit.receives.delete(pipe);
      visit.sends.delete(pipe);
      return {};
    },
    'keep-changes': (visit, { changes }) => {
      visit.held = changes;
      return {};
    },
    'kept-changes': ({ held }) => (held === undefined ? {} : { changes: held }),
    'describe-visit': (visit) => ({
      sends: [...visit.sends].map(([pipe, { producers }]) => ({ pipe, producers })),
      receives: [...visit.receives].map(([pipe, { producers }]) => ({
        pipe,
        producers: [...producers.keys()],
      })),
      peers: [...visit.peers].map(([id, peer]) => ({
        peer: id,
        sendTransportId: `send-${id}` as TransportId,
        recvTransportId: `recv-${id}` as TransportId,
        producers: [...peer.producers].map(([producerId, producer]) => ({
          producerId,
          ...producer,
        })),
        consumers: consumersOf(visit, peer).map((consumer) => ({ ...consumer, paused: false })),
      })),
    }),
  };

  #isOpen({ peers, receives }: FakeVisit): boolean {
    return peers.size > 0 || receives.size > 0;
  }

  #end(): PipeEnd {
    this.#ports += 1;
    const srtp = { cryptoSuite: 'suite', keyBase64: `key-${this.id}-${this.#ports}` };
    return { ip: '127.0.0.1', port: this.#ports, srtp };
  }

  #peer(visit: FakeVisit, id: PeerId): FakePeer {
    const peer = visit.peers.get(id);
    if (!peer) throw new BedsideError('not-found', { field: 'peer' });
    return peer;
  }

  #plan(visit: FakeVisit, id: PeerId, peer: FakePeer, flows: readonly Flow[]): PeerPlanResult {
    const planned = new Set(flows.map(({ producerId }) => producerId));
    for (const [producerId, consumer] of peer.consumers) {
      if (planned.has(producerId)) continue;
      peer.consumers.delete(producerId);
      peer.gone.push(consumer.id);
    }
    const added = new Set<ProducerId>();
    const refused: PeerPlanResult['refused'] = [];
    for (const producerId of planned) {
      if (peer.consumers.has(producerId)) continue;
      if (peer.consumers.size >= this.room) {
        refused.push({ producerId, code: 'capacity' });
        continue;
      }
      if (producerOf(visit, producerId)) {
        added.add(producerId);
        const consumerId = `consumer-${this.id}-${++this.#ids}` as ConsumerId;
        peer.consumers.set(producerId, { id: consumerId, started: false });
      } else refused.push({ producerId, code: 'not-found' });
    }
    return {
      peer: id,
      added: consumersOf(visit, peer).filter(({ producerId }) => added.has(producerId)),
      removed: peer.gone.splice(0),
      refused,
    };
  }
}

/** Several nodes at the port; one that is not up is lost. */
export class FakeNodes implements NodeClient {
  readonly region = 'here';
  readonly #nodes: readonly FakeNode[];

  constructor(...nodes: FakeNode[]) {
    this.#nodes = nodes;
  }

  linked(): readonly LinkedNode[] {
    return this.#nodes.flatMap((node) => node.linked());
  }

  rtpCapabilities(): RtpCapabilities {
    return { codecs: [] };
  }

  isLost(id: NodeId): boolean {
    return !this.#nodes.find((node) => node.id === id)?.up;
  }

  closeVisit(media: Media, request: ControlRequest<'close-visit'>): void {
    this.call(media.node, 'close-visit', request).catch(() => {});
  }

  keepVisit(): void {}

  async call<Name extends ControlCommandName>(
    id: NodeId,
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const node = this.#nodes.find((each) => each.id === id);
    if (!node) throw new BedsideError('media-unavailable');
    return node.call(id, name, request);
  }
}

const producerOf = (visit: FakeVisit, id: ProducerId) =>
  sourceOf(visit, id) ??
  [...visit.receives.values()].flatMap(({ producers }) => producers.get(id) ?? [])[0];

/** Of a peer that is here. */
const sourceOf = (visit: FakeVisit, id: ProducerId) =>
  [...visit.peers.values()].flatMap(({ producers }) => producers.get(id) ?? [])[0];

function empty(visit: FakeVisit): void {
  visit.peers.clear();
  visit.sends.clear();
  visit.receives.clear();
}

function closeProducer(visit: FakeVisit, id: ProducerId): void {
  for (const peer of visit.peers.values()) peer.producers.delete(id);
  for (const { producers } of visit.receives.values()) producers.delete(id);
  for (const sender of visit.sends.values())
    sender.producers = sender.producers.filter((each) => each !== id);
  unlisten(visit, id);
}

function unlisten(visit: FakeVisit, id: ProducerId): void {
  for (const peer of visit.peers.values()) {
    const consumer = peer.consumers.get(id);
    peer.consumers.delete(id);
    if (consumer) peer.gone.push(consumer.id);
  }
}

function consumersOf(visit: FakeVisit, peer: FakePeer): NodeConsumer[] {
  return [...peer.consumers].flatMap(([producerId, { id }]) => {
    const producer = producerOf(visit, producerId);
    if (!producer) return [];
    const { kind, paused } = producer;
    return [
      { consumerId: id, producerId, kind, rtpParameters: { codecs: [] }, producerPaused: paused },
    ];
  });
}

function transport(id: string): TransportParameters {
  return {
    transportId: id as TransportId,
    iceParameters: { usernameFragment: 'fragment', password: 'password', iceLite: true },
    iceCandidates: [],
    dtlsParameters: { role: 'auto', fingerprints: [] },
  } as TransportParameters;
}
