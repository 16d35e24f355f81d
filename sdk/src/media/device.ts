import { BedsideError, type RtpCapabilities } from '@bedside/protocol';
import type { types } from 'mediasoup-client';
import { Device, detectDevice } from 'mediasoup-client';
import { Chrome74 } from 'mediasoup-client/handlers/Chrome74';
import { Chrome111 } from 'mediasoup-client/handlers/Chrome111';
import { Firefox120 } from 'mediasoup-client/handlers/Firefox120';
import { Safari12 } from 'mediasoup-client/handlers/Safari12';

const HANDLERS = { Chrome111, Chrome74, Firefox120, Safari12 } as const;

/**
 * Loaded Devices by router capabilities. What the browser itself can do is read once: it opens a
 * PeerConnection for each direction, which costs some 60 ms, so `prepare()` does it before anybody
 * has pressed "join". The capabilities of a cluster are constant, so in practice there is one Device.
 */
export class DeviceCache {
  #factory: types.HandlerFactory | undefined;
  #last: { key: string; device: Promise<Device> } | undefined;

  /** Resolves once the browser's capabilities are known; never rejects, `load` reports what is wrong. */
  async prepare(): Promise<void> {
    try {
      const factory = this.#handlerFactory();
      await factory.getNativeRtpCapabilities({ direction: 'recvonly' });
      await factory.getNativeRtpCapabilities({ direction: 'sendonly' });
    } catch {
      // Reported when it matters, by load().
    }
  }

  /** @throws BedsideError browser-unsupported */
  load(capabilities: RtpCapabilities): Promise<Device> {
    const key = JSON.stringify(capabilities);
    if (this.#last?.key === key) return this.#last.device;
    const device = this.#load(capabilities);
    this.#last = { key, device };
    device.catch(() => {
      if (this.#last?.device === device) this.#last = undefined;
    });
    return device;
  }

  async #load(capabilities: RtpCapabilities): Promise<Device> {
    try {
      const device = new Device({ handlerFactory: this.#handlerFactory() });
      await device.load({ routerRtpCapabilities: capabilities as types.RtpCapabilities });
      return device;
    } catch (cause) {
      throw cause instanceof BedsideError
        ? cause
        : new BedsideError('browser-unsupported', { cause });
    }
  }

  #handlerFactory(): types.HandlerFactory {
    if (this.#factory) return this.#factory;
    const name = typeof RTCPeerConnection === 'undefined' ? undefined : detectDevice();
    if (!name || !(name in HANDLERS)) throw new BedsideError('browser-unsupported');
    const factory = HANDLERS[name as keyof typeof HANDLERS].createFactory({});
    const known = new Map<string, Promise<types.RtpCapabilities>>();
    this.#factory = {
      ...factory,
      getNativeRtpCapabilities: (options) => {
        let capabilities = known.get(options.direction);
        if (!capabilities) {
          capabilities = factory.getNativeRtpCapabilities(options);
          known.set(options.direction, capabilities);
          capabilities.catch(() => known.delete(options.direction));
        }
        return capabilities;
      },
    };
    return this.#factory;
  }
}

/** One per page: what a browser can do does not change while the page lives. */
export const devices = new DeviceCache();
