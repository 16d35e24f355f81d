import { BedsideError, type CallId, type RingEndReason, type VisitId } from '@bedside/protocol';
import type { CreateSocket } from '../connection.ts';
import { Emitter } from '../emitter.ts';
import { ClinicConnection } from './clinic-connection.ts';
import type { IncomingCall, OnCallApi, OnCallEvents } from './on-call-types.ts';
import type { ClinicOptions } from './types.ts';

/** Being on call at a clinic: rings, and lets one accept or decline. */
export class OnCall extends Emitter<OnCallEvents> implements OnCallApi {
  readonly #connection: ClinicConnection;
  readonly #calls = new Map<CallId, IncomingCall>();
  #signedOn = false;
  #busy = false;

  constructor(options: ClinicOptions);
  /** @internal */
  constructor(options: ClinicOptions, createSocket?: CreateSocket);
  constructor(options: ClinicOptions, createSocket?: CreateSocket) {
    super();
    this.#connection = new ClinicConnection(
      options,
      {
        sync: async () => {
          if (this.#signedOn) await this.#connection.ask('sign-on', { busy: this.#busy });
        },
        stateChanged: () => {
          const { state, reason } = this.#connection.life;
          // What still rings then rings anew as soon as one is back.
          if (state !== 'connected') this.#endAll('unanswered');
          this.emit('connectionStateChanged', state, reason);
          this.emit('changed');
        },
        events: {
          ring: (call) => {
            const isNew = !this.#calls.has(call.callId);
            this.#calls.set(call.callId, call);
            if (isNew) this.emit('ring', call);
            this.emit('changed');
          },
          'ring-ended': ({ callId, reason }) => this.#end(callId, reason),
        },
      },
      createSocket,
    );
  }

  get state() {
    return this.#connection.life.state;
  }

  get disconnectReason() {
    return this.#connection.life.reason;
  }

  get error() {
    return this.#connection.life.error;
  }

  get calls(): readonly IncomingCall[] {
    return [...this.#calls.values()];
  }

  get isOnCall(): boolean {
    return this.#signedOn && this.state === 'connected';
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  get now(): number {
    return this.#connection.now;
  }

  connect(): Promise<void> {
    return this.#connection.connect();
  }

  close(): void {
    this.#signedOn = false;
    this.#connection.close();
  }

  async signOn(): Promise<void> {
    const wasConnected = this.state === 'connected';
    this.#signedOn = true;
    try {
      await this.#connection.connect();
      // A connection that was made just now has signed on with it.
      if (wasConnected) await this.#connection.request('sign-on', { busy: this.#busy });
    } catch (error) {
      this.#signedOn = false;
      throw error;
    }
    this.emit('changed');
  }

  async signOff(): Promise<void> {
    this.#signedOn = false;
    this.#busy = false;
    this.#endAll('declined');
    this.emit('changed');
    if (this.state !== 'disconnected') await this.#connection.request('sign-off', {});
  }

  async setBusy(busy: boolean): Promise<void> {
    if (!this.#signedOn) throw new BedsideError('conflict');
    const before = this.#busy;
    this.#busy = busy;
    this.emit('changed');
    try {
      await this.#connection.request('set-busy', { busy });
    } catch (error) {
      if (this.#busy === busy) this.#busy = before;
      this.emit('changed');
      throw error;
    }
  }

  async accept(call: IncomingCall | CallId): Promise<{ visit: VisitId; token: string }> {
    const callId = idOf(call);
    const answer = await this.#connection.request('accept-call', { callId });
    this.#busy = true;
    this.#calls.delete(callId);
    this.emit('changed');
    return answer;
  }

  async decline(call: IncomingCall | CallId): Promise<void> {
    const callId = idOf(call);
    await this.#connection.request('decline-call', { callId });
    this.#calls.delete(callId);
    this.emit('changed');
  }

  #endAll(reason: RingEndReason): void {
    for (const callId of [...this.#calls.keys()]) this.#end(callId, reason);
  }

  #end(callId: CallId, reason: RingEndReason): void {
    const call = this.#calls.get(callId);
    if (!call) return;
    this.#calls.delete(callId);
    this.emit('ringEnded', call, reason);
    this.emit('changed');
  }
}

const idOf = (call: IncomingCall | CallId): CallId =>
  typeof call === 'string' ? call : call.callId;
