import type { CallId, ParticipantId, VisitId } from '@bedside/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, type DrillGateway } from '../../../load-tests/drills/cluster.ts';
import { Visitor } from '../../../load-tests/drills/visitor.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { OnCall } from './on-call.ts';
import type { IncomingCall } from './on-call-types.ts';

const PROVIDER = 'provider' as ParticipantId;
const NEED = { specialty: 'cardiology' };

let cluster: Cluster;
let one: DrillGateway;
let other: DrillGateway;
let tests = 0;
/** New for each test. */
let clinic: string;
let visit: VisitId;
const opened: { close(): unknown }[] = [];

const addressOf = ({ url }: DrillGateway): [port: number, host: string] => {
  const { port, hostname } = new URL(url);
  return [Number(port), hostname];
};

beforeAll(async () => {
  cluster = await Cluster.start();
  one = await cluster.startGateway('gateway-on-call-1');
  other = await cluster.startGateway('gateway-on-call-2');
});

afterAll(async () => {
  await cluster?.stop();
});

beforeEach(() => {
  tests += 1;
  clinic = `clinic-${tests}`;
  visit = `visit-${tests}` as VisitId;
});

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

interface OnCallPage {
  onCall: OnCall;
  /** The next call that rings here. */
  rung(): Promise<IncomingCall>;
  /** Resolves once that call rings here no more, with the reason. */
  ended(call: CallId): Promise<string>;
}

async function signedOn(person: string, url: string): Promise<OnCallPage> {
  const staff = { clinic, person, role: 'specialist', skills: { specialties: ['cardiology'] } };
  const onCall = new OnCall({
    url,
    clinic,
    tokenProvider: () => cluster.clinicToken(staff as never),
  });
  opened.push(onCall);
  const calls: IncomingCall[] = [];
  const ends = new Map<CallId, string>();
  let wake = () => {};
  onCall.on('ring', (call) => {
    calls.push(call);
    wake();
  });
  onCall.on('ringEnded', ({ callId }, reason) => {
    ends.set(callId, reason);
    wake();
  });
  const next = async <Found>(look: () => Found | undefined): Promise<Found> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await onCall.signOn();
  return {
    onCall,
    rung: () => next(() => calls.shift()),
    ended: (call) => next(() => ends.get(call)),
  };
}

/** A provider in a visit of the clinic. */
async function provider(at: DrillGateway, id: VisitId = visit): Promise<Visitor> {
  await cluster.create(at, { visit: id, kind: 'visit', clinic: clinic as never });
  const visitor = await cluster.visitor(at, id, PROVIDER, 'provider');
  await visitor.join();
  return visitor;
}

const call = (visitor: Visitor) =>
  visitor.command('call', { role: 'specialist', groups: [NEED], ringMs: 30_000 });

/** Comes into the visit with what accepting gave. */
async function enter(at: DrillGateway, came: { visit: VisitId; token: string }): Promise<Visitor> {
  const visitor = await Visitor.connect({ url: at.url, ...came });
  opened.push(visitor);
  await visitor.join();
  return visitor;
}

describe('OnCall', () => {
  it('rings two specialists over two gateways; one gets the call and hears the visit, the other that it is taken', async () => {
    const pages = [await signedOn('ana', one.url), await signedOn('ben', other.url)];
    const caller = await provider(one);
    const talking = await caller.talk();
    const { callId } = await call(caller);
    for (const page of pages)
      expect(await page.rung()).toMatchObject({ callId, need: NEED, role: 'specialist' });
    const outcomes = await Promise.all(
      pages.map(({ onCall }) =>
        onCall.accept(callId).then(
          (came) => ({ came, code: undefined }),
          ({ code }) => ({ came: undefined, code }),
        ),
      ),
    );
    expect(outcomes.map(({ code }) => code).toSorted()).toEqual(['call-taken', undefined]);
    const loser = pages[outcomes.findIndex(({ code }) => code !== undefined)] as OnCallPage;
    expect(await loser.ended(callId)).toBe('taken');
    expect(pages.map(({ onCall }) => onCall.isBusy).toSorted()).toEqual([false, true]);

    const came = outcomes.find((outcome) => outcome.came)?.came;
    expect(came?.visit).toBe(visit);
    const specialist = await enter(one, came as never);
    await specialist.receives(talking.producerId);
  });

  it('rings on while the gateway of the visit is killed, and the call is taken at the next', async () => {
    const killed = await cluster.startGateway('gateway-on-call-killed');
    const { onCall, rung } = await signedOn('ana', other.url);
    const caller = await provider(killed);
    const talking = await caller.talk();
    const { callId } = await call(caller);
    await rung();
    await killed.kill();
    expect(onCall.calls.map((each) => each.callId)).toEqual([callId]);
    await caller.reconnect(other);
    await caller.resume();
    const specialist = await enter(other, await onCall.accept(callId));
    await specialist.receives(talking.producerId);
  });

  it('signs on again when its own gateway is killed, and what rings there rings anew', async () => {
    const killed = await cluster.startGateway('gateway-on-call-own');
    const balancer = await TcpProxy.to(...addressOf(killed));
    opened.push(balancer);
    const { onCall, rung, ended } = await signedOn('ana', `http://127.0.0.1:${balancer.port}`);
    const caller = await provider(one);
    const { callId } = await call(caller);
    await rung();
    balancer.cut();
    await killed.kill();
    expect(await ended(callId)).toBe('unanswered');
    balancer.restore(...addressOf(other));
    expect(await rung()).toMatchObject({ callId });
    expect(await onCall.accept(callId)).toMatchObject({ visit });
  });
});
