import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import {
  type Ack,
  BedsideError,
  type ControlCommandName,
  type ControlEventName,
  type ControlEventPayload,
  type ControlRequest,
  type ControlResponse,
  controlCommands,
  type GatewayId,
  type GatewayToNode,
  LIMITS,
  type NodeToGateway,
  nodeCommands,
  parse,
  toBedsideError,
} from '@bedside/protocol';
import { controlSecrets, type Logger, lastGood, TokenBuckets } from '@bedside/service';
import { type DefaultEventsMap, Server, type Socket } from 'socket.io';
import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import type { GatewayLink } from '../visits/visits.ts';
import { type Admission, admit } from './auth.ts';

/** Either end notices within interval plus timeout that the other is cut off or hung. */
const PING_INTERVAL_MS = 300;
const PING_TIMEOUT_MS = 1_000;
/** Seconds of what a gateway may ask lastingly, that it may ask at once: of many visits when it links. */
const BURST_SECONDS = 4;
/** Gateways whose pace is kept at a time. */
const GATEWAYS_KEPT = 1_000;

type ControlSocket = Socket<
  GatewayToNode,
  NodeToGateway,
  DefaultEventsMap,
  { admission: Admission }
>;

export interface ControlOptions {
  server: HttpServer | HttpsServer;
  config: Config;
  log: Logger;
  metrics: Metrics;
  /** The first message on a new link. */
  welcome: (version: number) => ControlEventPayload<'welcome'>;
  onLink: (link: GatewayLink) => void;
  onUnlink: (link: GatewayLink) => void;
  drain: (draining: boolean) => { visits: number };
  run: <Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
    gatewayId: GatewayId,
  ) => Promise<ControlResponse<Name>>;
}

/** The control links: who may speak, in what shape, and that everybody is answered in time. */
export class ControlServer {
  readonly #options: ControlOptions;
  readonly #io: Server<GatewayToNode, NodeToGateway, DefaultEventsMap, { admission: Admission }>;
  readonly #links = new Set<SocketLink>();
  /** By gateway: a second link gives it nothing more. */
  readonly #paces: TokenBuckets;

  constructor(options: ControlOptions) {
    this.#options = options;
    const perSecond = options.config.perGateway.commandsPerSecond;
    this.#paces = new TokenBuckets({ burst: perSecond * BURST_SECONDS, perSecond }, GATEWAYS_KEPT);
    this.#io = new Server(options.server, {
      transports: ['websocket'],
      serveClient: false,
      maxHttpBufferSize: LIMITS.controlMessageBytes,
      pingInterval: PING_INTERVAL_MS,
      pingTimeout: PING_TIMEOUT_MS,
      connectTimeout: 5_000,
    });
    // Read for each link: they change while this process runs.
    const secrets = lastGood(
      () => controlSecrets(options.config.control.secrets),
      (error) =>
        options.log.warn({ err: error }, 'control secrets can not be read: those before serve on'),
    );
    this.#io.use((socket, next) => {
      admit(socket.handshake.auth, secrets()).then(
        (admission) => {
          socket.data.admission = admission;
          next();
        },
        (thrown: unknown) => {
          const error = toBedsideError(thrown);
          options.metrics.linkRefused(error.code);
          // Without the id: nothing proves it, so it may hold anything. The gateway's log names this node.
          options.log.warn({ code: error.code }, 'control link refused');
          next(Object.assign(new Error(error.code), { data: error.toBody() }));
        },
      );
    });
    this.#io.on('connection', (socket) => this.#accept(socket));
  }

  get links(): number {
    return this.#links.size;
  }

  /** To every gateway; one that does not read misses it. */
  broadcastLoad(payload: ControlEventPayload<'load'>): void {
    this.#io.volatile.emit('load', payload);
  }

  /** To every gateway, however busy. */
  broadcastState(payload: ControlEventPayload<'load'>): void {
    this.#io.emit('load', payload);
  }

  /** Closes the links after what was sent, then the HTTP server. */
  async close(): Promise<void> {
    await this.#io.close();
  }

  #accept(socket: ControlSocket): void {
    const { log, onLink, onUnlink, welcome } = this.#options;
    const { gatewayId, version } = socket.data.admission;
    const link = new SocketLink(socket);
    this.#links.add(link);
    log.info({ gateway: gatewayId }, 'gateway connected');
    socket.on('disconnect', (reason) => {
      this.#links.delete(link);
      onUnlink(link);
      log.info({ gateway: gatewayId, reason }, 'gateway disconnected');
    });
    // One listener for all names, so that an unknown one is answered, too.
    socket.onAny((name: string, ...args: unknown[]) => void this.#answer(gatewayId, name, args));
    link.send('welcome', welcome(version));
    onLink(link);
  }

  async #answer(gatewayId: GatewayId, name: string, args: unknown[]): Promise<void> {
    const { log, metrics } = this.#options;
    const startedAt = performance.now();
    const acknowledge = args.at(-1);
    let answer: Ack<unknown>;
    try {
      answer = { ok: true, data: await this.#runWithin(gatewayId, name, args[0]) };
    } catch (thrown) {
      const error = toBedsideError(thrown);
      if (error.kind === 'internal')
        log.error({ command: known(name), err: thrown }, 'command failed');
      else
        log.debug(
          { command: known(name), code: error.code, field: error.field },
          'command refused',
        );
      answer = { ok: false, error: error.toBody() };
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    metrics.command(known(name), answer.ok ? 'ok' : answer.error.code, seconds);
    if (typeof acknowledge === 'function') acknowledge(answer);
  }

  async #runWithin(gatewayId: GatewayId, name: string, payload: unknown): Promise<unknown> {
    const { config, drain, run } = this.#options;
    const retryAfterMs = this.#paces.take(gatewayId, performance.now());
    if (retryAfterMs > 0) throw new BedsideError('rate-limited', { retryAfterMs });
    if (name === 'drain') return drain(parse(nodeCommands.drain.request, payload).draining);
    if (!isCommand(name)) throw new BedsideError('unknown-command');
    const request = parse(controlCommands[name].request, payload) as ControlRequest<typeof name>;
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => deadline.reject(new BedsideError('deadline')),
      config.commandDeadlineMs,
    );
    try {
      return await Promise.race([run(name, request, gatewayId), deadline.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

class SocketLink implements GatewayLink {
  readonly gatewayId: GatewayId;
  readonly spreads: boolean;
  readonly #socket: ControlSocket;

  constructor(socket: ControlSocket) {
    const { gatewayId, spreads } = socket.data.admission;
    this.#socket = socket;
    this.gatewayId = gatewayId;
    this.spreads = spreads;
  }

  send<Name extends ControlEventName>(name: Name, payload: ControlEventPayload<Name>): void {
    // The map of events is keyed by name, which TypeScript can not follow through a type parameter.
    (this.#socket.emit as (name: string, payload: unknown) => boolean).call(
      this.#socket,
      name,
      payload,
    );
  }
}

const isCommand = (name: string): name is ControlCommandName =>
  Object.hasOwn(controlCommands, name);

/** A name that is safe as a label and in a log. */
const known = (name: string): ControlCommandName | 'unknown' =>
  isCommand(name) ? name : 'unknown';
