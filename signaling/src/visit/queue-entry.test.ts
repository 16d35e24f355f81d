import type { LanguageTag, ParticipantId } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { onHistories, personOf } from './arbitrary.ts';
import { after, by, join, visitWith } from './examples.ts';
import { queueEntryOf } from './queue-entry.ts';
import { present, type Visit } from './state.ts';

const entryOf = (visit: Visit) => queueEntryOf(visit, () => undefined);
const speaking = (id: string, role: 'patient' | 'provider' | 'interpreter', lang?: LanguageTag) =>
  join(id, role, { ...personOf(id, role), name: 'Ana Alba', lang });
const speak = (id: string, ...speaks: string[]) =>
  ({ type: 'set-languages', now: 2_100, by: by(id), speaks }) as const;

test('there is an entry exactly while somebody waits: all who do, who waits longest first', () => {
  onHistories((moments) => {
    for (const { before, after: visit } of moments) {
      if (before === visit) continue;
      const waiting = present(visit).filter(({ state }) => state === 'waiting');
      const entry = entryOf(visit);
      expect(entry?.waiting.map(({ participantId }) => participantId).toSorted() ?? []).toEqual(
        waiting.map(({ id }) => id).toSorted(),
      );
      const times = entry?.waiting.map(({ since }) => since) ?? [];
      expect(times).toEqual(times.toSorted((one, other) => one - other));
      expect(entry === undefined).toBe(waiting.length === 0);
    }
  });
});

test('an entry says for whom, since when and with which connection somebody waits, and no name', () => {
  const visit = visitWith(
    { admission: 'on-admit', provider: 'ana' as ParticipantId },
    speaking('patient', 'patient', 'es'),
  );
  expect(queueEntryOf(visit, () => 2)).toEqual({
    visit: visit.visit,
    kind: 'visit',
    state: 'open',
    provider: 'ana',
    waiting: [
      {
        participantId: 'patient',
        role: 'patient',
        since: 2_000,
        languages: ['es'],
        needs: { interpreter: false, signLanguage: false },
        connection: 'connected',
        quality: 2,
      },
    ],
    attended: false,
  });
});

describe('who waits needs', () => {
  const needsOf = (visit: Visit) => entryOf(visit)?.waiting.at(-1)?.needs;
  const attended = visitWith({ admission: 'on-admit' }, speaking('provider', 'provider', 'en'));
  const interpreted = after(
    attended,
    speaking('interpreter', 'interpreter'),
    speak('interpreter', 'en', 'es', 'ase'),
    { type: 'admit', now: 2_200, by: by('provider') },
  );

  test.each<[string, LanguageTag | undefined, Visit, boolean, boolean]>([
    ['nobody, with a language of who treats', 'en-GB', attended, false, false],
    ['an interpreter, with none', 'es', attended, true, false],
    ['none more, where one for them is there', 'es', interpreted, false, false],
    ['another, where the one who is there has other languages', 'so', interpreted, true, false],
    ['nobody as far as is known, with no language at all', undefined, attended, false, false],
    ['an interpreter who signs, where they sign', 'ase', attended, true, true],
    ['none more who signs, where one is there', 'ase', interpreted, false, true],
  ])('%s', (_, lang, visit, interpreter, signLanguage) => {
    expect(needsOf(after(visit, speaking('patient', 'patient', lang)))).toEqual({
      interpreter,
      signLanguage,
    });
  });
});
