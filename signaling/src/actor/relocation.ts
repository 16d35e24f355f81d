import {
  BedsideError,
  type ClientRequest,
  type NodeId,
  type ParticipantId,
  type ProducerId,
  type TransportId,
  toBedsideError,
} from '@bedside/protocol';
import type { Command } from '../visit/decide.ts';
import { isAt, nodesOf } from '../visit/nodes.ts';
import { findPresent, type Media, present, type Visit } from '../visit/state.ts';
import { Arrival } from './arrival.ts';
import type { MediaHost, VisitMedia } from './media.ts';
import type { Sessions } from './sessions.ts';

/** From the beginning until who has not followed is made to. */
const DEADLINE_MS = 20_000;

export interface RelocationHost {
  /** Of the visit's media. */
  readonly mediaHost: MediaHost;
  readonly sessions: Sessions;
  media(): VisitMedia;
  /** From now on this is the visit's media. */
  adopt(media: VisitMedia): void;
  now(): number;
  visit(): Visit | undefined;
  /** Resolves `written` once it is on record. */
  apply(command: Command): { committed: Promise<'written' | 'kept'> };
  /** Nothing of the media is left: everybody joins again. */
  mediaLost(): void;
  /** Whoever had an endpoint before and has none now joins again. */
  tellMediaLost(before: Visit): void;
}

/**
 * A visit's way to another node: none, or one. Pages open a second pair of transports there, and the old
 * ones end once all play what comes from there.
 */
export class Relocation {
  readonly #host: RelocationHost;
  #arrival: Arrival | undefined;
  #ended: (moved: boolean) => void = () => {};
  /** It is on record, so pages may follow. */
  #isOpen = false;
  /** Ids of producers from before the last one to those of now: a page may not know the new ones yet. */
  readonly #renamed = new Map<ProducerId, ProducerId>();

  constructor(host: RelocationHost) {
    this.#host = host;
  }

  get arrival(): Arrival | undefined {
    return this.#arrival;
  }

  /**
   * Resolves with whether the visit went; it stays where no other node takes it, or where nobody gets through
   * to that one. To be called in a turn.
   */
  begin(): Promise<boolean> {
    const { mediaHost, sessions, media } = this.#host;
    const visit = this.#host.visit();
    if (!visit?.media || this.#arrival) return Promise.resolve(false);
    const to = otherPlace(
      media(),
      nodesOf(visit).map(({ node }) => node),
    );
    if (!to) return Promise.resolve(false);
    const arrival: Arrival = new Arrival(to, mediaHost, () =>
      this.#happen(() => this.#stop(arrival)),
    );
    this.#arrival = arrival;
    this.#renamed.clear();
    const cancel = mediaHost.clock.after(DEADLINE_MS, () =>
      this.#happen(() => this.#hurry(arrival)),
    );
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#ended = (moved) => {
      cancel();
      resolve(moved);
    };
    const { committed } = this.#host.apply({
      type: 'relocating',
      now: this.#host.now(),
      media: to,
    });
    // Before that is on record nothing may be there: nobody would close it after this gateway's death.
    committed.then(
      (outcome) =>
        this.#happen(() => {
          const now = this.#host.visit();
          if (this.#arrival !== arrival || !now) return;
          if (outcome !== 'written') return this.#stop(arrival);
          this.#isOpen = true;
          for (const { id, endpoint } of present(now))
            if (endpoint) sessions.send(id, 'relocating', {});
          this.endIfReady();
        }),
      () => this.#happen(() => this.#stop(arrival)),
    );
    return promise;
  }

  /** The node is lost, or has begun anew: if the visit was on its way there, it stays. */
  lost(node: NodeId, bootId?: string): void {
    const arrival = this.#arrival;
    if (arrival?.to.node === node && arrival.to.bootId !== bootId) this.#stop(arrival);
  }

  /** A page came in, or back: it follows, too. */
  invite(id: ParticipantId): void {
    if (this.#arrival && this.#isOpen) this.#host.sessions.send(id, 'relocating', {});
  }

  /** @throws BedsideError `not-joined`, `not-found` where there is no relocation, or as the node */
  async open(visit: Visit, id: ParticipantId, request: ClientRequest<'relocate'>) {
    if (!findPresent(visit, id)?.endpoint) throw new BedsideError('not-joined');
    const arrival = this.#required();
    try {
      return await arrival.open(visit, id, request);
    } catch (thrown) {
      const { kind } = toBedsideError(thrown);
      // A node that is full or does not answer is no place to go to; each further page would find that out, too.
      if (kind === 'unavailable' || kind === 'internal') this.#stop(arrival);
      throw thrown;
    }
  }

  /** The participant's page plays what comes from there. @throws BedsideError `not-found` */
  ready(id: ParticipantId): void {
    this.#required().ready(id);
    this.endIfReady();
  }

  /** The participant's socket is gone: there they begin again. */
  drop(id: ParticipantId): void {
    this.#arrival?.drop(id);
  }

  changed(before: Visit, after: Visit): void {
    const arrival = this.#arrival;
    if (!arrival) return;
    if (after.media && after.state !== 'ended') arrival.changed(before, after);
    else this.#stop(arrival);
  }

  /** Once all are ready, those whose socket is away for a moment, too: their media goes on. */
  endIfReady(): void {
    const visit = this.#host.visit();
    const arrival = this.#arrival;
    if (!arrival || !visit || !this.#isOpen) return;
    const waitedFor = present(visit).some(({ id, endpoint }) => endpoint && !arrival.isReady(id));
    if (!waitedFor) this.#end(arrival);
  }

  /** The old node has lost the visit. Whether some are at the new one: the visit is there, then. */
  rescue(): boolean {
    const arrival = this.#arrival;
    if (!arrival || arrival.endpoints.size === 0) {
      this.stop();
      return false;
    }
    this.#end(arrival);
    return true;
  }

  /** The visit stays where it is. */
  stop(): void {
    if (this.#arrival) this.#stop(this.#arrival);
  }

  /** The media that has this transport. */
  mediaOf(id: ParticipantId, transportId: TransportId): VisitMedia {
    return this.#arrival?.has(id, transportId) ? this.#arrival.media : this.#host.media();
  }

  /** Every media that has something of the participant. */
  mediasOf(id: ParticipantId): VisitMedia[] {
    const there = this.#arrival?.endpoints.has(id) ? [this.#arrival.media] : [];
    return [this.#host.media(), ...there];
  }

  /** What the visit knows a producer by, which a page may name by its id at the new node. */
  known(visit: Visit, id: ParticipantId, producerId: ProducerId): ProducerId {
    return (
      this.#arrival?.twinOf(visit, id, producerId) ?? this.#renamed.get(producerId) ?? producerId
    );
  }

  /**
   * Has the new node in line with the plan, too; what can't be kept private there is not there. False where
   * the visit is there by now, and it is not in line.
   */
  async inLine(): Promise<boolean> {
    const arrival = this.#arrival;
    if (!arrival || (await arrival.media.inLine())) return true;
    await this.#host.mediaHost.happen(async () => this.#stop(arrival));
    return this.#host.media() !== arrival.media;
  }

  #end(arrival: Arrival): void {
    const { mediaHost, sessions } = this.#host;
    const before = this.#host.visit();
    const scope = this.#host.media().scope;
    if (!before?.media) return;
    const from = nodesOf(before);
    const { endpoints } = arrival;
    for (const { id, endpoint } of before.participants)
      for (const { id: old, source } of endpoint?.producers ?? []) {
        const now = endpoints.get(id)?.producers.find((producer) => producer.source === source);
        if (now) this.#renamed.set(old, now.id);
      }
    this.#arrival = undefined;
    this.#isOpen = false;
    this.#host.adopt(arrival.media);
    arrival.settle();
    const { committed } = this.#host.apply({
      type: 'relocate',
      now: this.#host.now(),
      endpoints,
    });
    this.#host.tellMediaLost(before);
    const close = () => {
      const now = this.#host.visit();
      // Somebody may have come back there meanwhile.
      for (const media of from)
        if (!now || !isAt(now, media.node)) mediaHost.nodes.closeVisit(media, scope);
      for (const id of endpoints.keys()) sessions.send(id, 'relocation-ended', { moved: true });
      this.#ended(true);
    };
    // Another gateway may have the visit by now, and it is where it was for that one.
    committed.then(close, () => this.#ended(false));
  }

  #stop(arrival: Arrival): void {
    if (this.#arrival !== arrival) return;
    const { mediaHost, sessions, media } = this.#host;
    this.#arrival = undefined;
    this.#isOpen = false;
    arrival.stop();
    const visit = this.#host.visit();
    if (!visit || !isAt(visit, arrival.to.node))
      mediaHost.nodes.closeVisit(arrival.to, media().scope);
    for (const id of arrival.endpoints.keys())
      sessions.send(id, 'relocation-ended', { moved: false });
    if (!mediaHost.closing() && this.#host.visit())
      this.#host.apply({ type: 'relocating', now: this.#host.now(), media: undefined });
    this.#ended(false);
  }

  /**
   * Time is up. Where somebody got through the others are made to follow. Where nobody even tried, their
   * pages do not know how: they join again, elsewhere. Where all who tried failed the way there is broken.
   */
  #hurry(arrival: Arrival): void {
    if (this.#arrival !== arrival) return;
    const tried = [...arrival.endpoints.keys()];
    if (tried.some((id) => arrival.isReady(id))) {
      this.#end(arrival);
      return;
    }
    const wasOpen = this.#isOpen;
    this.#stop(arrival);
    if (tried.length === 0 && wasOpen) this.#host.mediaLost();
  }

  #happen(task: () => void): void {
    void this.#host.mediaHost.happen(async () => task());
  }

  #required(): Arrival {
    if (!this.#arrival || !this.#isOpen) throw new BedsideError('not-found');
    return this.#arrival;
  }
}

function otherPlace(media: VisitMedia, from: readonly NodeId[]): Media | undefined {
  try {
    return media.places.beside(from);
  } catch {
    return undefined;
  }
}
