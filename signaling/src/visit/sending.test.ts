import type { ParticipantId, ProducerId, RequestId } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { decide } from './decide.ts';
import { join, visitWith } from './examples.ts';

const participant = 'provider' as ParticipantId;
const producer = 'exam' as ProducerId;

test('the ledger has when an exam camera began and ended, and whose it was', () => {
  const visit = visitWith({}, join(participant, 'provider'));
  const request = 'exam' as RequestId;
  const source = 'exam' as const;
  const opened = decide(visit, {
    type: 'produce',
    now: 3_000,
    participant,
    request,
    producer,
    source,
    paused: false,
  });
  if (!opened.ok) throw new Error(opened.code);
  expect(opened.events).toEqual([{ type: 'producer-opened', at: 3_000, participant, source }]);
  const closed = decide(opened.visit, {
    type: 'close-producer',
    now: 4_000,
    participant,
    producer,
  });
  expect(closed).toMatchObject({
    ok: true,
    events: [{ type: 'producer-closed', at: 4_000, participant, source }],
  });
});
