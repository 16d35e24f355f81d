/**
 * What runs in the page of the element's browser tests: `<bedside-visit>` on visits without a network.
 * `bundle.ts` makes one script of it.
 */
import { BedsideError, type ErrorCode, type Grant, type Role } from '@bedside/protocol';
import { en } from '../../texts/en.ts';
import { VisitElement } from '../element.ts';
import { type FakePerson, FakeVisit } from './fake-visit.ts';

export interface Scene {
  role?: Role;
  grants?: Grant[];
  name?: string;
  attributes?: Record<string, string>;
  /** Each attempt to open a device fails with it. */
  deviceError?: ErrorCode;
  /** Connecting fails with it. */
  connectError?: ErrorCode;
  /** In the visit, with these others; without it the page before the visit is shown. */
  people?: FakePerson[];
}

export const PROVIDER_GRANTS: Grant[] = ['publish-audio', 'publish-video', 'publish-screen', 'end'];

/** A table in a right-to-left language; what it does not say is in English. */
const ar = {
  ...en,
  lang: 'ar',
  dir: 'rtl',
  ui: { ...en.ui, mic: 'الميكروفون', camera: 'الكاميرا', leave: 'مغادرة', you: 'أنت' },
} as const;

function token(role: Role, name: string | undefined): string {
  const claims = {
    iss: 't',
    aud: 'bedside',
    sub: 'self',
    visit: 'v',
    role,
    name,
    exp: 4e9,
    jti: 'j',
  };
  const bytes = new TextEncoder().encode(JSON.stringify(claims));
  return `x.${btoa(String.fromCharCode(...bytes))}.x`;
}

const settled = async (element: VisitElement): Promise<void> => {
  // Devices open and the stage is measured in tasks of their own.
  await new Promise((resolve) => setTimeout(resolve, 0));
  await element.updateComplete;
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  await element.updateComplete;
};

const fixture = {
  /** All that the elements made, in order. */
  visits: [] as FakeVisit[],
  next: (): FakeVisit => new FakeVisit(),

  en: en.ui,

  error: (code: ErrorCode): BedsideError => new BedsideError(code),

  get visit(): FakeVisit {
    return fixture.visits.at(-1) as FakeVisit;
  },

  get element(): VisitElement {
    return document.querySelector('bedside-visit') as VisitElement;
  },

  /** Puts an element into <main>, and into the scene. */
  async mount(scene: Scene = {}): Promise<void> {
    const { role = 'patient', grants, name, deviceError, connectError, people } = scene;
    fixture.next = () => {
      const visit = new FakeVisit(
        role,
        grants ?? (role === 'provider' ? PROVIDER_GRANTS : undefined),
      );
      visit.localParticipant.name = name;
      if (deviceError) visit.deviceError = new BedsideError(deviceError);
      if (connectError) visit.connectError = new BedsideError(connectError);
      return visit;
    };
    const element = document.createElement('bedside-visit') as VisitElement;
    element.texts = [ar];
    const attributes = { url: 'https://visits.invalid', token: token(role, name), lang: 'en' };
    for (const [key, value] of Object.entries({ ...attributes, ...scene.attributes }))
      if (value !== '-') element.setAttribute(key, value);
    document.querySelector('main')?.append(element);
    await settled(element);
    if (people) {
      for (const person of people) fixture.visit.add(person);
      await element.join();
    }
    await settled(element);
  },

  settled: () => settled(fixture.element),

  /** The first in the element that the selector finds. */
  click(selector: string): void {
    const found = fixture.element.shadowRoot?.querySelector<HTMLElement>(selector);
    if (!found) throw new Error(`nothing is ${selector}`);
    found.click();
  },
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
  class extends VisitElement {
    protected override createVisit(): FakeVisit {
      const visit = window.fixture.next();
      window.fixture.visits.push(visit);
      return visit;
    }
  },
);
