import { randomUUID } from 'node:crypto';
import type { Grant, ParticipantId } from '@bedside/protocol';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TcpProxy } from '../../load-tests/lib/tcp-proxy.ts';
import { until } from '../../load-tests/lib/wait.ts';
import { launchRecordable, Pages, type TestWindow, TONES } from './testing/pages.ts';
import type { VisitApi } from './types.ts';

/** From the acknowledgement to silence, the recording's own delay of about 100 ms included. */
const SILENT_MS = 250;
/** On a machine that is busy with other things, one of these is to be undisturbed. */
const ATTEMPTS = 6;

describe('a clinical visit, in pages of one’s own', () => {
  let pages: Pages;

  beforeAll(async () => {
    pages = await Pages.start(launchRecordable);
  });
  afterEach(() => pages.close());
  afterAll(() => pages?.stop());

  /** Runs in the page, with its visit. */
  const inVisit = <Result>(page: Page, act: (visit: VisitApi) => Result | Promise<Result>) =>
    page.evaluate<Result>(`(${act.toString()})(globalThis.visit)`);

  const now = () => performance.timeOrigin + performance.now();

  /** When what this page plays last had the tone of that participant in it; 0 for never. */
  const lastHeard = (page: Page, from: string) =>
    page.evaluate(
      (hz) => (globalThis as unknown as TestWindow).heard.get(hz) ?? 0,
      TONES[from as keyof typeof TONES],
    );

  const hears = (page: Page, from: string, since = now()) =>
    until(
      `${from} is heard`,
      () => lastHeard(page, from),
      (last) => last > since,
    );

  /** Waits until nothing was heard for half a second; gives when it was last. */
  const silence = (page: Page, from: string) =>
    until(
      `${from} is silent`,
      () => lastHeard(page, from),
      (last) => now() - last > 500,
    );

  /** What a page sees and hears of a participant, as the SDK tells it. */
  const view = (page: Page, id: string) =>
    page.evaluate((id) => {
      const { visit } = globalThis as unknown as TestWindow;
      const person = visit.participants.get(id as ParticipantId);
      return (
        person && {
          place: person.place,
          isHere: person.isHere,
          state: person.state,
          camera: person.tracks.get('camera')?.track?.id,
          microphone: person.tracks.get('microphone')?.track?.id,
        }
      );
    }, id);

  const frames = (page: Page, from: string) =>
    page.evaluate(async (from) => {
      const { inbound } = await (globalThis as unknown as TestWindow).visit.getStats();
      const picture = inbound.find(
        ({ participantId, source }) => participantId === from && source === 'camera',
      );
      return picture?.framesDecoded ?? 0;
    }, from);

  async function sees(page: Page, from: string): Promise<void> {
    const before = await frames(page, from);
    await until(
      `the picture of ${from} moves`,
      () => frames(page, from),
      (count) => count >= before + 5,
    );
  }

  /** Asks for a move and gives when it was acknowledged. */
  const move = (page: Page, ids: string[], to: Parameters<VisitApi['moveTo']>[1]) =>
    page.evaluate(
      async ([ids, to]) => {
        const { visit } = globalThis as unknown as TestWindow;
        const place = await visit.moveTo(ids as ParticipantId[], to);
        return { place, at: performance.timeOrigin + performance.now() };
      },
      [ids, to] as const,
    );

  /** Moves people away and back until silence came in time; whether it did. */
  async function silencedInTime(
    mover: Page,
    ids: string[],
    to: Parameters<VisitApi['moveTo']>[1],
    pairs: readonly (readonly [Page, string])[],
  ): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { at } = await move(mover, ids, to);
      const ends: number[] = [];
      for (const [page, other] of pairs) ends.push((await silence(page, other)) - at);
      if (Math.max(...ends) < SILENT_MS) return true;
      const back = await move(mover, ids, { type: 'main' });
      for (const [page, other] of pairs) await hears(page, other, back.at);
    }
    return false;
  }

  async function createVisit(body: Record<string, unknown>): Promise<string> {
    const visit = randomUUID();
    const answer = await fetch(`${pages.url}/v1/visits`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${pages.stack.secrets.apiKey}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ visit, ...body }),
    });
    expect(answer.status).toBe(201);
    return visit;
  }

  it('hold silences and freezes both sides at once; back in the main room they go on, on the same tracks', async () => {
    const visit = randomUUID();
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    const both = [
      [provider, 'patient'],
      [patient, 'provider'],
    ] as const;
    for (const [page, other] of both) {
      await hears(page, other);
      await sees(page, other);
    }
    const before = await Promise.all(both.map(([page, other]) => view(page, other)));

    expect(
      await silencedInTime(provider, ['patient'], { type: 'hold', audio: 'music' }, both),
    ).toBe(true);
    for (const [page, other] of both)
      expect(await view(page, other)).toMatchObject({
        isHere: false,
        camera: undefined,
        microphone: undefined,
      });
    const frozen = await Promise.all(both.map(([page, other]) => frames(page, other)));
    expect(await inVisit(patient, (visit) => visit.sounds.hold.on)).toBe(true);
    expect(await inVisit(provider, (visit) => visit.sounds.hold.on)).toBe(false);
    await silence(patient, 'provider');
    expect(await Promise.all(both.map(([page, other]) => frames(page, other)))).toEqual(frozen);

    const back = await move(provider, ['patient'], { type: 'main' });
    for (const [page, other] of both) {
      await hears(page, other, back.at);
      await sees(page, other);
    }
    expect(await Promise.all(both.map(([page, other]) => view(page, other)))).toEqual(before);
    expect(await inVisit(patient, (visit) => visit.sounds.hold.on)).toBe(false);
  });

  it('two in a private room hear each other, and nobody else hears or sees them', async () => {
    const visit = randomUUID();
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    const specialist = await pages.joinSinging(visit, 'specialist');
    await hears(patient, 'provider');
    await hears(patient, 'specialist');
    await hears(specialist, 'patient');
    await hears(specialist, 'provider');

    const room = ['provider', 'specialist'];
    expect(
      await silencedInTime(provider, room, { type: 'room' }, [
        [patient, 'provider'],
        [patient, 'specialist'],
        [specialist, 'patient'],
        [provider, 'patient'],
      ]),
    ).toBe(true);
    const place = await inVisit(provider, ({ localParticipant }) => localParticipant.place);
    for (const other of room)
      expect(await view(patient, other)).toMatchObject({ place, isHere: false, camera: undefined });
    await hears(specialist, 'provider');
    await hears(provider, 'specialist');
    await sees(provider, 'specialist');
    expect(await view(provider, 'specialist')).toMatchObject({ place, isHere: true });
  });

  it('who waits receives nothing; once admitted the first frame comes', async () => {
    const visit = await createVisit({ admission: 'on-admit' });
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    expect(await inVisit(patient, ({ localParticipant }) => localParticipant.state)).toBe(
      'waiting',
    );
    expect(await inVisit(patient, async (visit) => (await visit.getStats()).inbound)).toEqual([]);
    expect(await view(provider, 'patient')).toMatchObject({ state: 'waiting', isHere: false });
    const admitted = inVisit(
      patient,
      (visit) => new Promise((resolve) => visit.on('admitted', () => resolve('admitted'))),
    );
    await inVisit(provider, (visit) => visit.admit());
    expect(await admitted).toBe('admitted');
    await sees(patient, 'provider');
    await hears(provider, 'patient');
    const again = inVisit(provider, (visit) =>
      visit.admit(['patient' as never]).catch(({ code }) => code),
    );
    expect(await again).toBe('already-admitted');
  });

  it('who is denied is told so, and can not come back with the same token', async () => {
    const visit = await createVisit({ admission: 'on-admit' });
    const provider = await pages.join(visit, 'provider');
    const token = await pages.token({ visit, participant: 'patient', role: 'patient' });
    const patient = await pages.join(visit, 'patient', { token });
    const told = inVisit(
      patient,
      (visit) => new Promise((resolve) => visit.on('disconnected', (reason) => resolve(reason))),
    );
    await inVisit(provider, (visit) => visit.remove('patient' as never));
    expect(await told).toBe('denied');
    const refused = await inVisit(patient, (visit) =>
      visit.connect().catch(({ code }) => [code, visit.disconnectReason]),
    );
    expect(refused).toEqual(['removed', 'removed']);
  });

  it('each message is received once and in order, also by who was cut off meanwhile', async () => {
    const visit = randomUUID();
    const proxy = await TcpProxy.to(Number(new URL(pages.url).port));
    try {
      const provider = await pages.join(visit, 'provider');
      const patient = await pages.join(visit, 'patient', { url: `http://127.0.0.1:${proxy.port}` });
      for (const page of [provider, patient])
        await page.evaluate(() => {
          const window = globalThis as unknown as TestWindow & { texts: string[] };
          window.texts = [];
          window.visit.on('messageReceived', ({ text }) => window.texts.push(text));
        });
      const texts = (page: Page) =>
        page.evaluate(() => (globalThis as unknown as { texts: string[] }).texts);
      const say = (page: Page, text: string) =>
        page.evaluate(
          (text) => (globalThis as unknown as TestWindow).visit.sendMessage(text),
          text,
        );
      const all = (...expected: string[]) =>
        Promise.all(
          [provider, patient].map((page) =>
            until(
              'all messages',
              () => texts(page),
              (received) => received.length >= expected.length,
            ).then((received) => expect(received).toEqual(expected)),
          ),
        );
      await say(provider, 'one');
      await all('one');
      // The answer to the second is lost, and with it everything until the socket is back.
      proxy.holdAnswers();
      const second = say(patient, 'two');
      await until(
        'the gateway has it',
        () => texts(provider),
        (received) => received.length === 2,
      );
      proxy.cut();
      await say(provider, 'three');
      await say(provider, 'four');
      proxy.restore();
      expect(await second).toBe(2);
      await say(provider, 'five');
      await all('one', 'two', 'three', 'four', 'five');
      expect(
        await inVisit(patient, ({ messages }) => messages.map(({ number }) => number)),
      ).toEqual([1, 2, 3, 4, 5]);
    } finally {
      await proxy.close();
    }
  });

  it('a microphone that is muted by somebody else is off at its own page, which alone unmutes it', async () => {
    const visit = randomUUID();
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    await hears(provider, 'patient');
    const told = patient.evaluate(() => {
      const { visit } = globalThis as unknown as TestWindow;
      const next = (name: 'microphoneMuted' | 'unmuteAsked') =>
        new Promise((resolve) => visit.on(name, () => resolve(name)));
      return Promise.all([next('microphoneMuted'), next('unmuteAsked')]);
    });
    await inVisit(provider, (visit) => visit.mute('patient' as never));
    await inVisit(provider, (visit) => visit.askToUnmute('patient' as never));
    await told;
    const microphone = () =>
      inVisit(patient, ({ localParticipant }) => [
        localParticipant.isMicrophoneEnabled,
        localParticipant.tracks.get('microphone')?.track?.enabled,
      ]);
    expect(await microphone()).toEqual([false, false]);
    await silence(provider, 'patient');
    await inVisit(patient, ({ localParticipant }) => localParticipant.setMicrophoneEnabled(true));
    expect(await microphone()).toEqual([true, true]);
    await hears(provider, 'patient');
    expect(await microphone()).toEqual([true, true]);
  });

  it('a whisper is heard by nobody else when its hearer goes, until its page unmutes', async () => {
    const visit = randomUUID();
    const grants: Grant[] = ['publish-audio', 'publish-video', 'interpret', 'whisper'];
    const token = await pages.token({
      visit,
      participant: 'interpreter',
      role: 'interpreter',
      grants,
    });
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    const interpreter = await pages.joinSinging(visit, 'interpreter', { token });
    await hears(provider, 'interpreter');
    await inVisit(interpreter, (visit) => visit.whisper('patient' as never));
    await silence(provider, 'interpreter');
    await hears(patient, 'interpreter');
    const told = inVisit(
      interpreter,
      (visit) => new Promise((resolve) => visit.on('whisperEnded', () => resolve(undefined))),
    );
    const since = now();
    await inVisit(patient, (visit) => visit.leave());
    await told;
    const microphone = () =>
      inVisit(interpreter, ({ localParticipant }) => localParticipant.isMicrophoneEnabled);
    expect(await microphone()).toBe(false);
    // Whatever was to come of it has: the provider is heard for a while, and the interpreter was not.
    await silence(provider, 'interpreter');
    expect(await lastHeard(provider, 'interpreter')).toBeLessThan(since);
    await inVisit(interpreter, ({ localParticipant }) =>
      localParticipant.setMicrophoneEnabled(true),
    );
    await hears(provider, 'interpreter');
  });

  it('an invitation lets one page in, also after a reload of it', async () => {
    const visit = randomUUID();
    const provider = await pages.join(visit, 'provider');
    const { token } = await inVisit(provider, (visit) => visit.invite({ role: 'specialist' }));
    const guest = await pages.join(visit, 'specialist', { token });
    await sees(guest, 'provider');
    await pages.load(guest);
    await pages.enter(guest, visit, 'specialist', { token });
    await sees(guest, 'provider');
    const other = await pages.open();
    const refused = await other.evaluate(
      async ([url, token]) => {
        const { sdk } = globalThis as unknown as TestWindow;
        const visit = new sdk.Visit({ url, token });
        return visit.connect().then(String, ({ code }) => [code, visit.disconnectReason]);
      },
      [pages.url, token] as const,
    );
    expect(refused).toEqual(['invite-used', 'failed']);
    expect(await inVisit(provider, ({ invites }) => invites.map(({ state }) => state))).toEqual([
      'used',
    ]);
  });

  it('a signer is seen by another one in a protected picture, sent for its motion and measured', async () => {
    const visit = randomUUID();
    const patient = await pages.join(visit, 'patient');
    const caregiver = await pages.join(visit, 'caregiver');
    const camera = () =>
      inVisit(
        patient,
        ({ localParticipant }) => localParticipant.tracks.get('camera')?.track?.contentHint,
      );
    expect(await camera()).toBe('');
    await patient.evaluate(() => {
      const window = globalThis as unknown as { preferences: unknown[] };
      window.preferences = [];
      const { setParameters } = RTCRtpSender.prototype;
      RTCRtpSender.prototype.setParameters = async function (parameters, ...rest) {
        await setParameters.call(this, parameters, ...rest);
        window.preferences.push(this.getParameters().degradationPreference ?? 'none');
      };
    });
    const preferences = () =>
      patient.evaluate(() => (globalThis as unknown as { preferences: unknown[] }).preferences);
    for (const page of [patient, caregiver])
      await inVisit(page, (visit) => visit.setLanguages({ signs: true }));
    const isProtected = () =>
      inVisit(
        caregiver,
        ({ participants }) =>
          participants.get('patient' as never)?.tracks.get('camera')?.isProtected,
      );
    await until('the picture is protected', isProtected, (protects) => protects === true);
    expect(await camera()).toBe('motion');
    expect(await preferences()).toEqual(['maintain-framerate']);
    const evidence = await until(
      'evidence',
      () => inVisit(caregiver, (visit) => visit.evidence),
      ([picture]) => (picture?.framesPerSecond.samples ?? 0) >= 2,
    );
    expect(evidence).toMatchObject([{ participantId: 'patient' }]);
    expect(evidence[0]?.framesPerSecond.max).toBeGreaterThan(0);
    expect(evidence[0]?.offsetMs.samples).toBeGreaterThan(0);
    await inVisit(patient, (visit) => visit.setLanguages({ signs: false }));
    await until('the picture is as any other', isProtected, (protects) => protects === false);
    await until('the camera, too', camera, (hint) => hint === '');
    // Asked for beside the hint, of an encoder that may be busy.
    await until('the encoder, too', preferences, (all) => all.length > 1);
    expect(await preferences()).toEqual(['maintain-framerate', 'none']);
  });
});
