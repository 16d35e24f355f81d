/**
 * Signaling under load: each virtual user takes part in visit after visit as a page would, with
 * real Socket.IO frames: welcome, join, transports, a microphone and a camera, mute, ICE restart,
 * layer preferences, a new token, leave. No packet of media flows; every transport, producer and
 * consumer is really created at the node.
 *
 * Run by `npm run load:signaling`, which sets the environment read here.
 */
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { chromiumCapabilities, sendParameters } from '../shared/capabilities.ts';
import { CallError, Client } from './client.js';
import { mintToken } from './token.js';

const config = JSON.parse(__ENV.BEDSIDE_LOAD);
const { gateway, tenant, versions, deadlineMs, users, visitSize, thinkMs, stages, run } = config;

/** Named here so that the summary lists each command's own times. */
const COMMANDS = [
  'connect-transport',
  'produce',
  'pause-producer',
  'restart-ice',
  'prefer-consumers',
  'renew-token',
  'leave',
];
const ROLES = ['patient', 'provider', 'interpreter', 'specialist'];
/** After this many rounds of its members a visit is left for a new one. */
const ROUNDS_PER_VISIT = 5;

const welcomeMs = new Trend('bedside_welcome', true);
const joinMs = new Trend('bedside_join', true);
const commandMs = new Trend('bedside_command', true);
const errors = new Rate('bedside_errors');
const errorCodes = new Counter('bedside_error_codes');
const eventsReceived = new Counter('bedside_events');

export const options = {
  scenarios: {
    visits: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages.map(({ duration, share }) => ({
        duration,
        target: Math.round(users * share),
      })),
      gracefulRampDown: '30s',
      gracefulStop: '30s',
    },
  },
  thresholds: {
    bedside_errors: [`rate<${config.maxErrorRate}`],
    // A threshold that always holds is how k6 is told to keep a tag's values apart.
    ...Object.fromEntries(COMMANDS.map((name) => [`bedside_command{command:${name}}`, ['max>=0']])),
  },
  summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
};

export default async function () {
  const user = exec.vu.idInTest - 1;
  const round = exec.vu.iterationInScenario;
  const visit = `load.${run}.${Math.floor(user / visitSize)}.${Math.floor(round / ROUNDS_PER_VISIT)}`;
  const participant = `p.${user}.${round}`;
  const role = ROLES[user % ROLES.length];
  const token = (serial) => mintToken(tenant, { visit, participant, role, serial });

  const consumers = new Set();
  const follow = ({ added, removed }) => {
    for (const { consumerId } of added) consumers.add(consumerId);
    for (const consumerId of removed) consumers.delete(consumerId);
  };
  const client = new Client({
    gateway,
    visit,
    token: token(0),
    versions,
    deadlineMs,
    onEvent: (name, payload) => {
      eventsReceived.add(1, { event: name });
      if (name === 'consumers') follow(payload);
    },
  });
  const command = (name, request) =>
    timed(commandMs, { command: name }, () => client.command(name, request));
  const think = () => pause(thinkMs * (0.5 + Math.random()));

  try {
    const welcome = await timed(welcomeMs, {}, () => client.welcome);
    const offered = welcome.rtpCapabilities;
    const joined = await timed(joinMs, {}, () =>
      client.command('join', { rtpCapabilities: chromiumCapabilities(offered) }),
    );
    follow({ added: joined.consumers, removed: [] });
    const sendTransportId = joined.sendTransport.transportId;

    const produce = (source, kind) =>
      command('produce', {
        transportId: sendTransportId,
        source,
        rtpParameters: sendParameters(offered, kind, ssrc()),
        paused: false,
      });
    // Sent without waiting for each other, as the SDK does.
    const [, , microphone] = await Promise.all([
      command('connect-transport', { transportId: sendTransportId, dtlsParameters: dtls() }),
      command('connect-transport', {
        transportId: joined.recvTransport.transportId,
        dtlsParameters: dtls(),
      }),
      produce('microphone', 'audio'),
      produce('camera', 'video'),
    ]);

    await think();
    for (const paused of [true, false]) {
      await command('pause-producer', { producerId: microphone.producerId, paused });
      await think();
    }
    await command('restart-ice', { transportId: sendTransportId });
    await think();
    const [consumerId] = consumers;
    if (consumerId !== undefined) await prefer(command, consumerId, consumers);
    await command('renew-token', { token: token(1) });
    await think();
    await command('leave', {});
  } catch (error) {
    // Counted where it was measured; the next round starts afresh.
    if (!(error instanceof CallError)) throw error;
    await pause(thinkMs);
  } finally {
    client.close();
  }
}

/** The other may leave at this very moment: then the consumer is gone, and that is no failure. */
async function prefer(command, consumerId, consumers) {
  try {
    await command('prefer-consumers', {
      preferences: [{ consumerId, paused: false, spatialLayer: 0, temporalLayer: 1 }],
    });
  } catch (error) {
    if (!(error instanceof CallError) || error.code !== 'not-found') throw error;
    consumers.delete(consumerId);
  }
}

async function timed(trend, tags, work) {
  const started = Date.now();
  let failure;
  try {
    return await work();
  } catch (error) {
    failure = error instanceof CallError ? error.code : 'script';
    throw error;
  } finally {
    const expected = failure === 'not-found' && tags.command === 'prefer-consumers';
    errors.add(failure !== undefined && !expected);
    if (failure === undefined) trend.add(Date.now() - started, tags);
    else if (!expected) errorCodes.add(1, { code: failure });
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ssrc = () => 1 + Math.floor(Math.random() * 0xfffffffe);

/** Well-formed and nobody's: no DTLS is spoken here. */
function dtls() {
  const byte = () =>
    Math.floor(Math.random() * 256)
      .toString(16)
      .padStart(2, '0')
      .toUpperCase();
  return {
    role: 'client',
    fingerprints: [{ algorithm: 'sha-256', value: Array.from({ length: 32 }, byte).join(':') }],
  };
}

export function handleSummary(data) {
  return { [__ENV.BEDSIDE_LOAD_SUMMARY]: JSON.stringify(data) };
}
