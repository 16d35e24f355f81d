import {
  type ControlEventPayload,
  HOLD,
  type ParticipantId,
  type ProducerId,
  type VisitChange,
} from '@bedside/protocol';
import { admitted, findPresent, type Visit } from '../visit/state.ts';
import { changesFor, viewClass, visibleIds } from '../visit/view.ts';
import { Quality } from './quality.ts';
import type { Session, Sessions } from './sessions.ts';

/** What pages are told of the visit: its changes, who speaks, and who is heard how well. */
export class News {
  readonly #sessions: Sessions;
  readonly #visit: () => Visit | undefined;
  readonly #quality = new Quality();
  #speaker: ParticipantId | null = null;

  constructor(sessions: Sessions, visit: () => Visit | undefined) {
    this.#sessions = sessions;
    this.#visit = visit;
  }

  qualityOf(id: ParticipantId): ReturnType<Quality['of']> {
    return this.#quality.of(id);
  }

  /** The visit changed: each page is told what it may know of it. */
  changed(before: Visit, after: Visit): void {
    const shared = new Map<string, VisitChange[]>();
    for (const { person, outbox } of this.#sessions.values()) {
      if (!outbox) continue;
      const [was, is] = [viewClass(before, person.id), viewClass(after, person.id)];
      const sharing = was !== undefined && is !== undefined ? `${was} ${is}` : undefined;
      const known = sharing === undefined ? undefined : shared.get(sharing);
      const changes = known ?? changesFor(before, after, person.id);
      if (sharing !== undefined) shared.set(sharing, changes);
      // An empty one, too, where others have some: numbers have no gaps.
      outbox.send('changed', { seq: after.seq, changes });
    }
  }

  /** People may hear others now: of who speaks, and how well those who came in are heard. */
  follow(before: Visit, after: Visit): void {
    if (this.#speaker !== null) this.#tellSpeaker();
    const waited = (id: ParticipantId) => findPresent(before, id)?.state === 'waiting';
    const entered = admitted(after).flatMap(({ id }) => (waited(id) ? [id] : []));
    if (entered.length === 0) return;
    const all = this.#quality.all(after);
    const levels = all.filter(({ participantId }) => entered.includes(participantId));
    for (const session of this.#sessions.values()) {
      if (entered.includes(session.person.id)) this.tellLevels(session);
      else this.#tellQuality(session, levels);
    }
  }

  /** What a page that comes in, or back, can't see in the visit: who is heard how well, and who speaks. */
  tellLevels(session: Session): void {
    const visit = this.#visit();
    const { person, outbox } = session;
    if (!outbox || !visit || findPresent(visit, person.id)?.state !== 'admitted') return;
    this.#tellQuality(session, this.#quality.all(visit));
    outbox.send('speaker', { participantId: session.speaker });
  }

  scored(producers: ControlEventPayload<'scores'>['producers']): void {
    const visit = this.#visit();
    if (!visit) return;
    const levels = this.#quality.update(visit, producers);
    for (const session of this.#sessions.values()) this.#tellQuality(session, levels);
  }

  /** The dominant speaker's producer, or null for silence. */
  speaks(producerId: ProducerId | null): void {
    const owner = this.#visit()?.participants.find(({ endpoint }) =>
      endpoint?.producers.some(({ id }) => id === producerId),
    );
    const speaker = owner?.id ?? null;
    if (speaker === this.#speaker) return;
    this.#speaker = speaker;
    this.#tellSpeaker();
  }

  /** Who speaks is told in the same place alone. */
  #tellSpeaker(): void {
    const visit = this.#visit();
    if (!visit) return;
    const speaks = this.#speaker === null ? undefined : findPresent(visit, this.#speaker);
    for (const session of this.#sessions.values()) {
      const listens = findPresent(visit, session.person.id);
      const heard = speaks?.state === 'admitted' && speaks.place === listens?.place;
      const participantId = heard && speaks.place !== HOLD ? speaks.id : null;
      if (participantId === session.speaker) continue;
      session.speaker = participantId;
      if (listens?.state === 'admitted') session.outbox?.send('speaker', { participantId });
    }
  }

  /** Who is heard how well, of those whom the page may see. */
  #tellQuality({ person, outbox }: Session, levels: ReturnType<Quality['all']>): void {
    const visit = this.#visit();
    if (!outbox || !visit || levels.length === 0) return;
    if (findPresent(visit, person.id)?.state !== 'admitted') return;
    const visible = visibleIds(visit, person.id);
    const participants = levels.filter(({ participantId }) => visible.has(participantId));
    if (participants.length > 0) outbox.send('quality', { participants });
  }
}
