import type { ParticipantId } from '@bedside/protocol';
import type {
  Distribution,
  QualityChange,
  QualityEvidence,
  QualityMeasure,
  VisitStats,
} from './types.ts';

/** Between two samples; after a longer gap than the other the page was asleep, and the sample says nothing. */
const SAMPLE_MS = 2_000;
const GAP_MS = 5_000;
/** The sums are reported once in so many samples. */
const SAMPLES_PER_REPORT = 15;
/** So many samples in a row tell a breach from a hiccup, and its end from a lull. */
const BREACHED_AFTER = 2;
const RESTORED_AFTER = 3;

/** EN 301 549, 6.5: 20 frames a second, QVGA, sound and picture within 100 ms; 45 CFR 92.201: no irregular pauses. */
const LIMIT: Readonly<Record<QualityMeasure, { threshold: number; isFloor: boolean }>> = {
  'frame-rate': { threshold: 20, isFloor: true },
  resolution: { threshold: 240, isFloor: true },
  sync: { threshold: 100, isFloor: false },
  freezes: { threshold: 0, isFloor: false },
};

/** Counters of a picture as they stand at a moment, `at` in milliseconds. */
export interface Reading {
  at: number;
  framesDecoded: number;
  freezeCount: number;
  frozenSeconds: number;
  /** The shorter side, in pixels; undefined before the first frame. */
  shortSide: number | undefined;
  /** How much the picture is played later than the sound, milliseconds; undefined where it can't be told. */
  offsetMs: number | undefined;
}

export type Verdict = Omit<QualityChange, 'participantId'> & { breached: boolean };

/** Whole numbers, counted: as small after an hour as after a minute. */
class Histogram {
  readonly #counts = new Map<number, number>();
  #samples = 0;

  add(value: number): void {
    const key = Math.min(Math.round(value), 10_000);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#samples += 1;
  }

  get distribution(): Distribution {
    const sorted = [...this.#counts].sort(([a], [b]) => a - b);
    /** The smallest value that this share of the samples does not exceed. */
    const at = (share: number): number => {
      let left = share * this.#samples;
      for (const [value, count] of sorted) {
        left -= count;
        if (left <= 0) return value;
      }
      return 0;
    };
    return {
      samples: this.#samples,
      min: at(0),
      p5: at(0.05),
      median: at(0.5),
      p95: at(0.95),
      max: at(1),
    };
  }
}

/** The picture of one participant, judged sample by sample. */
export class QualityMeter {
  readonly #frames = new Histogram();
  readonly #sides = new Histogram();
  readonly #offsets = new Histogram();
  readonly #streaks = new Map<QualityMeasure, { breached: boolean; against: number }>();
  readonly #secondsBreached = { 'frame-rate': 0, resolution: 0, sync: 0, freezes: 0 };
  #seconds = 0;
  #freezes = 0;
  #frozenSeconds = 0;
  #last: Reading | undefined;

  /** What has changed with this reading. The first one is only where to count from. */
  add(reading: Reading): Verdict[] {
    const last = this.#last;
    this.#last = reading;
    const seconds = last ? (reading.at - last.at) / 1000 : 0;
    const frames = reading.framesDecoded - (last?.framesDecoded ?? 0);
    // Counters that fall are those of another consumer.
    if (!last || seconds <= 0 || seconds * 1000 > GAP_MS || frames < 0) return [];
    const freezes = Math.max(reading.freezeCount - last.freezeCount, 0);
    const rate = frames / seconds;
    this.#seconds += seconds;
    this.#freezes += freezes;
    this.#frozenSeconds += Math.max(reading.frozenSeconds - last.frozenSeconds, 0);
    this.#frames.add(rate);
    const values: [QualityMeasure, number][] = [
      ['frame-rate', rate],
      ['freezes', freezes],
    ];
    if (reading.shortSide !== undefined) {
      this.#sides.add(reading.shortSide);
      values.push(['resolution', reading.shortSide]);
    }
    if (reading.offsetMs !== undefined) {
      const offset = Math.abs(reading.offsetMs);
      this.#offsets.add(offset);
      values.push(['sync', offset]);
    }
    return values.flatMap(([what, value]) => this.#judge(what, value, seconds));
  }

  /** The picture is not to be seen now: what was breached is so no more. */
  pause(): Verdict[] {
    this.#last = undefined;
    const over = [...this.#streaks].filter(([, { breached }]) => breached);
    this.#streaks.clear();
    return over.map(([what]) => {
      const { threshold } = LIMIT[what];
      return { what, value: threshold, threshold, breached: false };
    });
  }

  get evidence(): Omit<QualityEvidence, 'participantId'> {
    return {
      seconds: this.#seconds,
      framesPerSecond: this.#frames.distribution,
      shortSide: this.#sides.distribution,
      offsetMs: this.#offsets.distribution,
      freezes: this.#freezes,
      frozenSeconds: this.#frozenSeconds,
      secondsBreached: { ...this.#secondsBreached },
    };
  }

  #judge(what: QualityMeasure, value: number, seconds: number): Verdict[] {
    const { threshold, isFloor } = LIMIT[what];
    const isBad = isFloor ? value < threshold : value > threshold;
    if (isBad) this.#secondsBreached[what] += seconds;
    const streak = this.#streaks.get(what) ?? { breached: false, against: 0 };
    this.#streaks.set(what, streak);
    streak.against = isBad === streak.breached ? 0 : streak.against + 1;
    if (streak.against < (isBad ? BREACHED_AFTER : RESTORED_AFTER)) return [];
    this.#streaks.set(what, { breached: isBad, against: 0 });
    return [{ what, value, threshold, breached: isBad }];
  }
}

export interface QualityHost {
  /** Whose protected picture is to be seen, and whether their sound is to be heard. */
  watched(): ReadonlyMap<ParticipantId, { heard: boolean }>;
  stats(): Promise<VisitStats>;
  changed(change: QualityChange, breached: boolean): void;
  /** Time to report the sums so far. */
  due(): void;
}

/** Measures protected pictures for as long as there are any. */
export class QualityMonitor {
  readonly #host: QualityHost;
  readonly #meters = new Map<ParticipantId, QualityMeter>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #samples = 0;

  constructor(host: QualityHost) {
    this.#host = host;
  }

  get evidence(): QualityEvidence[] {
    return [...this.#meters].map(([participantId, meter]) => ({
      participantId,
      ...meter.evidence,
    }));
  }

  /** What is watched may have changed. */
  follow(): void {
    const watched = this.#host.watched();
    for (const [id, meter] of this.#meters) if (!watched.has(id)) this.#tell(id, meter.pause());
    for (const id of watched.keys())
      if (!this.#meters.has(id)) this.#meters.set(id, new QualityMeter());
    if (watched.size > 0) {
      this.#timer ??= setTimeout(() => void this.#sample(), SAMPLE_MS);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  /** A new session begins. */
  clear(): void {
    this.#meters.clear();
  }

  async #sample(): Promise<void> {
    const { inbound } = await this.#host.stats();
    this.#timer = undefined;
    const at = performance.now();
    for (const [participantId, { heard }] of this.#host.watched()) {
      const of = (source: string) =>
        inbound.find((each) => each.participantId === participantId && each.source === source);
      const picture = of('camera');
      const meter = this.#meters.get(participantId);
      if (!picture || !meter) continue;
      const { frameWidth, frameHeight, framesDecoded = 0, freezeCount = 0 } = picture;
      const sound = heard ? of('microphone') : undefined;
      const verdicts = meter.add({
        at,
        framesDecoded,
        freezeCount,
        frozenSeconds: picture.frozenSeconds ?? 0,
        shortSide: frameWidth && frameHeight && Math.min(frameWidth, frameHeight),
        offsetMs: picture.playoutAt && sound?.playoutAt && picture.playoutAt - sound.playoutAt,
      });
      this.#tell(participantId, verdicts);
    }
    this.#samples += 1;
    if (this.#samples % SAMPLES_PER_REPORT === 0) this.#host.due();
    this.follow();
  }

  #tell(participantId: ParticipantId, verdicts: readonly Verdict[]): void {
    for (const { breached, ...change } of verdicts)
      this.#host.changed({ participantId, ...change }, breached);
  }
}
