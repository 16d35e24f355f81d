import type { InviteId, Role } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { Invitation } from '../types.ts';
import { buttons } from './act.ts';
import { clock } from './chat-panel.ts';
import { closeDialog, dialog } from './dialog.ts';
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

/** Invites one person more by a link. */
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
        <div><button type="submit" class="primary" data-action="create-invite" @click=${(
          event: Event,
        ) => {
          // The link is shown here.
          event.preventDefault();
          host.run(this.#create(view, form(event), linkOf));
        }}>${t('inviteCreate')}</button></div>
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
        <footer><button type="button" class="secondary" @click=${closeDialog}>${t('done')}</button></footer>`,
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
