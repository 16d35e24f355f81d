import { describe, expect, it } from 'vitest';
import { Visit } from './visit.ts';

describe('Visit', () => {
  it.each(['connectionStateChanged', 'disconnected'] as const)(
    'a connect() within `%s` is not answered by the session that just ended',
    async (event) => {
      const visit = new Visit({ url: '', tokenProvider: () => new Promise<string>(() => {}) });
      const outcomes: string[] = [];
      const connect = (name: string) =>
        visit.connect().catch((error: { code: string }) => outcomes.push(`${name} ${error.code}`));
      let again = false;
      visit.on(event, () => {
        if (visit.state !== 'disconnected' || again) return;
        again = true;
        void connect('second');
      });
      void connect('first');
      await visit.leave();
      await new Promise((resolve) => setTimeout(resolve));
      expect([visit.state, outcomes]).toEqual(['connecting', ['first not-joined']]);
      await visit.leave();
    },
  );
});
