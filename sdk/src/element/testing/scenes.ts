import type { Grant } from '@bedside/protocol';
import type { FakePerson } from './fake-visit.ts';
import type { Fixture, Scene } from './fixture.ts';

export const provider: FakePerson = {
  id: 'dr',
  role: 'provider',
  name: 'Dr. Elena Marsh',
  quality: 3,
};
export const interpreter: FakePerson = {
  id: 'in',
  role: 'interpreter',
  name: 'Jonas Weber',
  quality: 1,
};
const specialist: FakePerson = { id: 'sp', role: 'specialist', microphone: false, speaking: true };
export const others = [provider, interpreter, specialist];

/** What brings the element there. `act` runs in the page: it can use nothing but the fixture. */
export interface Shown {
  scene: Scene;
  act?: (fixture: Fixture) => unknown;
}

/** Everything that the element can show, each with what brings it there. */
export const SCENES: Record<string, Shown> = {
  preparing: { scene: { attributes: { token: '-' } } },
  'before the visit': { scene: { name: 'Ana López' } },
  'before the visit, refused': { scene: { deviceError: 'permission-denied' } },
  'before the visit, all off': { scene: { attributes: { camera: 'off', microphone: 'off' } } },
  connecting: { scene: {}, act: ({ visit }) => visit.setState('connecting') },
  alone: { scene: { people: [] } },
  'in the waiting room': {
    scene: { people: [] },
    act: ({ visit }) => {
      visit.changeSelf({ state: 'waiting' });
    },
  },
  'with one': { scene: { people: [provider] } },
  'with three': { scene: { people: others } },
  'a screen': { scene: { people: [{ ...provider, screen: true }, interpreter] } },
  'cameras off': {
    scene: { people: others.map((one) => ({ ...one, camera: false })) },
    act: ({ visit }) => visit.localParticipant.setCameraEnabled(false),
  },
  'showing a screen': {
    scene: { people: [provider] },
    act: ({ visit }) => visit.localParticipant.setScreenShareEnabled(true),
  },
  reconnecting: {
    scene: { people: [provider] },
    act: ({ visit }) => visit.setState('reconnecting'),
  },
  'another reconnecting': {
    scene: { people: [provider] },
    act: ({ visit }) => visit.change('dr', { connection: 'reconnecting' }),
  },
  'sound held back': {
    scene: { people: [provider] },
    act: ({ visit }) => {
      visit.canPlaybackAudio = false;
      visit.emit('audioPlaybackChanged', false);
    },
  },
  'a device failed': {
    scene: { people: [provider] },
    act: ({ visit, error }) => visit.emit('mediaDevicesError', error('device-in-use'), 'camera'),
  },
  'choosing devices': {
    scene: { people: [provider] },
    act: ({ element }) =>
      element.shadowRoot?.querySelector<HTMLElement>('[data-action=devices]')?.click(),
  },
  'asked whether to end': {
    scene: { role: 'provider', people: [{ id: 'pa', role: 'patient', name: 'Ana' }] },
    act: ({ element }) =>
      element.shadowRoot?.querySelector<HTMLElement>('[data-action=end]')?.click(),
  },
  left: { scene: { people: [] }, act: ({ visit }) => visit.leave() },
  ended: {
    scene: { people: [] },
    act: ({ visit }) => visit.setState('disconnected', 'visit-ended'),
  },
  replaced: {
    scene: { people: [] },
    act: ({ visit }) => visit.setState('disconnected', 'replaced'),
  },
  failed: {
    scene: {},
    act: ({ visit, error }) => {
      visit.setState('connecting');
      visit.setState('disconnected', 'failed', error('connection-failed'));
    },
  },
};

/** What a provider may do. */
const PROVIDES: Grant[] = [
  'publish-audio',
  'publish-video',
  'publish-screen',
  'chat',
  'admit',
  'remove',
  'mute',
  'hold',
  'private-room',
  'invite',
  'hand-over',
  'end',
  'see-roster',
];
const PATIENT: Grant[] = [
  'publish-audio',
  'publish-video',
  'publish-screen',
  'publish-exam',
  'chat',
];
const INTERPRETS: Grant[] = ['publish-audio', 'publish-video', 'chat', 'interpret', 'whisper'];

const ana: FakePerson = {
  id: 'pa',
  role: 'patient',
  name: 'Ana López',
  speaks: ['es'],
  quality: 3,
};
const jonas: FakePerson = { ...interpreter, speaks: ['en', 'es'], quality: 3 };
const okafor: FakePerson = {
  id: 'sp',
  role: 'specialist',
  name: 'Prof. Amara Okafor',
  quality: 2,
  mayAttend: true,
};
const marsh: FakePerson = { ...provider, speaks: ['en'] };

export const asProvider: Scene = {
  role: 'provider',
  name: 'Dr. Elena Marsh',
  grants: PROVIDES,
  people: [ana, jonas, okafor],
};
export const asPatient: Scene = {
  role: 'patient',
  name: 'Ana López',
  grants: PATIENT,
  people: [marsh, jonas],
};
export const asInterpreter: Scene = {
  role: 'interpreter',
  name: 'Jonas Weber',
  grants: INTERPRETS,
  people: [marsh, ana],
};

/** What a clinical visit has besides. */
export const CLINICAL: Record<string, Shown> = {
  'waiting, with what the clinic shares': {
    scene: { ...asPatient, people: [] },
    act: ({ visit }) => {
      visit.changeSelf({ state: 'waiting' });
      visit.changeVisit({ wait: { ahead: 2, expectedAt: Date.UTC(2030, 0, 7, 10, 40) } });
      visit.say('We are running ten minutes late. Thank you for your patience.');
    },
  },
  'waiting, for somebody who is named': {
    scene: { ...asPatient, attributes: { lang: 'es' }, people: [marsh] },
    act: ({ visit }) => {
      visit.changeSelf({ state: 'waiting' });
      visit.changeVisit({ wait: { ahead: 0 } });
    },
  },
  'one waits': {
    scene: asProvider,
    act: ({ visit }) => {
      const since = Date.now() - 190_000;
      visit.add({
        id: 'w1',
        role: 'caregiver',
        name: 'Luis López',
        state: 'waiting',
        waitingSince: since,
      });
    },
  },
  'people, with who waits': {
    scene: asProvider,
    act: ({ visit, click }) => {
      const since = Date.now() - 190_000;
      visit.add({
        id: 'w1',
        role: 'caregiver',
        name: 'Luis López',
        state: 'waiting',
        waitingSince: since,
      });
      visit.add({ id: 'w2', role: 'patient', state: 'waiting', waitingSince: Date.now() });
      visit.change('in', { handRaisedAt: 5 });
      visit.changeVisit({ responsible: visit.localParticipant });
      click('[data-action=people], [data-action=more]');
    },
  },
  'people, in several places': {
    scene: asProvider,
    act: async ({ visit, click, settled }) => {
      visit.move('pa', 'hold', { audio: 'music', notice: 'Back in five minutes.' });
      visit.move('in', 'room-1');
      visit.move('sp', 'room-1');
      click('[data-action=people]');
      await settled();
      click('[data-person=sp] input');
      click('[data-person=in] [data-action=actions]');
    },
  },
  'putting on hold': {
    scene: asProvider,
    act: async ({ click, settled }) => {
      click('[data-action=people]');
      await settled();
      click('[data-person=pa] input');
      await settled();
      click('[data-action=hold]');
    },
  },
  'asked whether to remove': {
    scene: asProvider,
    act: async ({ click, settled }) => {
      click('[data-action=people]');
      await settled();
      click('[data-person=pa] [data-action=actions]');
      await settled();
      click('[data-action=remove]');
    },
  },
  'on hold, with music': {
    scene: asPatient,
    act: ({ visit }) =>
      visit.move('self', 'hold', { audio: 'music', notice: 'We are looking at your results.' }),
  },
  'in a private room': {
    scene: asProvider,
    act: ({ visit }) => {
      visit.move('sp', 'room-1');
      visit.move('self', 'room-1');
    },
  },
  'an exam camera': {
    scene: { ...asProvider, people: [{ ...ana, exam: true }, jonas] },
  },
  'an exam camera and a screen': {
    scene: {
      ...asProvider,
      people: [
        { ...ana, exam: true },
        { ...okafor, screen: true },
      ],
    },
  },
  'showing an exam camera': {
    scene: { ...asPatient, attributes: { lang: 'es' }, people: [marsh] },
    act: ({ visit }) => visit.localParticipant.setExamCameraEnabled(true),
  },
  'choosing an exam camera': {
    scene: asPatient,
    act: ({ click }) => click('[data-action=devices]'),
  },
  unattended: {
    scene: asPatient,
    act: ({ visit }) => {
      visit.gone('dr');
      visit.changeVisit({ unattendedSince: 1 });
    },
  },
  'offered the visit': {
    scene: asProvider,
    act: ({ visit }) => {
      const from = [...visit.participants.keys()][2];
      if (from) visit.changeVisit({ handOverOffer: { from, to: visit.localParticipant.id } });
    },
  },
  'asked to unmute': {
    scene: asPatient,
    act: async ({ visit }) => {
      await visit.localParticipant.setMicrophoneEnabled(false);
      visit.emit('unmuteAsked', visit.participants.values().next().value);
    },
  },
  messages: {
    scene: asProvider,
    act: ({ visit, click }) => {
      visit.say('Good morning, everybody.', 'in');
      visit.say('Buenos días. ¿Me oyen bien?', 'pa');
      visit.say('Yes, very well. Please have your list of medicines at hand.', 'self');
      const { id } = visit.localParticipant;
      visit.say('May I have a word before we go on?', 'sp', {
        to: { type: 'participant', participantId: id },
      });
      click('[data-action=chat]');
    },
  },
  'unread messages and captions': {
    scene: asPatient,
    act: ({ visit }) => {
      visit.say('Your pharmacy has the prescription.', 'dr');
      visit.say('and you take one of them each morning', 'in', { kind: 'caption' });
      visit.say('before breakfast, with a glass of water.', 'in', { kind: 'caption' });
    },
  },
  languages: {
    scene: asPatient,
    act: ({ visit, click }) => {
      visit.changeSelf({ speaks: ['es', 'ase'], hears: ['es'] });
      click('[data-action=languages], [data-action=more]');
    },
  },
  interpreting: {
    scene: asInterpreter,
    act: ({ visit }) => {
      visit.add({ id: 'in2', role: 'interpreter', name: 'Mei Tanaka' });
      visit.activeSpeaker = visit.participants.values().next().value;
      visit.change('dr', { isSpeaking: true });
      visit.changeVisit({ interpreting: 'simultaneous' });
    },
  },
  'asked to pause': {
    scene: asProvider,
    act: ({ visit }) => visit.emit('cueReceived', 'pause', [...visit.participants.values()][1]),
  },
  'in sign language': {
    scene: {
      ...asPatient,
      people: [marsh, { ...jonas, speaks: ['en', 'ase'], isProtected: true }],
    },
    act: ({ visit }) => {
      visit.changeSelf({ signs: true, speaks: ['ase'], hears: ['ase'] });
      const participantId = [...visit.participants.keys()][1];
      if (participantId)
        visit.emit('qualityBreached', {
          participantId,
          what: 'frame-rate',
          value: 12,
          threshold: 20,
        });
      visit.say('I can see you well.', 'in');
    },
  },
  inviting: {
    scene: {
      ...asProvider,
      attributes: { 'invite-url-template': 'https://clinic.example/join#{token}' },
    },
    act: async ({ click, settled }) => {
      click('[data-action=invite], [data-action=more]');
      await settled();
      click('[data-action=create-invite]');
    },
  },
  'about to call': {
    scene: asProvider,
    act: async ({ click, settled }) => {
      click('[data-action=call], [data-action=more]');
      await settled();
      click('[data-action=add-group]');
    },
  },
  'calling who is on call': {
    scene: asProvider,
    act: ({ visit }) => {
      const call = { group: 0, groups: 2, until: 0, state: 'ringing' } as const;
      const [one, two] = [
        { ...call, callId: 'c1' as never, role: 'interpreter' },
        { ...call, callId: 'c2' as never, role: 'specialist', groups: 1 },
      ] as const;
      visit.changeVisit({ calls: [one, two] });
      visit.changeVisit({ calls: [one, { ...two, state: 'unanswered' }] });
    },
  },
  'ended, with its times': { scene: asProvider, act: ({ visit }) => visit.end() },
};
