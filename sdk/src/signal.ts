import type {
  ClientCommandName,
  ClientCommands,
  ClientEventMap,
  ClientEventPayload,
  SessionId,
} from '@bedside/protocol';
import {
  type Body,
  Connection,
  type CreateSocket,
  type Handlers,
  type SocketOptions,
  type Wire,
} from './connection.ts';
import { visitOfToken } from './token.ts';
import { visitAnswers, visitEvents } from './wire/shapes.ts';

export type Welcome = ClientEventPayload<'welcome'>;
export type RequestBody<Name extends ClientCommandName> = Body<ClientCommands, Name>;
export type SignalHandlers = Handlers<ClientEventMap>;

export const visitWire: Wire<ClientCommands, ClientEventMap> = {
  namespace: '',
  answers: visitAnswers,
  events: visitEvents,
};

/** The control connection of a participant. */
export class Signal extends Connection<ClientCommands, ClientEventMap> {
  constructor(url: string, handlers: SignalHandlers, createSocket?: CreateSocket) {
    super(url, visitWire, handlers, createSocket);
  }

  /** @throws BedsideError the gateway's refusal, or `connection-failed`. */
  async open(token: string, sessionId?: SessionId): Promise<Welcome> {
    const query: SocketOptions['query'] = { visit: visitOfToken(token) };
    return this.openAt(query, token, sessionId);
  }
}
