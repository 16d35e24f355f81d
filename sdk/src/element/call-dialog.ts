import { type LanguageTag, type Role, sameLanguage } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { Need, VisitApi } from '../types.ts';
import { buttons } from './act.ts';
import { dialog } from './dialog.ts';
import { languageName } from './languages-dialog.ts';
import { shown } from './people.ts';
import type { View } from './view.ts';

/** A specialty that can be called: the tag that the clinic's tokens have, and how it is read. */
export interface Specialty {
  readonly tag: string;
  readonly label: string;
}

const ROLES: readonly Role[] = ['interpreter', 'specialist', 'provider'];
/** Languages that an interpreter is called for most. */
const CALLED = 'es zh vi ar fr pt ru ko ht so tl uk fa ase mfs'.split(' ') as LanguageTag[];
const MOST_GROUPS = 3;
const RING_S = [15, 30, 60, 120];

/** Calls who is on call: whom first, whom then, for how long. */
export class CallDialog {
  readonly #changed: () => void;
  #groups = 1;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  render(view: View, specialties: readonly Specialty[] | undefined): TemplateResult {
    const { visit, t, texts, host } = view;
    const wanted = notUnderstood(visit);
    const role = wanted ? 'interpreter' : 'specialist';
    const groups = Array.from({ length: this.#groups }, (_, at) => at);
    return dialog(
      view,
      'call',
      t('callTitle'),
      html`<label class="field"><span>${t('role')}</span>
          <select part="select" name="role">${ROLES.map((each) => html`<option value=${each} .selected=${each === role}>${texts.roles[each]}</option>`)}</select>
        </label>
        ${groups.map((at) => this.#group(view, at, at === 0 ? wanted : undefined, specialties))}
        <div class="deeds">${buttons([
          this.#groups < MOST_GROUPS && {
            action: 'add-group',
            label: t('callAdd'),
            onClick: () => this.#set(this.#groups + 1),
          },
          this.#groups > 1 && {
            action: 'remove-group',
            label: t('callRemove'),
            onClick: () => this.#set(this.#groups - 1),
          },
        ])}</div>
        <label class="field"><span>${t('callRingFor')}</span>
          <select part="select" name="ring">${RING_S.map((s) => html`<option value=${s} .selected=${s === 30}>${t('seconds', { count: String(s) })}</option>`)}</select>
        </label>
        <footer>
          <button type="submit" class="primary" data-action="start-call" @click=${({
            target,
          }: Event) => {
            const given = new FormData((target as HTMLButtonElement).form ?? undefined);
            host.run(
              visit.call({
                role: String(given.get('role')) as Role,
                groups: groups.map((at) => needOf(given, at)),
                ringMs: Number(given.get('ring')) * 1000,
              }),
            );
          }}>${t('callStart')}</button>
        </footer>`,
    );
  }

  #group(
    view: View,
    at: number,
    wanted: LanguageTag | undefined,
    specialties: readonly Specialty[] | undefined,
  ): TemplateResult {
    const { t } = view;
    const languages = [...new Set([...(wanted ? [wanted] : []), ...CALLED])];
    return html`<fieldset>
      <legend>${t(at === 0 ? 'callFirst' : 'callThen')}</legend>
      <label class="field"><span>${t('callLanguage')}</span>
        <select part="select" name="language-${at}">
          <option value="">${t('any')}</option>
          ${languages.map((tag) => html`<option value=${tag} .selected=${tag === wanted}>${languageName(view, tag)}</option>`)}
        </select>
      </label>
      <label class="field"><span>${t('callSpecialty')}</span>
        ${
          specialties
            ? html`<select part="select" name="specialty-${at}">
                <option value="">${t('any')}</option>
                ${specialties.map(({ tag, label }) => html`<option value=${tag}>${label}</option>`)}
              </select>`
            : html`<input type="text" name="specialty-${at}" maxlength="128" autocomplete="off" placeholder=${t('any')} />`
        }
      </label>
      ${at === 0 ? html`<small>${t('callHint')}</small>` : nothing}
    </fieldset>`;
  }

  #set(groups: number): void {
    this.#groups = groups;
    this.#changed();
  }
}

function needOf(given: FormData, at: number): Need {
  const read = (name: string): string => String(given.get(`${name}-${at}`) ?? '').trim();
  const language = read('language') as LanguageTag;
  const specialty = read('specialty');
  return { ...(language ? { language } : {}), ...(specialty ? { specialty } : {}) };
}

/** What somebody here speaks that oneself does not follow, while nobody interprets it. */
function notUnderstood({
  localParticipant: self,
  participants,
}: VisitApi): LanguageTag | undefined {
  const others = shown(participants.values());
  const interpreted = others.flatMap(({ role, speaks }) => (role === 'interpreter' ? speaks : []));
  const follows = [...self.hears, ...interpreted];
  return others
    .flatMap(({ speaks }) => speaks.slice(0, 1))
    .find((tag) => follows.length > 0 && !follows.some((each) => sameLanguage(each, tag)));
}
