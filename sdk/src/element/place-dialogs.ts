import { html, nothing, type TemplateResult } from 'lit';
import { closeDialog, confirmDialog, dialog } from './dialog.ts';
import type { PeoplePanel } from './people-panel.ts';
import type { View } from './view.ts';

/** Characters of a notice, as the gateway takes them. */
const LONGEST_NOTICE = 200;

/** What those who are put on hold are told, and whether they hear music. */
export function holdDialog(view: View, people: PeoplePanel): TemplateResult {
  const { visit, t } = view;
  const names = people.selected(visit).map(({ id }) => view.name(id));
  return dialog(
    view,
    'hold',
    t('putOnHold'),
    html`<p dir="auto">${names.join(', ')}</p>
      <label class="field"><span>${t('holdNotice')}</span>
        <input type="text" name="notice" maxlength=${LONGEST_NOTICE} dir="auto" />
      </label>
      <label class="check"><input type="checkbox" name="music" checked /><span><b>${t('holdMusic')}</b></span></label>
      <footer>
        <button type="button" class="secondary" @click=${closeDialog}>${t('cancel')}</button>
        <button type="submit" class="primary" data-action="confirm-hold" @click=${({
          target,
        }: Event) => {
          const given = new FormData((target as HTMLButtonElement).form ?? undefined);
          const notice = String(given.get('notice') ?? '').trim();
          const audio = given.has('music') ? 'music' : 'none';
          people.move(view, { type: 'hold', audio, ...(notice ? { notice } : {}) });
        }}>${t('putOnHold')}</button>
      </footer>`,
  );
}

/** Asks before somebody is sent away: they can not come back. */
export function removeDialog({ visit, t, name, host }: View, people: PeoplePanel): TemplateResult {
  const { removing } = people;
  return confirmDialog(
    'remove',
    t('removeConfirm', { name: removing === undefined ? '' : name(removing) }),
    t('removeConfirmHint'),
    [
      { action: 'cancel-remove', label: t('cancel') },
      {
        action: 'confirm-remove',
        label: t('remove'),
        danger: true,
        onClick: () => {
          if (removing !== undefined) host.run(visit.remove(removing));
        },
      },
    ],
  );
}

/** Asks whether one takes the visit over; who closes it finds the question above the visit. */
export function handOverDialog({ visit, t, name, host }: View): TemplateResult {
  const answer = (accept: boolean) => () => host.run(visit.answerHandOver(accept));
  return confirmDialog(
    'hand-over',
    t('handOverAsked', { name: name(visit.handOverOffer?.from) }),
    t('handOverHint'),
    [
      { action: 'refuse', label: t('decline'), onClick: answer(false) },
      { action: 'take-over', label: t('accept'), primary: true, onClick: answer(true) },
    ],
  );
}

/** What oneself sees on hold, in place of the others. */
export function onHold({ visit, t, host }: View, emblem: TemplateResult): TemplateResult {
  const { hold } = visit.localParticipant;
  const music = visit.sounds.hold;
  return html`<div class="message quiet held" part="hold">
    <div class="emblem" aria-hidden="true">${emblem}</div>
    <h2>${t('youAreOnHold')}</h2>
    ${hold?.notice ? html`<p class="said" dir="auto">${hold.notice}</p>` : nothing}
    <p>${t('onHoldHint')}</p>
    ${
      hold?.audio === 'music'
        ? html`<button type="button" class="secondary" data-action="hold-music" aria-pressed=${!music.muted} @click=${() => {
            music.muted = !music.muted;
            host.update();
          }}>${t(music.muted ? 'musicOn' : 'musicOff')}</button>`
        : nothing
    }
  </div>`;
}
