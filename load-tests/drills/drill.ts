import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { eachOf, until } from '../lib/wait.ts';
import { Caller } from '../native/caller.ts';
import type { Drill, Scene } from './catalogue.ts';
import type { Cluster, Counts } from './cluster.ts';
import { CountedCommands, numberIn } from './counted-commands.ts';
import { Gaps } from './gaps.ts';
import { Losses } from './losses.ts';

/** Silence of a flow that a participant notices; of so many packets, where they are far apart. */
const NOTICED_MS = 200;
const NOTICED_PACKETS = 3;
/** Before the fault: what this machine does by itself. */
const BEFORE_MS = 3_000;
/** A flow that was silent for no longer is there; or for so many packets, where they are far apart. */
const ALIVE_MS = 500;
const ALIVE_PACKETS = 6;
const HEALED_DEADLINE_MS = 30_000;
const LEAK_DEADLINE_MS = 60_000;
/** Between two commands of a visit; where there are many, of each more. */
const COMMAND_PAUSE_MS = 250;
const COMMAND_SHARE_MS = 20;
/** Visits that are entered or left at a time. */
const WIDTH = 4;

/** Between two looks at whether this process itself stands still. */
const PULSE_MS = 5;

type Source = 'microphone' | 'camera';

/** Of each visit, who sends commands. */
const SPEAKER = 'ana';

/** Of each participant, the longest silence of what they hear and of what they see, in ms. */
export interface Felt {
  readonly sound: number[];
  readonly picture: number[];
}

export interface Report {
  readonly visits: number;
  /** Visits at what was struck. */
  readonly struck: number;
  /** Visits in which somebody missed sound or picture for long enough to notice. */
  readonly affected: number;
  readonly noticedMs: number;
  readonly before: Felt;
  /** From the fault until it was mended, at what was struck and elsewhere. */
  readonly atFault: Felt;
  readonly elsewhere: Felt;
  /** From then on, everywhere. */
  readonly mended: Felt;
  /** The longest time for which the process that measures stood still itself, from the fault on: no gap is known better. */
  readonly ownMs: number;
  /** Of the machine, in the minute before the fault: processes that wanted a CPU. */
  readonly load: number;
  /** What the drill itself says of its course. */
  readonly notes: readonly string[];
  /** Visits that are at another node in the end. */
  readonly moved: number;
  /** Packets of sound that did not come to their listeners while they were at what was struck, and of how many. */
  readonly packets: { readonly lost: number; readonly sent: number };
  /** Flows that had not come back half a minute after the fault's time, and those that had not when it was mended for as long. */
  readonly notBack: number;
  readonly neverBack: number;
  /** Participants whose session ended. */
  readonly gone: number;
  /** Participants who set up their media anew. */
  readonly rejoined: number;
  readonly commands: {
    readonly acknowledged: number;
    readonly refused: number;
    readonly lost: number;
    /** Of each visit at what was struck, the longest time from a command to its answer, in ms. */
    readonly slowest: number[];
  };
  /** What the nodes have beyond what the participants use, after up to 60 s; and when all have left. */
  readonly leaks: Counts;
  readonly leftBehind: Counts;
  /** Of those who have left, at the gateways: sockets, visits and participants; and keys in Redis that do not go by themselves. */
  readonly leftAtGateways: number;
  readonly keysLeft: number;
}

interface LiveVisit {
  readonly id: string;
  readonly callers: readonly Caller[];
  readonly commands: CountedCommands;
}

export interface RunOptions {
  readonly visits: number;
  /** The checkout of an earlier commit. */
  readonly earlier?: string | undefined;
  readonly say?: (text: string) => void;
}

/** Runs one drill on a cluster that nobody else uses. @throws Error where the visits can not begin, or the fault can not be made */
export async function runDrill(
  cluster: Cluster,
  drill: Drill,
  options: RunOptions,
): Promise<Report> {
  const entered: Caller[] = [];
  try {
    return await run(cluster, drill, options, entered);
  } finally {
    for (const caller of entered) void caller.leave().catch(() => {});
  }
}

async function run(
  cluster: Cluster,
  drill: Drill,
  { visits: visitCount, earlier, say = () => {} }: RunOptions,
  entered: Caller[],
): Promise<Report> {
  const gaps = new Gaps();
  const losses = new Losses();
  const own = new Gaps();
  const pulse = setInterval(() => own.arrived('own', performance.now()), PULSE_MS).unref();
  let rejoined = 0;
  const nameOf = (visit: string, listener: string, from: string, source: string) =>
    `${visit} ${listener} ${from} ${source}`;

  const enter = async (visit: string, participant: string): Promise<Caller> => {
    const token = await cluster.token({ visit, participant, role: 'provider' });
    const { everyMs } = drill;
    const caller = await Caller.enter({
      url: cluster.url,
      token,
      ...(everyMs === undefined ? {} : { soundMs: everyMs, pictureMs: everyMs }),
      detour: cluster.detour,
      onArrival(from, source, at, number) {
        const flow = nameOf(visit, participant, from, source);
        gaps.arrived(flow, at);
        losses.arrived(flow, number);
      },
      onMediaLost: () => {
        rejoined += 1;
      },
    });
    entered.push(caller);
    return caller;
  };

  say(`${visitCount} visits of two begin`);
  const pauseMs = Math.max(COMMAND_PAUSE_MS, visitCount * COMMAND_SHARE_MS);
  const ids = Array.from({ length: visitCount }, (_, index) => `drill-${index + 1}`);
  const visits: LiveVisit[] = await eachOf(ids, WIDTH, async (id) => {
    const callers = [await enter(id, SPEAKER), await enter(id, 'ben')];
    return { id, callers, commands: new CountedCommands(callers[0] as Caller, pauseMs) };
  });

  const flowsOf = ({ id }: LiveVisit, source: Source) => [
    nameOf(id, SPEAKER, 'ben', source),
    nameOf(id, 'ben', SPEAKER, source),
  ];
  const felt = (some: readonly LiveVisit[]): Felt => {
    const now = performance.now();
    const of = (source: Source) =>
      some.flatMap((visit) => flowsOf(visit, source).map((flow) => gaps.longest(flow, now)));
    return { sound: of('microphone'), picture: of('camera') };
  };
  const noticedMs = Math.max(NOTICED_MS, NOTICED_PACKETS * (drill.everyMs ?? 0));
  const aliveMs = Math.max(ALIVE_MS, ALIVE_PACKETS * (drill.everyMs ?? 0));
  const silentFlows = () => {
    const now = performance.now();
    return visits
      .flatMap((visit) => [...flowsOf(visit, 'microphone'), ...flowsOf(visit, 'camera')])
      .filter((flow) => gaps.silent(flow, now) > aliveMs)
      .map((flow) => `${flow}: ${Math.round(gaps.silent(flow, now))} ms`);
  };
  const heard = () =>
    until(
      'everybody to hear and see the other',
      async () => silentFlows(),
      (silent) => silent.length === 0,
      HEALED_DEADLINE_MS,
    );

  /** Who is not in step with their visit, and why; each state with how many are in it. */
  const states = () => {
    const counts = new Map<string, number>();
    for (const { state } of visits.flatMap(({ callers }) => callers))
      counts.set(state, (counts.get(state) ?? 0) + 1);
    return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  };

  await heard();
  gaps.begin();
  losses.begin();
  await delay(BEFORE_MS);
  const before = felt(visits);
  const nodeOf = ({ callers }: LiveVisit) => callers[0]?.node;
  const places = visits.map(nodeOf);
  const { scene, struck } = await setScene(cluster, drill, visits, earlier);
  const others = visits.filter((visit) => !struck.includes(visit));

  say(`the fault: ${struck.length} visits are there`);
  for (const { commands } of visits) commands.begin();
  gaps.begin();
  losses.begin();
  own.begin();
  const struckAt = performance.now();
  const load = loadavg()[0] ?? 0;
  const notes = [await drill.strike(scene)];
  await delay(Math.max(0, drill.lastsMs - (performance.now() - struckAt)));
  const notBack = await heard().then(
    () => 0,
    () => silentFlows().length,
  );
  if (notBack > 0) say(`${notBack} flows are not back: ${states()}`);
  const atFault = felt(struck);
  const packets = {
    lost: struck
      .flatMap((visit) => flowsOf(visit, 'microphone'))
      .reduce((sum, flow) => sum + losses.lost(flow), 0),
    sent: struck
      .flatMap((visit) => flowsOf(visit, 'microphone'))
      .reduce((sum, flow) => sum + losses.numbered(flow), 0),
  };
  const ownMs = own.longest('own', performance.now());
  clearInterval(pulse);
  const elsewhere = felt(others);
  const now = performance.now();
  const affected = visits.filter((visit) =>
    [...flowsOf(visit, 'microphone'), ...flowsOf(visit, 'camera')].some(
      (flow) => gaps.longest(flow, now) > noticedMs,
    ),
  ).length;

  gaps.begin();
  if (drill.mend) say('what was struck comes back');
  notes.push(await drill.mend?.(scene));
  await delay(BEFORE_MS);
  const neverBack = await heard().then(
    () => 0,
    () => silentFlows().length,
  );
  const mended = felt(visits);
  const slowest = struck.map(({ commands }) => commands.slowest(performance.now()));
  await Promise.all(visits.map(({ commands }) => commands.stop()));

  say('nothing is to be left at the nodes of what was before');
  const there = entered.filter(({ isConnected }) => isConnected).length;
  const gone = entered.length - there;
  // Each has two transports, sends two sources and receives two, where the other is there.
  const pairs = visits.filter(({ callers }) => callers.every(({ isConnected }) => isConnected));
  const used = { transports: 2 * there, producers: 2 * there, consumers: 4 * pairs.length };
  const leaks = await excess(cluster, used);
  const lost = await lostCommands(cluster, visits);
  await eachOf(visits, WIDTH, async ({ callers }) => {
    for (const caller of callers) await caller.leave();
  });
  const leftBehind = await excess(cluster, { transports: 0, producers: 0, consumers: 0 });
  const { atGateways: leftAtGateways, keys: keysLeft } = await left(cluster);
  return {
    visits: visitCount,
    struck: struck.length,
    affected,
    noticedMs,
    before,
    atFault,
    elsewhere,
    mended,
    ownMs,
    load,
    notes: notes.filter((note) => typeof note === 'string'),
    moved: visits.filter((visit, index) => nodeOf(visit) !== places[index]).length,
    packets,
    notBack,
    neverBack,
    gone,
    rejoined,
    commands: {
      acknowledged: visits.reduce((sum, { commands }) => sum + commands.acknowledged, 0),
      refused: visits.reduce((sum, { commands }) => sum + commands.refused, 0),
      lost,
      slowest,
    },
    leaks,
    leftBehind,
    leftAtGateways,
    keysLeft,
  };
}

async function setScene(
  cluster: Cluster,
  { scope }: Drill,
  visits: readonly LiveVisit[],
  earlier: string | undefined,
): Promise<{ scene: Scene; struck: LiveVisit[] }> {
  const leases = await Promise.all(visits.map(({ id }) => cluster.lease(id)));
  const carriedBy = ({ host }: Scene['node']) =>
    visits.filter(({ callers }) => callers[0]?.node === host);
  const ownedBy = ({ id }: Scene['gateway']) =>
    visits.filter((_, index) => leases[index]?.gateway === id);
  const node = busiest(cluster.nodes, carriedBy);
  const gateway = busiest(cluster.gateways, ownedBy);
  const struck = { node: carriedBy(node), gateway: ownedBy(gateway), all: [...visits] }[scope];
  return { scene: { cluster, node, gateway, earlier }, struck };
}

function busiest<Member>(members: readonly Member[], visitsOf: (member: Member) => unknown[]) {
  const [first] = members.toSorted((a, b) => visitsOf(b).length - visitsOf(a).length);
  if (first === undefined) throw new Error('nobody is there to be struck');
  return first;
}

/** What the nodes have beyond this, once that does not change any more or a minute is over. */
function excess(cluster: Cluster, used: Counts): Promise<Counts> {
  const ask = async (): Promise<Counts> => {
    const counts = await Promise.all(cluster.nodes.map((node) => node.counts()));
    const total = (what: keyof Counts) =>
      counts.reduce((sum, each) => sum + each[what], 0) - used[what];
    return {
      transports: total('transports'),
      producers: total('producers'),
      consumers: total('consumers'),
    };
  };
  return settled(ask);
}

/** What is left of visits in which nobody is any more. */
function left(cluster: Cluster): Promise<{ atGateways: number; keys: number }> {
  return settled(async () => {
    const held = await Promise.all(cluster.gateways.map((gateway) => gateway.holds()));
    const keys = await cluster.keysLeft();
    return {
      atGateways: held.flatMap((each) => Object.values(each)).reduce((sum, each) => sum + each, 0),
      keys: keys.length,
    };
  });
}

/** Asks until all of it is 0, or a minute is over. */
async function settled<Counted extends Record<string, number>>(
  ask: () => Promise<Counted>,
): Promise<Counted> {
  const end = performance.now() + LEAK_DEADLINE_MS;
  for (;;) {
    const counts = await ask();
    if (Object.values(counts).every((count) => count === 0) || performance.now() > end)
      return counts;
    await delay(250);
  }
}

/** Of the commands that were acknowledged, how many the visits do not show. */
async function lostCommands(cluster: Cluster, visits: readonly LiveVisit[]): Promise<number> {
  const lost = await eachOf(visits, WIDTH, async ({ id, callers, commands }) => {
    const onlooker = await cluster.visitor({ url: cluster.url }, id, 'onlooker');
    const { visit } = await onlooker.command('join', {
      rtpCapabilities: onlooker.welcome.rtpCapabilities,
    });
    const there = visit.participants.find(({ participantId }) => participantId === SPEAKER);
    // What a participant said of themselves goes with them.
    if (!callers.every(({ isConnected }) => isConnected)) return 0;
    await onlooker.command('leave', {});
    onlooker.close();
    return Math.max(0, commands.acknowledged - numberIn(there?.speaks));
  });
  return lost.reduce((sum, count) => sum + count, 0);
}
