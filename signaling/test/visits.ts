import { Writable } from 'node:stream';
import type { TenantId, VisitId, VisitKey } from '@bedside/protocol';
import { pino } from 'pino';
import { VisitRegistry } from '../src/actor/registry.ts';
import type { NodeClient } from '../src/nodes/client.ts';
import { Seal } from '../src/store/kept.ts';
import { visitKey } from '../src/store/keys.ts';
import { FakeClinics } from './fake-clinics.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeNode } from './fake-node.ts';
import { FakeStore } from './fake-store.ts';
import { Counts } from './telemetry.ts';

export const GRACE_MS = 20_000;

export const keyOf = (visit = 'visit-1'): VisitKey =>
  visitKey('clinic' as TenantId, visit as VisitId);

/** The visits of a gateway with fakes at every port. Several may share store and node. */
export function createTestVisits(
  parts: { store?: FakeStore; node?: FakeNode; nodes?: NodeClient } = {},
) {
  const { store = new FakeStore(), node = new FakeNode(), nodes = node } = parts;
  const clock = new FakeClock();
  const counts = new Counts();
  const clinics = new FakeClinics();
  const logged: string[] = [];
  const log = pino(
    { level: 'warn' },
    new Writable({
      write(line: Buffer, _encoding, done) {
        logged.push(line.toString());
        done();
      },
    }),
  );
  const visits = new VisitRegistry({
    store,
    nodes,
    clock,
    log,
    telemetry: counts,
    clinics,
    guests: clinics,
    calls: clinics,
    seal: new Seal('a-secret-of-all-gateways-for-tests-01'),
    graceMs: GRACE_MS,
  });
  /** Tells the node's link anew, as after its return. */
  const link = () => {
    for (const each of node.linked()) visits.report({ type: 'linked', node: each });
  };
  return { clinics, visits, store, node, clock, counts, logged, link };
}

/** Past everything that is under way and waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
