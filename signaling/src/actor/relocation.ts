import {
  BedsideError,
  type ClientRequest,
  type NodeId,
  type ParticipantId,
  type ProducerId,
  type TransportId,
} from '@bedside/protocol';
import type { Command } from '../visit/decide.ts';
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
  apply(command: Command): unknown;
  /** Whoever had an endpoint before and has none now joins again. */
  tellMediaLost(before: Visit): void;
}

/**
 * A visit's way to another node: none, or one. Pages open a second pair of transports there, and the old
 * ones end once all who are connected play what comes from there.
 */
export class Relocation {
  readonly #host: RelocationHost;
  #arrival: Arrival | undefined;
  #ended: (moved: boolean) => void = () => {};

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
    const to = otherPlace(media(), visit.media.node);
    if (!to) return Promise.resolve(false);
    const arrival = new Arrival(to, mediaHost, () => this.#happen(() => this.stop()));
    this.#arrival = arrival;
    const cancel = mediaHost.clock.after(DEADLINE_MS, () =>
      this.#happen(() => this.#hurry(arrival)),
    );
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#ended = (moved) => {
      cancel();
      resolve(moved);
    };
    for (const { id, endpoint } of present(visit))
      if (endpoint) sessions.send(id, 'relocating', {});
    this.endIfReady();
    return promise;
  }

  /** A page came in, or back: it follows, too. */
  invite(id: ParticipantId): void {
    if (this.#arrival) this.#host.sessions.send(id, 'relocating', {});
  }

  /** @throws BedsideError `not-joined`, `not-found` where there is no relocation, or as the node */
  open(visit: Visit, id: ParticipantId, request: ClientRequest<'relocate'>) {
    if (!findPresent(visit, id)?.endpoint) throw new BedsideError('not-joined');
    return this.#required().open(visit, id, request);
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
    this.#arrival?.changed(before, after);
  }

  /** Once all who are connected are ready. */
  endIfReady(): void {
    const visit = this.#host.visit();
    const arrival = this.#arrival;
    if (!arrival || !visit) return;
    const waitedFor = present(visit).some(
      ({ id, endpoint }) => endpoint && this.#host.sessions.isConnected(id) && !arrival.isReady(id),
    );
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
    const arrival = this.#arrival;
    if (!arrival) return;
    const { mediaHost, sessions, media } = this.#host;
    this.#arrival = undefined;
    arrival.stop();
    mediaHost.nodes.closeVisit(arrival.to, media().scope);
    for (const id of arrival.endpoints.keys())
      sessions.send(id, 'relocation-ended', { moved: false });
    this.#ended(false);
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
    return this.#arrival?.twinOf(visit, id, producerId) ?? producerId;
  }

  /** Has the new node in line with the plan, too. What can't be kept private there is not there. */
  async inLine(): Promise<void> {
    const arrival = this.#arrival;
    if (!arrival || (await arrival.media.inLine())) return;
    await this.#host.mediaHost.happen(async () => {
      if (this.#arrival === arrival) this.stop();
    });
  }

  #end(arrival: Arrival): void {
    const { sessions } = this.#host;
    const before = this.#host.visit();
    if (!before) return;
    this.#arrival = undefined;
    this.#host.adopt(arrival.media);
    arrival.settle();
    const { to: media, endpoints } = arrival;
    this.#host.apply({ type: 'relocate', now: this.#host.now(), media, endpoints });
    for (const id of endpoints.keys()) sessions.send(id, 'relocation-ended', { moved: true });
    this.#host.tellMediaLost(before);
    this.#ended(true);
  }

  /** Time is up. Where somebody got through the others are made to follow; where nobody did the way there is broken. */
  #hurry(arrival: Arrival): void {
    if (this.#arrival !== arrival) return;
    const tried = [...arrival.endpoints.keys()];
    if (tried.length === 0 || tried.some((id) => arrival.isReady(id))) this.#end(arrival);
    else this.stop();
  }

  #happen(task: () => void): void {
    void this.#host.mediaHost.happen(async () => task());
  }

  #required(): Arrival {
    if (!this.#arrival) throw new BedsideError('not-found');
    return this.#arrival;
  }
}

function otherPlace(media: VisitMedia, from: NodeId): Media | undefined {
  try {
    return media.place([from]);
  } catch {
    return undefined;
  }
}
