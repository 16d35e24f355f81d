import { ProducerId } from '@bedside/protocol';
import type { types } from 'mediasoup';
import { call } from '../media/call.ts';
import type { Branch } from './branch.ts';
import { hear, NOBODY_SPEAKS, type SpeakerEvent, speakerOf } from './speaker.ts';

/** Milliseconds between two decisions on who dominates. */
const SPEAKER_INTERVAL_MS = 300;
/** Milliseconds of sound that decide on silence: shorter ones hold too few packets of 60 ms each. */
const LEVEL_INTERVAL_MS = 600;
/** dBov below which a microphone counts as silent. */
const SILENCE_THRESHOLD = -60;

/** mediasoup's observers of sound, which hear one router. */
interface Observers {
  readonly speakers: types.ActiveSpeakerObserver;
  readonly levels: types.AudioLevelObserver;
}

/** Who speaks in a visit. One branch listens for all: who dominates can only be told of those heard together. */
export class SpeakerDetection {
  readonly #deadlineMs: number;
  readonly #onSpeaker: (producerId: ProducerId | null) => void;
  #observers: Observers | undefined;
  #heard = new WeakSet<types.Producer>();
  #state = NOBODY_SPEAKS;

  constructor(deadlineMs: number, onSpeaker: (producerId: ProducerId | null) => void) {
    this.#deadlineMs = deadlineMs;
    this.#onSpeaker = onSpeaker;
  }

  /** Listens in this branch from now on, and nowhere else. @throws BedsideError `media-unavailable` */
  async open({ router }: Branch): Promise<void> {
    this.reset();
    const create = <T extends types.RtpObserver>(creating: Promise<T>) =>
      call(creating, this.#deadlineMs, (late) => late.close());
    const speakers = await create(
      router.createActiveSpeakerObserver({ interval: SPEAKER_INTERVAL_MS }),
    );
    const levels = await create(
      router.createAudioLevelObserver({
        interval: LEVEL_INTERVAL_MS,
        threshold: SILENCE_THRESHOLD,
        maxEntries: 1,
      }),
    ).catch((error: unknown) => {
      speakers.close();
      throw error;
    });
    speakers.on('dominantspeaker', ({ producer }) =>
      this.#hear({ type: 'dominant', producerId: ProducerId.parse(producer.id) }),
    );
    levels.on('volumes', ([loudest]) => {
      if (loudest) {
        this.#hear({ type: 'sound', loudest: ProducerId.parse(loudest.producer.id) });
      }
    });
    levels.on('silence', () => this.#hear({ type: 'silence' }));
    this.#observers = { speakers, levels };
  }

  /** Whether it is listened to. */
  hears(producer: types.Producer): boolean {
    return this.#heard.has(producer);
  }

  /**
   * @param producer of a microphone, as the branch that listens has it; one that closes is forgotten
   * @throws what mediasoup throws, or BedsideError `media-unavailable`; it can be repeated
   */
  async add(producer: types.Producer): Promise<void> {
    const observers = this.#observers;
    if (!observers) return;
    const { speakers, levels } = observers;
    const both: types.RtpObserver[] = [speakers, levels];
    const which = { producerId: producer.id };
    try {
      await call(
        Promise.all(both.map((observer) => observer.addProducer(which))),
        this.#deadlineMs,
      );
    } catch (error) {
      // One may have it, or still get it, and would refuse it the next time.
      for (const observer of both) observer.removeProducer(which).catch(() => {});
      throw error;
    }
    if (observers === this.#observers) this.#heard.add(producer);
  }

  /** Nothing more is heard of it. */
  forget(producerId: ProducerId): void {
    this.#hear({ type: 'closed', producerId });
  }

  /** Nobody is heard any more, until it is opened again. */
  reset(): void {
    this.#observers?.speakers.close();
    this.#observers?.levels.close();
    this.#observers = undefined;
    this.#heard = new WeakSet();
    this.#hear({ type: 'silence' });
    this.#state = NOBODY_SPEAKS;
  }

  #hear(event: SpeakerEvent): void {
    const before = speakerOf(this.#state);
    this.#state = hear(this.#state, event);
    const now = speakerOf(this.#state);
    if (now !== before) this.#onSpeaker(now);
  }
}
