import {
  type ControlEventPayload,
  HOLD,
  type ParticipantId,
  type ProducerId,
  type VisitChange,
  type VisitView,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import { audienceOf, isAudience } from '../visit/audience.ts';
import { admitted, findPresent, type Visit } from '../visit/state.ts';
import { changeClass, changesFor, countedFor, viewOf, visibilityFor } from '../visit/view.ts';
import { Bulletin } from './bulletin.ts';
import { Quality } from './quality.ts';
import type { Session, Sessions } from './sessions.ts';

type Levels = ReturnType<Quality['all']>;

/**
 * What pages are told of the visit: its changes, who speaks, and who is heard how well. A lecture's audience
 * is told all but the changes in a bulletin.
 */
export class News {
  readonly #sessions: Sessions;
  readonly #visit: () => Visit | undefined;
  readonly #quality = new Quality();
  readonly #bulletin: Bulletin;
  #speaker: ParticipantId | null = null;
  /** Whether the size of the audience is another one. */
  #recounted = false;
  /** Those whose level is another one. */
  readonly #regraded = new Set<ParticipantId>();

  constructor(sessions: Sessions, visit: () => Visit | undefined, clock: Pick<Clock, 'after'>) {
    this.#sessions = sessions;
    this.#visit = visit;
    this.#bulletin = new Bulletin(clock, () => this.#tellBulletin());
  }

  /** Nobody is told anything any more. */
  stop(): void {
    this.#bulletin.stop();
  }

  qualityOf(id: ParticipantId): ReturnType<Quality['of']> {
    return this.#quality.of(id);
  }

  /** The visit as the page may see it; what changes from here on has higher numbers. */
  viewFor({ person, seq }: Session, visit: Visit): VisitView {
    return viewOf(visit, person.id, seq);
  }

  /** The visit changed: each page is told what it may know of it. */
  changed(before: Visit, after: Visit): void {
    const shared = new Map<string, VisitChange[]>();
    for (const session of this.#sessions.values()) {
      const { id } = session.person;
      // Who comes in has all of it from the answer.
      if (!session.outbox || !findPresent(before, id)) continue;
      const sharing = changeClass(before, after, id);
      const known = sharing === undefined ? undefined : shared.get(sharing);
      const changes = known ?? changesFor(before, after, id);
      if (sharing !== undefined) shared.set(sharing, changes);
      if (changes.length > 0) tellChanges(session, changes);
    }
    if (audienceOf(before) === audienceOf(after)) return;
    this.#recounted = true;
    this.#bulletin.announce();
  }

  /** People may hear others now: of who speaks, and how well those who came in are heard. */
  follow(before: Visit, after: Visit): void {
    if (this.#speaker !== null) this.#tellSpeaker();
    const waited = (id: ParticipantId) => findPresent(before, id)?.state === 'waiting';
    const entered = new Set(admitted(after).flatMap(({ id }) => (waited(id) ? [id] : [])));
    if (entered.size === 0) return;
    const all = this.#quality.all(after);
    const levels = all.filter(({ participantId }) => entered.has(participantId));
    for (const session of this.#sessions.values()) {
      if (entered.has(session.person.id)) this.#tellAll(session, all);
      else this.#tellLevels(session, levels);
    }
  }

  /** What a page that comes in, or back, can't see in the visit: who is heard how well, and who speaks. */
  tellLevels(session: Session): void {
    const visit = this.#visit();
    if (visit) this.#tellAll(session, this.#quality.all(visit));
  }

  scored(producers: ControlEventPayload<'scores'>['producers']): void {
    const visit = this.#visit();
    if (!visit) return;
    const levels = this.#quality.update(visit, producers);
    for (const session of this.#sessions.values()) this.#tellLevels(session, levels);
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

  #tellAll(session: Session, levels: Levels): void {
    const visit = this.#visit();
    if (!visit || findPresent(visit, session.person.id)?.state !== 'admitted') return;
    tellQuality(session, visit, levels);
    session.outbox?.send('speaker', { participantId: session.speaker });
  }

  /** Who speaks is told in the same place alone. */
  #tellSpeaker(): void {
    const visit = this.#visit();
    if (!visit) return;
    for (const session of this.#sessions.values()) {
      if (session.speaker === this.#speakerFor(session, visit)) continue;
      if (isListening(session, visit)) this.#bulletin.announce();
      else this.#tellSpeakerTo(session, visit);
    }
  }

  #tellSpeakerTo(session: Session, visit: Visit): void {
    const participantId = this.#speakerFor(session, visit);
    if (participantId === session.speaker) return;
    session.speaker = participantId;
    if (findPresent(visit, session.person.id)?.state === 'admitted')
      session.outbox?.send('speaker', { participantId });
  }

  #speakerFor({ person }: Session, visit: Visit): ParticipantId | null {
    const speaks = this.#speaker === null ? undefined : findPresent(visit, this.#speaker);
    const heard =
      speaks?.state === 'admitted' && speaks.place === findPresent(visit, person.id)?.place;
    return heard && speaks.place !== HOLD ? speaks.id : null;
  }

  /** Who is heard how well, of those whom the page may see. */
  #tellLevels(session: Session, levels: Levels): void {
    const visit = this.#visit();
    if (!visit || levels.length === 0) return;
    if (!isListening(session, visit)) {
      tellQuality(session, visit, levels);
      return;
    }
    for (const { participantId } of levels) this.#regraded.add(participantId);
    this.#bulletin.announce();
  }

  #tellBulletin(): void {
    const visit = this.#visit();
    if (!visit) return;
    const levels = this.#quality
      .all(visit)
      .filter(({ participantId }) => this.#regraded.has(participantId));
    for (const session of this.#sessions.values()) {
      if (this.#recounted && findPresent(visit, session.person.id)?.state === 'admitted')
        tellChanges(session, [{ type: 'visit', ...countedFor(visit, session.person.id) }]);
      if (!isListening(session, visit)) continue;
      this.#tellSpeakerTo(session, visit);
      tellQuality(session, visit, levels);
    }
    this.#recounted = false;
    this.#regraded.clear();
  }
}

/** Whether the page is of somebody in the audience of a lecture. */
function isListening({ person }: Session, visit: Visit): boolean {
  const participant = findPresent(visit, person.id);
  return participant !== undefined && isAudience(visit, participant);
}

/** Numbers of one page have no gaps: it knows by them that it missed nothing. */
function tellChanges(session: Session, changes: VisitChange[]): void {
  session.seq += 1;
  session.outbox?.send('changed', { seq: session.seq, changes });
}

function tellQuality({ person, outbox }: Session, visit: Visit, levels: Levels): void {
  if (!outbox || levels.length === 0) return;
  if (findPresent(visit, person.id)?.state !== 'admitted') return;
  const isVisible = visibilityFor(visit, person.id);
  const participants = levels.filter(({ participantId }) => isVisible(participantId));
  if (participants.length > 0) outbox.send('quality', { participants });
}
