/**
 * What runs in the page of the element's browser tests: `<bedside-visit>` on a FakeVisit. Each element
 * that gets a `url` and a token makes one; `fixture.visits` has them, the newest last.
 */
import { BedsideError, type ErrorCode } from '@bedside/protocol';
import { en } from '../../texts/en.ts';
import { BedsideVisitElement } from '../element.ts';
import { FakeVisit } from './fake-visit.ts';

const fixture = {
  visits: [] as FakeVisit[],
  /** Makes the next elements' visits; a test sets it for another role or for failures. */
  makeVisit: (): FakeVisit => new FakeVisit(),
  FakeVisit,
  en,
  error: (code: ErrorCode): BedsideError => new BedsideError(code),
};
export type Fixture = typeof fixture;

declare global {
  interface Window {
    fixture: Fixture;
  }
}
window.fixture = fixture;

customElements.define(
  'bedside-visit',
  class extends BedsideVisitElement {
    protected override createVisit(): FakeVisit {
      const visit = window.fixture.makeVisit();
      window.fixture.visits.push(visit);
      return visit;
    }
  },
);
