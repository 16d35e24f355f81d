import type { types } from 'mediasoup';
import { call } from '../media/call.ts';
import { ROUTER_CODECS } from '../media/codecs.ts';
import { MAX_INCOMING_BITRATE, transportOptions } from '../media/transports.ts';
import type { MediaWorker } from '../workers/media-worker.ts';

/** What a visit has at one worker: a router, and all that is opened on it. Owned by its visit. */
export class Branch {
  readonly worker: MediaWorker;
  readonly router: types.Router;
  readonly #deadlineMs: number;
  #isLeft = false;

  private constructor(worker: MediaWorker, router: types.Router, deadlineMs: number) {
    this.worker = worker;
    this.router = router;
    this.#deadlineMs = deadlineMs;
  }

  /** The worker counts it from the call on. @throws BedsideError `media-unavailable` */
  static async open(worker: MediaWorker, deadlineMs: number): Promise<Branch> {
    worker.enter();
    try {
      return new Branch(worker, await worker.createRouter(ROUTER_CODECS), deadlineMs);
    } catch (error) {
      worker.leave();
      throw error;
    }
  }

  get closed(): boolean {
    return this.router.closed;
  }

  /**
   * For what a peer sends, and for what it receives.
   * @throws BedsideError `media-unavailable`
   */
  async createTransports(): Promise<[types.WebRtcTransport, types.WebRtcTransport]> {
    const [send, recv] = await Promise.allSettled([
      this.#createTransport(MAX_INCOMING_BITRATE),
      this.#createTransport(),
    ]);
    if (send.status === 'fulfilled' && recv.status === 'fulfilled') return [send.value, recv.value];
    for (const outcome of [send, recv]) {
      if (outcome.status === 'fulfilled') outcome.value.close();
    }
    throw send.status === 'rejected' ? send.reason : (recv as PromiseRejectedResult).reason;
  }

  /** Idempotent; also right after the worker died. */
  close(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.worker.leave();
    this.router.close();
  }

  async #createTransport(maxIncomingBitrate?: number): Promise<types.WebRtcTransport> {
    const transport = await call(
      this.router.createWebRtcTransport(transportOptions(this.worker.webRtcServer)),
      this.#deadlineMs,
      (late) => late.close(),
    );
    try {
      if (maxIncomingBitrate !== undefined) {
        await call(transport.setMaxIncomingBitrate(maxIncomingBitrate), this.#deadlineMs);
      }
      return transport;
    } catch (error) {
      transport.close();
      throw error;
    }
  }
}
