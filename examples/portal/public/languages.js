import { el, pageLanguage } from './page.js';

/** What one can choose here, by BCP 47 tag, under its own name; the signed ones last. */
export const LANGUAGES = [
  ['en', 'English'],
  ['es', 'Español'],
  ['ar', 'العربية'],
  ['fr', 'Français'],
  ['so', 'Soomaali'],
  ['uk', 'Українська'],
  ['vi', 'Tiếng Việt'],
  ['zh', '中文'],
  ['ase', 'American Sign Language'],
  ['mfs', 'Lengua de señas mexicana'],
];
const SIGNED = new Set(['ase', 'mfs']);

export const isSigned = (tag) => SIGNED.has(tag);

/** In the language of the page, as it begins a line. */
export function languageName(tag) {
  try {
    const name = new Intl.DisplayNames(pageLanguage(), { type: 'language' }).of(tag);
    if (name && name !== tag) return name[0].toLocaleUpperCase(pageLanguage()) + name.slice(1);
  } catch {
    // Not a tag: as it stands.
  }
  return LANGUAGES.find(([known]) => known === tag)?.[1] ?? tag;
}

export const languageOptions = (chosen) =>
  LANGUAGES.map(([value, name]) =>
    el('option', { value, lang: value, selected: value === chosen ? '' : undefined }, name),
  );

/** Boxes to tick, named `languages`. */
export const languageBoxes = (chosen) =>
  LANGUAGES.map(([value, name]) => {
    const box = el('input', { type: 'checkbox', name: 'languages', value });
    box.checked = chosen.includes(value);
    return el('label', { class: 'tick' }, box, el('span', { lang: value }, name));
  });
