import type { Visit } from './state.ts';

/** A page sends again what had no answer, for less than this. */
const REMEMBERED_MS = 60_000;
const REMEMBERED = 256;

/** Whether the request was carried out already, by this gateway or one before. */
export const isDone = ({ done }: Visit, request: string): boolean =>
  done?.some((each) => each.request === request) ?? false;

/** The visit, which knows that the request was carried out. */
export function withDone(visit: Visit, request: string, now: number): Visit {
  const recent = visit.done?.filter(({ at }) => Math.abs(now - at) < REMEMBERED_MS) ?? [];
  return { ...visit, done: [...recent, { request, at: now }].slice(-REMEMBERED) };
}
