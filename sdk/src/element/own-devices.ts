import { type BedsideError, type MediaSource, toBedsideError } from '@bedside/protocol';
import type { DeviceKind, ExamCameraOptions, VisitApi } from '../types.ts';
import { listDevices, NO_DEVICES } from './devices-dialog.ts';

/** What a person turns on and off. */
export type OwnSource = 'camera' | 'microphone' | 'screen' | 'exam';

const SOURCES: ReadonlyMap<DeviceKind, MediaSource> = new Map([
  ['videoinput', 'camera'],
  ['audioinput', 'microphone'],
]);

/** What failed last, and of which source. */
export interface Problem {
  error: BedsideError;
  source?: MediaSource | undefined;
}

/** Whom OwnDevices works for. */
interface Owner {
  visit(): VisitApi | undefined;
  changed(): void;
  /** It is on or off now. */
  switched(source: OwnSource, on: boolean): void;
  /** It could not be opened. */
  failed(error: BedsideError, source: OwnSource): void;
}

/** One's own cameras, microphone and screen: opens and chooses them, and keeps what went wrong. */
export class OwnDevices {
  readonly #owner: Owner;
  lists = NO_DEVICES;
  /** Until that works or it is dismissed. */
  problem: Problem | undefined;
  #opening = 0;
  /** Which were on when last looked at. */
  #on = { camera: false, microphone: false, exam: false };

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  get opening(): boolean {
    return this.#opening > 0;
  }

  /** Counts as opening a device for as long as `work` takes. */
  async busy(work: Promise<unknown>): Promise<void> {
    this.#opening++;
    this.#owner.changed();
    try {
      await work;
    } finally {
      this.#opening--;
      this.#owner.changed();
    }
  }

  async enable(source: OwnSource, on: boolean): Promise<void> {
    const visit = this.#owner.visit();
    if (visit) await this.busy(this.#set(visit, source, on));
    void this.refresh();
  }

  async choose(kind: DeviceKind, deviceId: string): Promise<void> {
    const source = SOURCES.get(kind);
    try {
      await this.#owner.visit()?.switchActiveDevice(kind, deviceId);
      if (this.problem?.source === source) this.problem = undefined;
    } catch (error) {
      this.fail(error, source);
    }
    this.#owner.changed();
  }

  /** Of the exam camera, whether or not it is on. */
  async examine(options: ExamCameraOptions): Promise<void> {
    const self = this.#owner.visit()?.localParticipant;
    try {
      await self?.setExamCameraEnabled(self.tracks.has('exam'), options);
      if (this.problem?.source === 'exam') this.problem = undefined;
    } catch (error) {
      this.fail(error, 'exam');
    }
    this.#owner.changed();
  }

  async refresh(): Promise<void> {
    const visit = this.#owner.visit();
    if (!visit) return;
    const lists = await listDevices(visit);
    if (this.#owner.visit() !== visit) return;
    this.lists = lists;
    this.#owner.changed();
  }

  fail(thrown: unknown, source?: MediaSource): void {
    this.problem = { error: toBedsideError(thrown), source };
    this.#owner.changed();
  }

  dismiss(): void {
    this.problem = undefined;
    this.#owner.changed();
  }

  /** A device that comes back by itself takes its complaint with it. */
  forgetMended({ localParticipant: self }: VisitApi): void {
    const on = {
      camera: self.isCameraEnabled,
      microphone: self.isMicrophoneEnabled,
      exam: self.isExamCameraEnabled,
    };
    for (const source of ['camera', 'microphone', 'exam'] as const)
      if (on[source] && !this.#on[source] && this.problem?.source === source)
        this.problem = undefined;
    this.#on = on;
  }

  async #set(visit: VisitApi, source: OwnSource, on: boolean): Promise<void> {
    const self = visit.localParticipant;
    try {
      if (source === 'camera') await self.setCameraEnabled(on);
      else if (source === 'microphone') await self.setMicrophoneEnabled(on);
      else if (source === 'exam') await self.setExamCameraEnabled(on);
      else await self.setScreenShareEnabled(on);
      if (this.problem?.source === source) this.problem = undefined;
      this.#owner.switched(source, on);
    } catch (thrown) {
      const error = toBedsideError(thrown);
      // To close the browser's choice of screens is no failure.
      if (source === 'screen' && error.code === 'permission-denied') return;
      this.#owner.failed(error, source);
      this.fail(error, source);
    }
  }
}
