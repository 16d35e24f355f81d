import { randomUUID } from 'node:crypto';
import {
  BedsideError,
  type ClientRequest,
  KIND_OF_SOURCE,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  type TransportId,
} from '@bedside/protocol';
import { replanned } from '../plan/plan.ts';
import type { Effect } from '../visit/decide.ts';
import { mayProduce } from '../visit/endpoint.ts';
import { arriving } from '../visit/relocation.ts';
import { type Endpoint, findPresent, type Media, type Visit } from '../visit/state.ts';
import { type MediaHost, VisitMedia } from './media.ts';

/**
 * A visit on its way to another node, while it goes on at its own: what pages have there by now, kept
 * equal to the plan. The visit's state has no more of it than where it goes, so that a gateway that dies
 * meanwhile leaves the visit where it was.
 */
export class Arrival {
  readonly to: Media;
  readonly media: VisitMedia;
  readonly #endpoints = new Map<ParticipantId, Endpoint>();
  readonly #ready = new Set<ParticipantId>();
  #settled = false;

  /** `host`: of the visit's media. `failed`: there is nothing at the new node any more. */
  constructor(to: Media, host: MediaHost, failed: () => void) {
    this.to = to;
    this.media = new VisitMedia({
      ...host,
      visit: () => {
        const visit = host.visit();
        return visit && !this.#settled ? this.of(visit) : visit;
      },
      isReconciled: (id) => (this.#settled ? host.isReconciled(id) : this.#endpoints.has(id)),
      sendConsumers: (id, payload, onActed) => {
        // Also once it has arrived: the page may not know so yet, and take it for the other path's.
        const { recvTransportId } = this.media.peerOf(id);
        host.sendConsumers(id, { ...payload, recvTransportId }, onActed);
      },
      mediaLost: (node) => (this.#settled ? host.mediaLost(node) : failed()),
      endpointsLost: (peers, producers) => {
        if (this.#settled) host.endpointsLost(peers, producers);
        else if (peers.length + producers.length > 0) failed();
      },
    });
  }

  /** The visit has arrived: `media` is its media from now on. */
  settle(): void {
    this.#settled = true;
  }

  get endpoints(): ReadonlyMap<ParticipantId, Endpoint> {
    return this.#endpoints;
  }

  /** The visit, as it is at the new node. */
  of(visit: Visit): Visit {
    return arriving(visit, this.to, this.#endpoints);
  }

  /** Whether one of the participant's transports is there. */
  has(participant: ParticipantId, transportId: TransportId): boolean {
    return this.media.owns(this.#endpoints.get(participant)?.peer, transportId);
  }

  isReady(participant: ParticipantId): boolean {
    return this.#ready.has(participant);
  }

  /** A participant's second pair of transports; a repeat gives what is there. @throws BedsideError as the node */
  async open(
    visit: Visit,
    id: ParticipantId,
    { requestId, rtpCapabilities }: ClientRequest<'relocate'>,
  ) {
    const known = this.#endpoints.get(id);
    if (known && known.request !== requestId) this.drop(id);
    // Of an attempt before, by another gateway, something may be there.
    if (this.#endpoints.size === 0) this.media.doubtNode();
    const endpoint =
      known?.request === requestId
        ? known
        : { peer: randomUUID() as PeerId, request: requestId, producers: [] };
    this.#endpoints.set(id, endpoint);
    try {
      const at = this.of(visit);
      const place = { media: this.to, lastResort: true };
      const opened = await this.media.open(place, id, endpoint.peer, rtpCapabilities, at);
      this.media.told(id);
      return opened;
    } catch (thrown) {
      this.drop(id);
      throw thrown;
    }
  }

  /** @throws BedsideError `not-joined`, `not-found`, `forbidden`, or as the node */
  async produce(
    visit: Visit,
    id: ParticipantId,
    { requestId, transportId, source, paused, rtpParameters }: ClientRequest<'produce'>,
  ): Promise<ProducerId> {
    const { id: peer, sendTransportId } = this.media.peerOf(id, transportId);
    if (transportId !== sendTransportId)
      throw new BedsideError('not-found', { field: 'transportId' });
    const participant = findPresent(visit, id);
    const endpoint = this.#endpoints.get(id);
    if (!participant || !endpoint) throw new BedsideError('not-joined');
    if (!mayProduce(participant, source)) throw new BedsideError('forbidden');
    const repeated = endpoint.producers.find(({ request }) => request === requestId);
    if (repeated) return repeated.id;
    if (endpoint.producers.some((producer) => producer.source === source))
      throw new BedsideError('conflict');
    const twin = participant.endpoint?.producers.find((each) => each.source === source);
    const producer = {
      id: randomUUID() as ProducerId,
      kind: KIND_OF_SOURCE[source],
      source,
      paused: twin?.paused ?? paused,
      request: requestId,
    };
    await this.media.call('produce', {
      ...this.media.scope,
      peer,
      producerId: producer.id,
      kind: producer.kind,
      rtpParameters,
      paused: producer.paused,
      observed: source === 'microphone',
    });
    const before = this.of(visit);
    this.#endpoints.set(id, { ...endpoint, producers: [...endpoint.producers, producer] });
    const after = this.of(visit);
    this.media.changed(after, replanned(before, after));
    void this.media.scheduleSync();
    return producer.id;
  }

  /** The producer that the visit has of what the page names by an id of there. */
  twinOf(visit: Visit, id: ParticipantId, producerId: ProducerId): ProducerId | undefined {
    const there = this.#endpoints.get(id)?.producers.find((each) => each.id === producerId);
    return findPresent(visit, id)?.endpoint?.producers.find((each) => each.source === there?.source)
      ?.id;
  }

  /** The page plays what comes from there. @throws BedsideError `not-found` */
  ready(id: ParticipantId): void {
    if (!this.#endpoints.has(id)) throw new BedsideError('not-found');
    this.#ready.add(id);
  }

  /** The participant's page is gone: it begins again, or joins. */
  drop(id: ParticipantId): void {
    const endpoint = this.#endpoints.get(id);
    if (!endpoint) return;
    this.media.tidy([{ type: 'close-peer', peer: endpoint.peer }], this.to);
    this.#endpoints.delete(id);
    this.#ready.delete(id);
  }

  /** The visit changed: what follows from it here follows there, too. */
  changed(before: Visit, after: Visit): void {
    const [was, is] = [this.of(before), this.of(after)];
    for (const id of [...this.#endpoints.keys()])
      if (!findPresent(after, id)?.endpoint) this.drop(id);
    const effects = differences(was, is);
    for (const effect of effects)
      if (effect.type === 'close-producer') this.#forget(effect.producer);
    this.media.tidy(effects, this.to);
    this.media.changed(is, replanned(was, is));
    void this.media.scheduleSync();
  }

  stop(): void {
    this.media.stop();
  }

  /** A source that is not sent any more: begun again it is another one. */
  #forget(producerId: ProducerId): void {
    for (const [id, endpoint] of this.#endpoints)
      this.#endpoints.set(id, {
        ...endpoint,
        producers: endpoint.producers.filter((producer) => producer.id !== producerId),
      });
  }
}

/** What the node is to be told of one by one: mutes, and sources that are not sent any more. */
function differences(before: Visit, after: Visit): Effect[] {
  const producers = (visit: Visit) =>
    new Map(
      visit.participants.flatMap(({ endpoint }) =>
        (endpoint?.producers ?? []).map((producer) => [producer.id, producer] as const),
      ),
    );
  const [was, is] = [producers(before), producers(after)];
  const effects: Effect[] = [];
  for (const producer of was.keys())
    if (!is.has(producer)) effects.push({ type: 'close-producer', producer });
  // What counts only now was opened there as the page said then.
  for (const [producer, { paused }] of is)
    if (was.get(producer)?.paused !== paused)
      effects.push({ type: 'pause-producer', producer, paused });
  return effects;
}
