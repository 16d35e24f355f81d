import { randomUUID } from 'node:crypto';
import {
  CONTROL_AUDIENCE,
  type ControlCommandName,
  type ControlEventName,
  type ControlEventPayload,
  type ControlHandshake,
  type ControlRequest,
  type ControlResponse,
  controlCommands,
  controlEvents,
  type DtlsParameters,
  LOOPBACK_CONTROL_SECRET,
  PeerId,
  ProducerId,
  parse,
  RtpParameters,
  SUPPORTED_VERSIONS,
  unwrap,
  VisitKey,
} from '@bedside/protocol';
import { SignJWT } from 'jose';
import { io, type Socket } from 'socket.io-client';
import { type BedsideNode, createNode, ROUTER_RTP_CAPABILITIES, readConfig } from './index.ts';

/** Whatever a test opened, closed after it in reverse. */
export const open: (() => void | Promise<void>)[] = [];

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
}

export async function startNode(env: Record<string, string> = {}): Promise<BedsideNode> {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  const node = createNode(
    readConfig({
      BEDSIDE_NODE_PORT: '0',
      BEDSIDE_NODE_OPS_PORT: '0',
      BEDSIDE_MEDIA_PORT: '0',
      BEDSIDE_WORKERS: '1',
      BEDSIDE_LOG_LEVEL: 'silent',
      ...(workerBin === undefined ? {} : { MEDIASOUP_WORKER_BIN: workerBin }),
      ...env,
    }),
  );
  open.push(() => node.stop());
  await node.start();
  return node;
}

interface TokenOptions {
  secret?: string;
  audience?: string;
  issuer?: string;
  lifetime?: string;
  algorithm?: string;
}

const serviceToken = (options: TokenOptions) =>
  new SignJWT()
    .setProtectedHeader({ alg: options.algorithm ?? 'HS256' })
    .setAudience(options.audience ?? CONTROL_AUDIENCE)
    .setIssuer(options.issuer ?? 'gateway')
    .setIssuedAt()
    .setExpirationTime(options.lifetime ?? '60s')
    .sign(new TextEncoder().encode(options.secret ?? LOOPBACK_CONTROL_SECRET));

/** What a gateway says when it connects. */
export const handshake = async (gatewayId: string, options: TokenOptions = {}) => ({
  token: await serviceToken({ issuer: gatewayId, ...options }),
  versions: SUPPORTED_VERSIONS,
  gatewayId,
  spreads: true,
});

/** A node in this process or another. */
type Reachable = { readonly address: { readonly control: string } };

export function connect(node: Reachable, auth: object, ca?: string): Socket {
  const socket = io(node.address.control, {
    ...(ca === undefined ? {} : { ca }),
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    auth,
  });
  open.push(() => void socket.disconnect());
  return socket;
}

/** A gateway, as far as a node sees one. */
export class TestGateway {
  readonly socket: Socket;
  readonly #heard: { name: string; payload: unknown }[] = [];
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.onAny((name: string, payload: unknown) => {
      this.#heard.push({ name, payload });
      this.#wake();
    });
  }

  /** @param saying besides, in the handshake */
  static async link(
    node: Reachable,
    gatewayId = `gateway-${randomUUID()}`,
    saying: Partial<ControlHandshake> = {},
  ): Promise<TestGateway> {
    const socket = connect(node, { ...(await handshake(gatewayId)), ...saying });
    const gateway = new TestGateway(socket);
    await gateway.hear('welcome');
    return gateway;
  }

  async call<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    const answer: unknown = await this.socket.timeout(10_000).emitWithAck(name, request);
    return unwrap(controlCommands[name].response, answer) as ControlResponse<Name>;
  }

  /** The next event of this name that fits, of those that came and those to come. */
  async hear<Name extends ControlEventName>(
    name: Name,
    fits: (payload: ControlEventPayload<Name>) => boolean = () => true,
  ): Promise<ControlEventPayload<Name>> {
    for (;;) {
      const index = this.#heard.findIndex(
        (event) => event.name === name && fits(event.payload as ControlEventPayload<Name>),
      );
      const [event] = index === -1 ? [] : this.#heard.splice(index, 1);
      if (event)
        return parse(controlEvents[name].payload, event.payload) as ControlEventPayload<Name>;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** How many such events came and wait to be heard. */
  heard<Name extends ControlEventName>(
    name: Name,
    fits: (payload: ControlEventPayload<Name>) => boolean = () => true,
  ): number {
    return this.#heard.filter(
      (event) => event.name === name && fits(event.payload as ControlEventPayload<Name>),
    ).length;
  }
}

export const newVisit = () => VisitKey.parse(randomUUID());
export const newPeer = () => PeerId.parse(randomUUID());
export const newProducer = () => ProducerId.parse(randomUUID());
export const rtpCapabilities = ROUTER_RTP_CAPABILITIES;
const fingerprint = (byte: string) => Array.from({ length: 32 }, () => byte).join(':');
export const dtlsParameters = (byte = 'AB'): DtlsParameters => ({
  role: 'client',
  fingerprints: [{ algorithm: 'sha-256', value: fingerprint(byte) }],
});

let ssrc = 1_000;
export function rtpParametersOf(mimeType: string): RtpParameters {
  const codec = rtpCapabilities.codecs.find((one) => one.mimeType === mimeType);
  if (codec?.preferredPayloadType === undefined) throw new Error(`no ${mimeType}`);
  const { clockRate, channels, parameters, rtcpFeedback } = codec;
  ssrc += 1;
  return parse(RtpParameters, {
    mid: String(ssrc),
    codecs: [
      {
        mimeType,
        payloadType: codec.preferredPayloadType,
        clockRate,
        ...(channels === undefined ? {} : { channels }),
        parameters,
        rtcpFeedback,
      },
    ],
    encodings: [{ ssrc }],
  });
}

export const flow = (producerId: ProducerId, change: object = {}) => ({
  producerId,
  paused: false,
  priority: 1,
  ...change,
});

export async function metric(node: BedsideNode, name: string): Promise<number> {
  const values = (await node.metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
  return values.reduce((sum, { value }) => sum + value, 0);
}
