import {
  LIMITS,
  type ParticipantId,
  type QualityChange,
  type QualityEvidence,
} from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { type Command, decide } from './decide.ts';
import { after, by, join, visitWith } from './examples.ts';
import type { Visit } from './state.ts';

const idOf = (index: number) => `signer-${index}` as ParticipantId;
const crowd = Array.from({ length: 40 }, (_, index) => idOf(index));
const visit = visitWith(
  {},
  join('provider', 'provider'),
  join('viewer', 'patient'),
  ...crowd.map((id) => join(id, 'patient')),
);

const breached = (is: boolean, participantId = idOf(0)): QualityChange => ({
  participantId,
  what: 'frame-rate',
  value: 12,
  threshold: 20,
  breached: is,
});
const numbers = { samples: 1, min: 1, p5: 1, median: 1, p95: 1, max: 1 };
const measured = (participantId: ParticipantId, seconds = 1): QualityEvidence => ({
  participantId,
  seconds,
  framesPerSecond: numbers,
  shortSide: numbers,
  offsetMs: numbers,
  freezes: 0,
  frozenSeconds: 0,
  secondsBreached: { 'frame-rate': 0, freezes: 0, resolution: 0, sync: 0 },
});
const report = (
  viewer: string,
  changes: readonly QualityChange[],
  evidence: readonly QualityEvidence[] = [],
): Command => ({ type: 'report-quality', now: 3_000, by: by(viewer), changes, evidence });

const outcome = (of: Visit, command: Command) => {
  const decision = decide(of, command);
  if (!decision.ok) throw new Error(decision.code);
  const { events, effects } = decision;
  return { visit: decision.visit, events: events.length, told: effects.length };
};

describe('that somebody sees badly', () => {
  const bad = after(visit, report('viewer', [breached(true)]));

  test('is recorded and told once, until it is well again', () => {
    const first = outcome(visit, report('viewer', [breached(true), breached(true)]));
    expect([first.events, first.told]).toEqual([1, 1]);
    expect(outcome(bad, report('viewer', [breached(true)]))).toEqual({
      visit: bad,
      events: 0,
      told: 0,
    });
    const well = outcome(bad, report('viewer', [breached(false)]));
    expect([well.events, well.told]).toEqual([1, 1]);
    expect(outcome(well.visit, report('viewer', [breached(false)])).visit).toBe(well.visit);
    expect(outcome(visit, report('viewer', [breached(false)])).visit).toBe(visit);
  });

  test('is what each page of theirs begins with anew', () => {
    const other = { ...join('viewer', 'patient'), session: 'another page', request: 'r' as never };
    const { events, told } = outcome(after(bad, other), report('viewer', [breached(true)]));
    expect([events, told]).toEqual([1, 1]);
  });

  test('is told and no more recorded when they have said so too often, whatever page they open', () => {
    let now = visit;
    let [recorded, told] = [0, 0];
    for (let time = 0; time < 300; time++) {
      const said = outcome(now, report('viewer', [breached(time % 2 === 0)]));
      recorded += said.events;
      told += said.told;
      now = said.visit;
      if (time % 50 === 49)
        now = after(now, {
          ...join('viewer', 'patient'),
          session: `page ${time}`,
          request: `join ${time}` as never,
        });
    }
    expect([recorded, told]).toEqual([100, 300]);
    expect(outcome(now, report(idOf(1), [breached(true)])).events).toBe(1);
  });

  test('is of no more pictures at a time than one page keeps', () => {
    const all = outcome(
      visit,
      report(
        'viewer',
        crowd.map((id) => breached(true, id)),
      ),
    );
    expect([all.events, all.told]).toEqual([LIMITS.evidencePerViewer, LIMITS.evidencePerViewer]);
  });
});

describe('what a page measured', () => {
  const of = ({ evidence = [] }: Visit, viewer: string) =>
    evidence.flatMap((each) => (each.viewer === viewer ? [each.participantId] : []));
  const all = (viewer: string) =>
    report(
      viewer,
      [],
      crowd.map((id) => measured(id)),
    );

  test('is bounded for itself, the newest last, and takes no room from another’s', () => {
    const some = after(visit, report('viewer', [], [measured(idOf(0)), measured(idOf(1))]));
    const flooded = after(some, ...crowd.map((id) => all(id)));
    expect(of(flooded, 'viewer')).toEqual([idOf(0), idOf(1)]);
    expect(flooded.evidence).toHaveLength(LIMITS.evidencePerVisit);
    const one = after(some, all('provider'));
    expect(of(one, 'provider')).toEqual(crowd.slice(-LIMITS.evidencePerViewer));
  });

  test('is replaced by what it measured since; the same again is no change', () => {
    const once = after(visit, report('viewer', [], [measured(idOf(0))]));
    const twice = after(once, report('viewer', [], [measured(idOf(0), 2)]));
    expect(twice.evidence).toEqual([{ viewer: 'viewer', ...measured(idOf(0), 2) }]);
    expect(after(twice, report('viewer', [], [measured(idOf(0), 2)]))).toBe(twice);
  });
});
