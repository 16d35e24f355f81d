import type { LanguageTag } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { TextKey } from '../texts/index.ts';
import { dialog } from './dialog.ts';
import { icons } from './icons.ts';
import type { View } from './view.ts';

/** What signers call their languages, everywhere: browsers have no names for them. */
const SIGNED: Readonly<Record<string, string>> = {
  ase: 'ASL',
  asf: 'Auslan',
  bfi: 'BSL',
  bzs: 'Libras',
  csl: 'CSL',
  dse: 'NGT',
  fcs: 'LSQ',
  fsl: 'LSF',
  gsg: 'DGS',
  ise: 'LIS',
  jsl: 'JSL',
  mfs: 'LSM',
  ssp: 'LSE',
};

/** Those that are asked for most in clinics. */
const SPOKEN =
  'am ar bn de en es fa fr gu hi hmn ht hy it ja km ko lo my ne pa pl ps pt ru so sw ta te th tl uk ur vi yue zh';

const OFFERED = [...SPOKEN.split(' '), ...Object.keys(SIGNED)] as LanguageTag[];

/** How much originals are turned down under an interpreter, in decibels. -15 is the plan's own choice. */
const DUCKS = [
  [0, 'duckNot'],
  [-6, 'duckLittle'],
  [-15, 'duckMore'],
  [-30, 'duckMuch'],
  [-60, 'duckSilent'],
] as const satisfies [number, TextKey][];
const DUCK_DEFAULT = -15;

/** The one that is nearest: a page of one's own may have chosen any. */
const duckOf = (db: number): number =>
  DUCKS.reduce((best, [each]) => (Math.abs(each - db) < Math.abs(best - db) ? each : best), 0);

/** A language in the language of the texts, its tag where it has no name there. */
export const languageName = ({ t, texts }: View, tag: LanguageTag): string =>
  SIGNED[tag]
    ? t('signed', { name: SIGNED[tag] })
    : (new Intl.DisplayNames(texts.lang, { type: 'language' }).of(tag) ?? tag);

/** What oneself speaks and follows, and how one hears an interpreter; how the visit is interpreted, for who may say so. */
export function languagesDialog(view: View): TemplateResult {
  const { visit, t, host } = view;
  const { localParticipant: self } = visit;
  const mayMode = self.grants.has('interpret') || self.grants.has('admit');
  const duck = duckOf(self.duckDb ?? DUCK_DEFAULT);
  const checked = (event: Event): boolean => (event.target as HTMLInputElement).checked;
  const value = (event: Event): string => (event.target as HTMLSelectElement).value;
  return dialog(
    view,
    'languages',
    t('languages'),
    html`${chosen(view, 'speaks')} ${chosen(view, 'hears')}
      <label class="check">
        <input type="checkbox" data-action="signs" .checked=${self.signs} @change=${(event: Event) => host.run(visit.setLanguages({ signs: checked(event) }))} />
        <span><b>${t('iSign')}</b><small>${t('iSignHint')}</small></span>
      </label>
      <label class="field"><span>${t('duck')}</span>
        <select part="select" data-action="duck" @change=${(event: Event) => host.run(visit.setLanguages({ duckDb: Number(value(event)) }))}>
          ${DUCKS.map(([db, text]) => html`<option value=${db} .selected=${db === duck}>${t(text)}</option>`)}
        </select>
      </label>
      ${
        mayMode
          ? html`<label class="field"><span>${t('interpretingMode')}</span>
              <select part="select" data-action="interpreting" @change=${(event: Event) => host.run(visit.setInterpreting(value(event) as 'consecutive' | 'simultaneous'))}>
                ${(['consecutive', 'simultaneous'] as const).map((mode) => html`<option value=${mode} .selected=${mode === visit.interpreting}>${t(mode)}</option>`)}
              </select>
            </label>`
          : nothing
      }
      <footer><button type="submit" class="primary">${t('done')}</button></footer>`,
  );
}

/** A list of languages, of which each can be taken out, and others added. */
function chosen(view: View, which: 'speaks' | 'hears'): TemplateResult {
  const { visit, t, texts, host } = view;
  const mine = visit.localParticipant[which];
  const title = t(which === 'speaks' ? 'iSpeak' : 'iUnderstand');
  const named = (tag: LanguageTag): string => languageName(view, tag);
  const set = (tags: readonly LanguageTag[]): void =>
    host.run(visit.setLanguages({ [which]: tags }));
  const offered = OFFERED.filter((tag) => !mine.includes(tag));
  return html`<div class="field" role="group" aria-label=${title}>
    <span aria-hidden="true">${title}</span>
    ${
      mine.length > 0
        ? html`<ul class="chips" role="list">
            ${mine.map(
              (tag) =>
                html`<li><span lang=${texts.lang}>${named(tag)}</span><button type="button" class="icon-button" data-action="remove-${tag}" aria-label=${t('languageRemove', { language: named(tag) })} @click=${() => set(mine.filter((one) => one !== tag))}>${icons.close}</button></li>`,
            )}
          </ul>`
        : nothing
    }
    <select part="select" data-action="add-${which}" aria-label="${title}: ${t('languageAdd')}" @change=${(
      event: Event,
    ) => {
      const select = event.target as HTMLSelectElement;
      if (select.value) set([...mine, select.value as LanguageTag]);
      select.value = '';
    }}>
      <option value="">${t('languageAdd')}</option>
      ${offered.map((tag) => html`<option value=${tag}>${named(tag)}</option>`)}
    </select>
  </div>`;
}
