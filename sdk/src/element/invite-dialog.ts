import type { InviteId, LanguageTag, Role } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { Invitation } from '../types.ts';
import { buttons } from './act.ts';
import { clock } from './chat-panel.ts';
import { dialog } from './dialog.ts';
import { languageName } from './languages-dialog.ts';
import type { View } from './view.ts';

const ROLES: readonly Role[] = [
  'interpreter',
  'specialist',
  'caregiver',
  'patient',
  'provider',
  'observer',
];

/** Makes a link of an invitation; undefined where the page sends it by itself. */
export type LinkOf = (invitation: Invitation, role: Role) => Promise<string | undefined>;

/** Languages that an interpreter is called for most. */
const CALLED = 'es zh vi ar fr pt ru ko ht so tl uk fa ase'.split(' ') as LanguageTag[];

/** Invites one person more by a link, or calls somebody who is on call. */
export class InviteDialog {
  readonly #changed: () => void;
  readonly #links = new Map<InviteId, string>();
  #copied: InviteId | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  clear(): void {
    this.#links.clear();
  }

  render(view: View, linkOf: LinkOf): TemplateResult {
    const { visit, t, texts, host } = view;
    const open = visit.invites.filter(({ state }) => state === 'open');
    const form = ({ target }: Event): FormData =>
      new FormData((target as HTMLButtonElement).form ?? undefined);
    return dialog(
      view,
      'invite',
      t('invite'),
      html`<label class="field"><span>${t('role')}</span>
          <select part="select" name="role">${ROLES.map((role) => html`<option value=${role}>${texts.roles[role]}</option>`)}</select>
        </label>
        <label class="field"><span>${t('inviteName')}</span>
          <input type="text" name="name" maxlength="80" dir="auto" autocomplete="off" />
        </label>
        <label class="check"><input type="checkbox" name="knock" /><span><b>${t('knock')}</b><small>${t('knockHint')}</small></span></label>
        <div>${buttons([{ action: 'create-invite', label: t('inviteCreate'), primary: true, onClick: (event) => host.run(this.#create(view, form(event), linkOf)) }])}</div>
        ${
          open.length > 0
            ? html`<ul class="invites" role="list">
                ${open.map(
                  ({ inviteId, role, name, expiresAt }) => html`<li data-invite=${inviteId}>
                    <span class="who"><span class="name" dir="auto">${name || texts.roles[role]}</span><small>${t('validUntil', { time: clock(texts.lang, expiresAt) })}</small></span>
                    <span class="deeds">
                      ${this.#link(view, inviteId)}
                      ${buttons([{ action: 'revoke', label: t('revoke'), onClick: () => host.run(visit.revokeInvite(inviteId)) }])}
                    </span>
                  </li>`,
                )}
              </ul>`
            : nothing
        }
        <fieldset>
          <legend>${t('callTitle')}</legend>
          <label class="field"><span>${t('callLanguage')}</span>
            <select part="select" name="language">${CALLED.map((tag) => html`<option value=${tag}>${languageName(view, tag)}</option>`)}</select>
          </label>
          <button type="submit" class="secondary" data-action="call-interpreter" @click=${(
            event: Event,
          ) =>
            host.run(
              visit.call({
                role: 'interpreter',
                groups: [{ language: String(form(event).get('language')) as LanguageTag }],
              }),
            )}>${t('callInterpreter')}</button>
          <label class="field"><span>${t('callSpecialty')}</span>
            <input type="text" name="specialty" maxlength="128" autocomplete="off" />
          </label>
          <button type="submit" class="secondary" data-action="call-specialist" @click=${(
            event: Event,
          ) => {
            const specialty = String(form(event).get('specialty')).trim();
            host.run(
              visit.call({
                role: 'specialist',
                groups: [specialty ? { specialty } : { role: 'specialist' }],
              }),
            );
          }}>${t('callSpecialist')}</button>
        </fieldset>
        <footer><button type="submit" class="secondary">${t('done')}</button></footer>`,
    );
  }

  #link({ t, host }: View, inviteId: InviteId): TemplateResult | typeof nothing {
    const link = this.#links.get(inviteId);
    if (link === undefined) return nothing;
    return html`<input type="text" class="link" readonly aria-label=${t('invite')} .value=${link} @focus=${({ target }: Event) => (target as HTMLInputElement).select()} />
      ${buttons([
        {
          action: 'copy',
          label: t(this.#copied === inviteId ? 'copied' : 'copy'),
          primary: true,
          onClick: () =>
            host.run(
              navigator.clipboard.writeText(link).then(() => {
                this.#copied = inviteId;
                host.say(t('copied'));
              }),
            ),
        },
      ])}`;
  }

  async #create({ visit, t, host }: View, given: FormData, linkOf: LinkOf): Promise<void> {
    const role = String(given.get('role')) as Role;
    const name = String(given.get('name') ?? '').trim();
    const invitation = await visit.invite({
      role,
      knock: given.has('knock'),
      ...(name ? { name } : {}),
    });
    const link = await linkOf(invitation, role);
    if (link !== undefined) this.#links.set(invitation.inviteId, link);
    host.say(t('inviteMade'));
    this.#changed();
  }
}
