import { BedsideError, type RtpCapabilities } from '@bedside/protocol';
import type { types } from 'mediasoup';
import { validateAndNormalizeRtpCapabilities } from 'mediasoup/ortc';
import { blame } from './call.ts';
import { sharesCodec } from './codecs.ts';

/** Sets that are kept: browsers of one version have the same one, and few versions are about at a time. */
const SETS_KEPT = 64;

/**
 * What browsers can receive, checked, one object for all peers that can receive the same: a browser's
 * set is some 20 KB of objects, and checking it takes longer than finding it.
 */
export class CapabilitySets {
  readonly #sets = new Map<string, RtpCapabilities>();

  /**
   * These capabilities as mediasoup completes them. Not to be changed; mediasoup copies what it is given.
   * @throws BedsideError `invalid-request`, or `media-unsupported` where routers know none of the codecs.
   */
  checked(capabilities: RtpCapabilities): RtpCapabilities {
    const key = JSON.stringify(capabilities);
    const known = this.#sets.get(key);
    if (known) return known;
    const set = structuredClone(capabilities);
    try {
      validateAndNormalizeRtpCapabilities(set as unknown as types.RtpCapabilities);
    } catch (error) {
      throw blame(error, 'rtpCapabilities');
    }
    if (!sharesCodec(set)) throw new BedsideError('media-unsupported');
    const [oldest] = this.#sets.keys();
    if (oldest !== undefined && this.#sets.size >= SETS_KEPT) this.#sets.delete(oldest);
    this.#sets.set(key, set);
    return set;
  }
}
