import type {
  ParticipantId,
  ParticipantView,
  VisitChange,
  VisitKind,
  VisitState,
  VisitView,
} from '@bedside/protocol';
import { ParticipantState } from './participant.ts';

export interface RosterHandlers {
  visitStateChanged(state: VisitState): void;
  connected(participant: ParticipantState): void;
  disconnected(participant: ParticipantState): void;
  changed(participant: ParticipantState): void;
  /** What the visit says of this page's own participant. */
  self(view: ParticipantView): void;
}

/** The visit as this page may see it: who is there, in the order of the gateway's changes. */
export class Roster {
  readonly participants = new Map<ParticipantId, ParticipantState>();
  state: VisitState | undefined;
  kind: VisitKind | undefined;
  #selfId: ParticipantId | undefined;
  #seq = -1;
  readonly #handlers: RosterHandlers;

  constructor(handlers: RosterHandlers) {
    this.#handlers = handlers;
  }

  /** A new socket: its gateway's word counts, whatever an earlier one said. */
  reset(selfId: ParticipantId, view: VisitView): void {
    this.#selfId = selfId;
    this.#seq = -1;
    this.applyView(view);
  }

  /** The visit whole; one that is older than what is known is ignored. */
  applyView(view: VisitView): void {
    if (view.seq < this.#seq) return;
    this.#seq = view.seq;
    this.kind = view.kind;
    this.#setState(view.state);
    const present = new Set(view.participants.map(({ participantId }) => participantId));
    for (const id of [...this.participants.keys()]) if (!present.has(id)) this.#remove(id);
    for (const participant of view.participants) this.#apply(participant);
  }

  /** Returns false where changes are missing in between: ask for the visit whole. */
  applyChanges(seq: number, changes: readonly VisitChange[]): boolean {
    if (seq <= this.#seq) return true;
    const complete = seq === this.#seq + 1;
    this.#seq = seq;
    for (const change of changes) {
      if (change.type === 'visit') this.#setState(change.state);
      else if (change.type === 'participant') this.#apply(change.participant);
      else if (change.type === 'participant-left') this.#remove(change.participantId);
    }
    return complete;
  }

  get(id: ParticipantId): ParticipantState | undefined {
    return this.participants.get(id);
  }

  clear(): void {
    for (const id of [...this.participants.keys()]) this.#remove(id);
    this.#seq = -1;
  }

  #setState(state: VisitState): void {
    if (state === this.state) return;
    this.state = state;
    this.#handlers.visitStateChanged(state);
  }

  #apply(view: ParticipantView): void {
    if (view.participantId === this.#selfId) {
      this.#handlers.self(view);
    } else if (view.state === 'left') {
      this.#remove(view.participantId);
    } else {
      const known = this.participants.get(view.participantId);
      const participant = known ?? new ParticipantState(view.participantId, view.role, false);
      participant.apply(view);
      this.participants.set(view.participantId, participant);
      if (known) this.#handlers.changed(participant);
      else this.#handlers.connected(participant);
    }
  }

  #remove(id: ParticipantId): void {
    const participant = this.participants.get(id);
    if (!participant) return;
    this.participants.delete(id);
    participant.state = 'left';
    this.#handlers.disconnected(participant);
  }
}
