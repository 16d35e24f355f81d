import type {
  ParticipantId,
  ParticipantView,
  Place,
  VisitChange,
  VisitInfo,
  VisitKind,
  VisitState,
  VisitView,
} from '@bedside/protocol';
import { ParticipantState } from './participant.ts';
import type { CallInfo, InviteInfo } from './types.ts';

export interface RosterHandlers {
  visitStateChanged(state: VisitState): void;
  /** What is known of the visit as a whole, its invitations or calls changed. */
  visitChanged(): void;
  connected(participant: ParticipantState): void;
  disconnected(participant: ParticipantState): void;
  changed(participant: ParticipantState): void;
  /** After `changed`, which tells of it, too. */
  moved(participant: ParticipantState, before: Place): void;
}

type News = 'connected' | 'changed' | 'disconnected';

/**
 * The visit as this page may see it: who is there, in the order of the gateway's changes. Changes that
 * come together are told of together, so that nobody sees half a move.
 */
export class Roster {
  readonly participants = new Map<ParticipantId, ParticipantState>();
  info: VisitInfo | undefined;
  invites: readonly InviteInfo[] = [];
  calls: readonly CallInfo[] = [];
  kind: VisitKind | undefined;
  readonly #self: ParticipantState;
  readonly #handlers: RosterHandlers;
  readonly #news = new Map<ParticipantState, News>();
  #selfId: ParticipantId | undefined;
  #seq = -1;

  /** `self`: the page's own participant, which is none of `participants`. */
  constructor(self: ParticipantState, handlers: RosterHandlers) {
    this.#self = self;
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
    const { invites = [], calls = [] } = view;
    const present = new Set(view.participants.map(({ participantId }) => participantId));
    this.#tell(() => {
      this.info = infoOf(view);
      this.invites = invites;
      this.calls = calls;
      for (const id of [...this.participants.keys()]) if (!present.has(id)) this.#remove(id);
      for (const participant of view.participants) this.#apply(participant);
    });
  }

  /** Returns false where changes are missing in between: ask for the visit whole. */
  applyChanges(seq: number, changes: readonly VisitChange[]): boolean {
    if (seq <= this.#seq) return true;
    const complete = seq === this.#seq + 1;
    this.#seq = seq;
    this.#tell(() => {
      for (const change of changes) {
        if (change.type === 'visit') this.info = infoOf(change);
        else if (change.type === 'participant') this.#apply(change.participant);
        else if (change.type === 'participant-left') this.#remove(change.participantId);
        else if (change.type === 'invites') this.invites = change.invites;
        else this.calls = change.calls;
      }
    });
    return complete;
  }

  /** The page's own participant, too. */
  find(id: ParticipantId | undefined): ParticipantState | undefined {
    if (id === undefined) return undefined;
    return id === this.#self.id ? this.#self : this.participants.get(id);
  }

  clear(): void {
    this.#tell(() => {
      for (const id of [...this.participants.keys()]) this.#remove(id);
    });
    this.#seq = -1;
  }

  #tell(apply: () => void): void {
    const everybody = () => [this.#self, ...this.participants.values()];
    const places = new Map(everybody().map((each) => [each, each.place]));
    const { info } = this;
    const before = this.#snapshot();
    apply();
    for (const each of everybody()) {
      const isHere = each.isWith(this.#self);
      if (isHere === each.isHere) continue;
      each.isHere = isHere;
      this.#note(each, 'changed');
    }
    const news = [...this.#news];
    this.#news.clear();
    if (this.info && this.info.state !== info?.state)
      this.#handlers.visitStateChanged(this.info.state);
    if (this.#snapshot() !== before) this.#handlers.visitChanged();
    for (const [participant, what] of news) this.#handlers[what](participant);
    for (const [each, place] of places)
      if (each.place !== place && each.state !== 'left') this.#handlers.moved(each, place);
  }

  #snapshot(): string {
    return JSON.stringify([this.info, this.invites, this.calls]);
  }

  #note(participant: ParticipantState, what: News): void {
    const known = this.#news.get(participant);
    if (what === 'disconnected' && known === 'connected') this.#news.delete(participant);
    else if (what !== 'changed' || !known) this.#news.set(participant, what);
  }

  #apply(view: ParticipantView): void {
    const { participantId } = view;
    if (participantId === this.#selfId) {
      this.#self.apply(view);
      this.#note(this.#self, 'changed');
    } else if (view.state === 'left') {
      this.#remove(participantId);
    } else {
      const known = this.participants.get(participantId);
      const participant = known ?? new ParticipantState(participantId, view.role, false);
      participant.apply(view);
      this.participants.set(participantId, participant);
      this.#note(participant, known ? 'changed' : 'connected');
    }
  }

  #remove(id: ParticipantId): void {
    const participant = this.participants.get(id);
    if (!participant) return;
    this.participants.delete(id);
    participant.state = 'left';
    participant.isHere = false;
    this.#note(participant, 'disconnected');
  }
}

function infoOf(source: VisitInfo): VisitInfo {
  const { state, responsible, unattendedSince, handOver, interpreting, turns, reactions, wait } =
    source;
  const { audience } = source;
  return {
    state,
    responsible,
    unattendedSince,
    handOver,
    interpreting,
    turns,
    reactions,
    wait,
    audience,
  };
}
