/** Times and durations in the language of the page. */
import { pageLanguage, t } from './page.js';

export const clock = (time) =>
  new Intl.DateTimeFormat(pageLanguage(), { timeStyle: 'medium' }).format(new Date(time));

export const day = (time) =>
  new Intl.DateTimeFormat(pageLanguage(), { dateStyle: 'full' }).format(new Date(time));

/** Of all of the periods together, up to now for one that goes on; milliseconds. */
export const length = (periods) =>
  periods.reduce(
    (sum, { from, to }) => sum + ((to ? Date.parse(to) : Date.now()) - Date.parse(from)),
    0,
  );

/** "12 min 5 s" */
export const lasting = (periods) => duration(length(periods));

/** @param ms milliseconds */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 3600), 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ].filter(
    ([value], index, all) => value > 0 || (index === 2 && all.every(([each]) => each === 0)),
  );
  return parts
    .slice(0, 2)
    .map(([value, unit]) =>
      new Intl.NumberFormat(pageLanguage(), { style: 'unit', unit, unitDisplay: 'short' }).format(
        value,
      ),
    )
    .join(' ');
}

/** For how long, to the minute, as it stands in a list that counts by itself. */
export function waited(since, now) {
  const minutes = Math.floor(Math.max(0, now - since) / 60_000);
  return minutes === 0 ? t('times.justNow') : duration(minutes * 60_000);
}
