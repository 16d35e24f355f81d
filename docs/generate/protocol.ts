import { readFileSync } from 'node:fs';
import {
  CLIENT_COMMON_ERRORS,
  CLIENT_HANDSHAKE_ERRORS,
  CLINIC_COMMON_ERRORS,
  CLINIC_HANDSHAKE_ERRORS,
  CLOCK_SKEW_SECONDS,
  ClientHandshake,
  ClinicClaims,
  ClinicHandshake,
  type CloseReason,
  CONTROL_COMMON_ERRORS,
  CONTROL_HANDSHAKE_ERRORS,
  type CommandMap,
  ControlHandshake,
  clientCommands,
  clientEvents,
  clinicCommands,
  clinicEvents,
  controlCommands,
  controlEvents,
  ErrorBody,
  type ErrorCode,
  type EventMap,
  LIMITS,
  PROTOCOL_VERSION,
  TokenClaims,
} from '@bedside/protocol';
import { GATEWAY_VARIABLES } from '../../signaling/src/config.ts';
import { MAX_IN_FLIGHT } from '../../signaling/src/sockets/commands.ts';
import { COMMAND_DEADLINE_MS } from '../../signaling/src/sockets/namespace.ts';
import {
  FRAMES_PER_COMMAND,
  PING_INTERVAL_MS,
  PING_TIMEOUT_MS,
} from '../../signaling/src/sockets/server.ts';
import { HANDSHAKE_DEADLINE_MS } from '../../signaling/src/sockets/visit-door.ts';
import { type Comments, mergeComments, readComments } from './comments.ts';
import { code, list, NOTICE, number, table } from './markdown.ts';
import { SchemaTables } from './schemas.ts';

const SOURCES = new URL('../../protocol/src/', import.meta.url);
const PROSE = new URL('protocol.md', import.meta.url);

/** docs/protocol.md: the prose beside this file, with tables and figures from the code put in. */
export function protocolDocument(): string {
  const comments = protocolComments();
  const tables = new SchemaTables(comments);
  const clientTypes = [
    ['handshake', tables.message(ClientHandshake, 'ClientHandshake')],
    ['token', tables.message(TokenClaims, 'TokenClaims')],
    ['error', tables.message(ErrorBody, 'ErrorBody')],
    ['client-commands', commandSections(tables, clientCommands, 'clientCommands')],
    ['client-events', eventSections(tables, clientEvents, 'clientEvents')],
    ['client-types', tables.types()],
  ] as const;
  const clinicTypes = [
    ['clinic-handshake', tables.message(ClinicHandshake, 'ClinicHandshake')],
    ['clinic-token', tables.message(ClinicClaims, 'ClinicClaims')],
    ['clinic-commands', commandSections(tables, clinicCommands, 'clinicCommands')],
    ['clinic-events', eventSections(tables, clinicEvents, 'clinicEvents')],
    ['clinic-types', tables.types()],
  ] as const;
  const controlTypes = [
    ['control-handshake', tables.message(ControlHandshake, 'ControlHandshake')],
    ['control-commands', commandSections(tables, controlCommands, 'controlCommands')],
    ['control-events', eventSections(tables, controlEvents, 'controlEvents')],
    ['control-types', tables.types()],
  ] as const;
  const inserts: Record<string, string> = {
    ...Object.fromEntries([...clientTypes, ...clinicTypes, ...controlTypes]),
    'handshake-errors': errorLinks(CLIENT_HANDSHAKE_ERRORS),
    'clinic-handshake-errors': errorLinks(CLINIC_HANDSHAKE_ERRORS),
    'control-handshake-errors': errorLinks(CONTROL_HANDSHAKE_ERRORS),
    'close-reasons': closeReasons(),
    limits: limits(comments),
  };
  const prose = readFileSync(PROSE, 'utf8');
  return `${NOTICE}\n\n${fill(prose, inserts, figures())}`;
}

/** Replaces `<!-- insert: name -->` and `{{name}}`. @throws where a name is unknown, or not used */
export function fill(
  prose: string,
  inserts: Readonly<Record<string, string>>,
  figures: Readonly<Record<string, string>>,
): string {
  const used = new Set<string>();
  const take = (from: Readonly<Record<string, string>>, name: string): string => {
    const text = from[name];
    if (text === undefined) throw new Error(`the prose asks for ${name}, which nobody has`);
    used.add(name);
    return text;
  };
  const filled = prose
    .replace(/\{\{(.+?)\}\}/g, (_, name: string) => take(figures, name))
    .replace(/<!-- insert: (\S+) -->/g, (_, name: string) => take(inserts, name));
  const unused = Object.keys({ ...inserts, ...figures }).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`the prose does not use ${unused.join(', ')}`);
  return filled;
}

/** What the sources of protocol/ say. */
export function protocolComments(): Comments {
  const index = readFileSync(new URL('index.ts', SOURCES), 'utf8');
  const files = [...index.matchAll(/'\.\/([\w-]+\.ts)'/g)].map(([, name = '']) => name);
  return mergeComments(
    files.map((name) => readComments(readFileSync(new URL(name, SOURCES), 'utf8'))),
  );
}

function commandSections(tables: SchemaTables, commands: CommandMap, path: string): string {
  return Object.entries(commands)
    .map(([name, { request, response, errors }]) =>
      [
        heading(name, path),
        tables.meaning(path, name),
        `Request:\n\n${tables.message(request, `${path}.${name}.request`)}`,
        `Answer:\n\n${tables.message(response, `${path}.${name}.response`)}`,
        ...(errors.length > 0 ? [`Errors: ${errorLinks(errors)}.`] : []),
      ].join('\n\n'),
    )
    .join('\n\n');
}

function eventSections(tables: SchemaTables, events: EventMap, path: string): string {
  return Object.entries(events)
    .map(([name, { payload, ack }]) =>
      [
        heading(name, path),
        `${tables.meaning(path, name)}${ack ? ' Wants an acknowledgement.' : ''}`,
        tables.message(payload, `${path}.${name}.payload`),
      ].join('\n\n'),
    )
    .join('\n\n');
}

/** Names of the other parts get an addition, since some are names of the client's side too. */
function heading(name: string, path: string): string {
  if (path.startsWith('client')) return `### ${name}`;
  return `#### ${name} (${path.startsWith('clinic') ? 'clinic' : 'control link'})`;
}

const errorLinks = (codes: readonly ErrorCode[]): string =>
  list(codes.map((name) => `[${code(name)}](errors.md#${name})`));

/** What each reason means, and what a client does next. */
const CLOSE_REASONS: Record<CloseReason, [meaning: string, next: string]> = {
  replaced: ['The same participant connected elsewhere.', 'Stay away.'],
  removed: ['The participant was sent out of the visit.', 'Stay away: the token is refused.'],
  denied: ['Who may admit did not let them in.', 'Stay away: the token is refused.'],
  'visit-ended': ['The visit is over.', 'Stay away.'],
  'token-expired': [
    'The token expired and was not renewed.',
    'Connect with a new token, if there is one.',
  ],
  'shutting-down': [
    'The gateway stops.',
    'Connect again with the session id, after `retryAfterMs` and a random pause.',
  ],
  moved: [
    'Another gateway owns the visit now.',
    'Connect again with the session id, after `retryAfterMs` and a random pause.',
  ],
};

const closeReasons = (): string =>
  table(
    ['`reason`', 'What happened', 'What to do'],
    Object.entries(CLOSE_REASONS).map(([reason, row]) => [code(reason), ...row]),
  );

const limits = (comments: Comments): string =>
  table(
    ['Name', 'Limit', 'Of what'],
    Object.entries(LIMITS).map(([name, value]) => [
      code(name),
      number(value),
      comments.texts.get(`LIMITS.${name}`) ?? '',
    ]),
  );

/** Figures that the prose names. */
function figures(): Record<string, string> {
  const seconds = (ms: number) => number(ms / 1000);
  const variables: Record<string, { default?: string; description: string }> = GATEWAY_VARIABLES;
  const byDefault = (name: keyof typeof GATEWAY_VARIABLES) => Number(variables[name]?.default);
  const common = (codes: readonly ErrorCode[]) => errorLinks(codes);
  return {
    version: String(PROTOCOL_VERSION),
    ping: seconds(PING_INTERVAL_MS),
    pong: seconds(PING_TIMEOUT_MS),
    skew: String(CLOCK_SKEW_SECONDS),
    handshake: seconds(HANDSHAKE_DEADLINE_MS),
    command: seconds(COMMAND_DEADLINE_MS),
    grace: seconds(byDefault('BEDSIDE_GRACE_MS')),
    remembered: number(LIMITS.rememberedRequests),
    clientMessageBytes: number(LIMITS.clientMessageBytes),
    controlMessageBytes: number(LIMITS.controlMessageBytes),
    inFlight: number(MAX_IN_FLIGHT),
    frameFactor: number(FRAMES_PER_COMMAND),
    commandBurst: number(byDefault('BEDSIDE_SOCKET_COMMAND_BURST')),
    commandRate: number(byDefault('BEDSIDE_SOCKET_COMMANDS_PER_SECOND')),
    addressBurst: number(byDefault('BEDSIDE_ADDRESS_CONNECTION_BURST')),
    addressRate: number(byDefault('BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND')),
    tenantBurst: number(byDefault('BEDSIDE_TENANT_CONNECTION_BURST')),
    tenantRate: number(byDefault('BEDSIDE_TENANT_CONNECTIONS_PER_SECOND')),
    backpressure: number(byDefault('BEDSIDE_MAX_BACKPRESSURE_BYTES')),
    'common errors': common(CLIENT_COMMON_ERRORS),
    'clinic common errors': common(CLINIC_COMMON_ERRORS),
    'control common errors': common(CONTROL_COMMON_ERRORS),
  };
}
