import { HOLD, MAIN_ROOM, type ParticipantId, type Place } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { MoveTarget, Participant, VisitApi } from '../types.ts';
import { buttons } from './act.ts';
import { icons } from './icons.ts';
import { inOrder, isPrivate, isSending, waiting } from './people.ts';
import { actionsOn } from './person-actions.ts';
import { panel } from './side-panel.ts';
import type { View } from './view.ts';

export interface PeopleActions {
  close(): void;
  write(id: ParticipantId): void;
}

const MINUTE_MS = 60_000;

/** Who is in the visit and where, with what oneself may do about it. */
export class PeoplePanel {
  readonly #changed: () => void;
  #selected = new Set<ParticipantId>();
  /** Whose actions are shown. */
  #open: ParticipantId | undefined;
  /** Whom the dialog asks about. */
  removing: ParticipantId | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Those who are selected and can still be moved. */
  selected({ participants }: VisitApi): Participant[] {
    return [...this.#selected]
      .map((id) => participants.get(id))
      .filter((one) => one?.state === 'admitted') as Participant[];
  }

  /** Moves those who are selected. */
  move({ visit, host }: View, target: MoveTarget, withSelf = false): void {
    const ids = this.selected(visit).map(({ id }) => id);
    this.#selected.clear();
    host.run(visit.moveTo(withSelf ? [visit.localParticipant.id, ...ids] : ids, target));
    this.#changed();
  }

  render(view: View, actions: PeopleActions): TemplateResult {
    const { visit, t } = view;
    const { localParticipant: self, participants } = visit;
    const everybody = [
      ...(self.state === 'admitted' ? [self] : []),
      ...inOrder(participants.values()).filter(({ state }) => state === 'admitted'),
    ];
    const places = [...new Set([MAIN_ROOM, ...everybody.map(({ place }) => place)])];
    return panel(
      view,
      { name: 'people', title: t('people'), close: actions.close },
      html`<div class="scroll">
          ${this.#waiting(view, actions)}
          ${places.map((place) =>
            this.#place(
              view,
              place,
              everybody.filter((one) => one.place === place),
              actions,
            ),
          )}
        </div>
        ${this.#selection(view)}`,
    );
  }

  #waiting(view: View, actions: PeopleActions): TemplateResult | typeof nothing {
    const { visit, t, host } = view;
    const all = waiting(visit);
    if (all.length === 0) return nothing;
    const may = visit.localParticipant.grants;
    return html`<section class="group waiting" aria-labelledby="waiting-title">
      <header>
        <h3 id="waiting-title">${t('waitingCount', { count: String(all.length) })}</h3>
        ${buttons([may.has('admit') && all.length > 1 && { action: 'admit-all', label: t('admitAll'), primary: true, onClick: () => host.run(visit.admit()) }])}
      </header>
      <ul role="list">
        ${repeat(
          all,
          ({ id }) => id,
          (one) => html`<li class="person" data-person=${one.id}>
            ${this.#who(view, one, since(view, one))}
            <div class="deeds">
              ${buttons([
                may.has('admit') && {
                  action: 'admit',
                  label: t('admit'),
                  about: view.name(one.id),
                  primary: true,
                  onClick: () => host.run(visit.admit([one.id])),
                },
                may.has('remove') && {
                  action: 'deny',
                  label: t('deny'),
                  about: view.name(one.id),
                  onClick: () => host.run(visit.remove(one.id)),
                },
              ])}
              ${may.has('admit') && may.has('chat') ? html`<button type="button" class="icon-button" data-action="write" aria-label="${t('write')}: ${view.name(one.id)}" @click=${() => actions.write(one.id)}>${icons.chat}</button>` : nothing}
            </div>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  #place(
    view: View,
    place: Place,
    people: readonly Participant[],
    actions: PeopleActions,
  ): TemplateResult | typeof nothing {
    const { visit, t, host } = view;
    const { localParticipant: self } = visit;
    if (people.length === 0) return nothing;
    const title = place === MAIN_ROOM ? 'inVisit' : place === HOLD ? 'onHold' : 'privateTalk';
    const mayCall =
      place !== MAIN_ROOM && self.grants.has(place === HOLD ? 'hold' : 'private-room');
    const mayEnter = isPrivate(people[0] as Participant) && self.place !== place && mayCall;
    const move = (ids: ParticipantId[], target: MoveTarget): void =>
      host.run(visit.moveTo(ids, target));
    return html`<section class="group" data-place=${place} aria-label=${t(title)}>
      <header>
        <h3>${icons[place === MAIN_ROOM ? 'people' : place === HOLD ? 'pause' : 'lock']}${t(title)} <span class="count">${people.length}</span></h3>
        ${buttons([
          mayEnter && {
            action: 'enter',
            label: t('enter'),
            onClick: () => move([self.id], { type: 'room', room: place }),
          },
          mayCall && {
            action: 'call-back',
            label: t('callBack'),
            about: t(title),
            onClick: () =>
              move(
                people.map(({ id }) => id),
                { type: 'main' },
              ),
          },
        ])}
      </header>
      <ul role="list">
        ${repeat(
          people,
          ({ id }) => id,
          (one) => this.#person(view, one, actions),
        )}
      </ul>
    </section>`;
  }

  #person(view: View, one: Participant, actions: PeopleActions): TemplateResult {
    const { visit, t, host } = view;
    const { grants } = visit.localParticipant;
    const { id } = one;
    const deeds = one.isLocal
      ? []
      : actionsOn(view, one, {
          write: actions.write,
          remove: () => {
            this.removing = id;
            this.#changed();
            host.open('remove');
          },
        });
    const isOpen = this.#open === id;
    const mayMove = !one.isLocal && (grants.has('hold') || grants.has('private-room'));
    return html`<li class="person" data-person=${id}>
      ${
        mayMove
          ? html`<label class="check">
              <input type="checkbox" .checked=${this.#selected.has(id)} data-action="select" @change=${(
                event: Event,
              ) => {
                if ((event.target as HTMLInputElement).checked) this.#selected.add(id);
                else this.#selected.delete(id);
                this.#changed();
              }} />
              ${this.#who(view, one)}
            </label>`
          : this.#who(view, one)
      }
      ${
        deeds.length > 0
          ? html`<button type="button" class="icon-button" data-action="actions" aria-expanded=${isOpen} aria-label=${t('actionsFor', { name: view.name(id) })} @click=${() => {
              this.#open = isOpen ? undefined : id;
              this.#changed();
            }}>${icons.more}</button>`
          : nothing
      }
      ${
        isOpen && deeds.length > 0
          ? html`<div class="deeds">
              ${buttons(deeds)}
            </div>`
          : nothing
      }
    </li>`;
  }

  #who({ visit, t, texts, name }: View, one: Participant, more = ''): TemplateResult {
    const called = name(one.id);
    const role = texts.roles[one.role];
    const muted = one.state === 'admitted' && !isSending(one, 'microphone');
    const signs = one.signs ? t('signs') : '';
    const answers = visit.responsible?.id === one.id ? t('responsible') : '';
    const details = [called === role ? '' : role, answers, signs, more].filter(Boolean).join(' · ');
    return html`<span class="who">
      <span class="name" dir="auto">${called}</span>
      ${one.handRaisedAt === undefined ? nothing : html`<span class="raised" title=${t('handRaised')}>${icons.hand}<span class="hidden">${t('handRaised')}</span></span>`}
      ${muted ? html`<span class="quiet-mic">${icons.micOff}<span class="hidden">${t('muted')}</span></span>` : nothing}
      <small>${details}</small>
    </span>`;
  }

  #selection(view: View): TemplateResult | typeof nothing {
    const { visit, t, host } = view;
    const chosen = this.selected(visit);
    if (chosen.length === 0) return nothing;
    const { grants } = visit.localParticipant;
    const room = (withSelf: boolean) => () => this.move(view, { type: 'room' }, withSelf);
    return html`<div class="selection" role="group" aria-label=${t('selected', { count: String(chosen.length) })}>
      <b>${t('selected', { count: String(chosen.length) })}</b>
      ${buttons([
        grants.has('private-room') && {
          action: 'private',
          label: t('privateStart'),
          primary: true,
          onClick: room(true),
        },
        grants.has('private-room') &&
          chosen.length > 1 && {
            action: 'private-without',
            label: t('privateWithout'),
            onClick: room(false),
          },
        grants.has('hold') && {
          action: 'hold',
          label: t('putOnHold'),
          onClick: () => host.open('hold'),
        },
        chosen.some(({ place }) => place !== MAIN_ROOM) && {
          action: 'back',
          label: t('callBack'),
          onClick: () => this.move(view, { type: 'main' }),
        },
      ])}
    </div>`;
  }
}

/** For how long somebody waits, in whole minutes. */
function since({ t }: View, { waitingSince }: Participant): string {
  if (waitingSince === undefined) return '';
  const minutes = Math.floor((Date.now() - waitingSince) / MINUTE_MS);
  return minutes < 1 ? t('justNow') : t('waitsFor', { minutes: String(minutes) });
}
