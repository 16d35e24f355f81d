import {
  CLIENT_COMMON_ERRORS,
  CLIENT_HANDSHAKE_ERRORS,
  CLINIC_COMMON_ERRORS,
  CLINIC_HANDSHAKE_ERRORS,
  CONTROL_COMMON_ERRORS,
  CONTROL_HANDSHAKE_ERRORS,
  type CommandMap,
  clientCommands,
  clinicCommands,
  controlCommands,
  ERROR_CODES,
  ERRORS,
  type ErrorCode,
  type ErrorKind,
  REST_ERRORS,
} from '@bedside/protocol';
import { code, NOTICE, table } from './markdown.ts';
import { protocolComments } from './protocol.ts';

/** What the developer or operator does about each. */
const REMEDIES: Record<ErrorCode, string> = {
  unauthorized:
    'Mint a new token, once, and connect again. Operators find the reason in `bedside_gateway_token_failures_total`.',
  forbidden: 'Give the token the role or the grant, or do not offer the command.',
  'visit-ended': 'Show that the visit is over. A new encounter is a new visit id.',
  removed: 'Show it, and do not connect again.',
  'already-admitted': 'Show that a colleague was quicker; take the next one.',
  'call-taken': 'Stop ringing; the next call comes by itself.',
  'invite-used': 'Ask who invited for another invitation.',
  replaced: 'Show it, and do not connect again: the two pages would drive each other out.',
  'session-expired':
    'Forget the session id, connect again and `join`. Version 1 of the gateway answers with `resumed: false` instead.',
  'limit-reached':
    'Stop a share, or wait until somebody has left. See the limits in [protocol.md](protocol.md#limits).',
  'rate-limited':
    'Wait for `retryAfterMs`, or with backoff, then repeat under the same request id.',
  'media-unsupported':
    'Offer Opus and VP8 or H.264; check that the capabilities were derived from `welcome`.',
  'invalid-request':
    'Mend the field that `field` names; [protocol.md](protocol.md) has its form. `(root)` is the request as a whole.',
  'unknown-command': 'Check the name, and the version that `welcome` named.',
  'unsupported-version':
    'Deploy a current SDK. Pages of one version before the gateway’s are served.',
  'not-joined': 'Send `join` and wait for its answer.',
  'not-found': 'Drop the id. For a `close` it means that the work is done.',
  conflict: 'Look at the visit as it is, then decide anew.',
  'stale-epoch':
    'Nothing: the gateway steps down by itself. Many of them mean that gateways compete for visits; see that the balancer hashes on the visit.',
  moved:
    'Connect again with the same session id, after `retryAfterMs`. See that the balancer hashes on the visit.',
  capacity: 'Try again with backoff. Add nodes, or raise the limits of a worker.',
  'media-unavailable':
    'Try again after `retryAfterMs`, or with backoff. Look at `bedside_gateway_node_links`.',
  'media-lost': 'Send `join` for new transports.',
  'state-unavailable': 'Try again with backoff. Look after Redis; visits under way go on.',
  'shutting-down': 'Connect again after `retryAfterMs` and a random pause.',
  deadline: 'Repeat under the same request id; if it goes on, connect again.',
  internal: 'Look in the log of gateway or node: it is there once, with its cause. Report it.',
  'connection-failed':
    'The SDK goes on by itself. If it never succeeds: check the address, the proxy and `connect-src`.',
  'token-unavailable': 'Check the `tokenProvider` and the server behind it.',
  'permission-denied': 'Show the text, and try again on a click. Offer to join without.',
  'device-not-found': 'Offer the devices that are there, or to join without.',
  'device-in-use': 'Show the text, and try again on a click.',
  'insecure-context': 'Serve the page by https.',
  'permissions-policy':
    'Send the header and the `allow` attribute that [sdk.md](sdk.md#content-security-policy-permissions-policy-frames) shows.',
  'browser-unsupported': 'Show the text.',
  'autoplay-blocked': 'Call `startAudio()` in a click handler.',
};

const KINDS: Record<ErrorKind, string> = {
  user: 'A person can act on it: show them the text.',
  protocol: 'The caller’s code is wrong. Mend it; the same request will fail again.',
  unavailable: 'The same request may work later. Retry with backoff.',
  internal: 'A fault of ours. It is in our log.',
};

/** docs/errors.md, from the registry. */
export function errorsDocument(): string {
  const { texts } = protocolComments();
  const causeOf = (name: string): string => {
    const cause = texts.get(`ERRORS.${name}`);
    if (cause === undefined) throw new Error(`ERRORS.${name} has no doc comment`);
    return cause;
  };
  const origins = originsOf(causeOf);
  return [
    NOTICE,
    '# Errors',
    'An error that crosses a boundary has a `code`, which is stable; a `kind`, which says whose turn it is; `retryable`, which says whether the same request with the same request id may succeed later; and a text for the person, in English. Codes are added, never changed. Take a code that you do not know by its kind. [protocol.md](protocol.md#commands-and-answers) has its form on the wire; for `/v1` it comes as problem details (RFC 9457) with the HTTP status below.',
    table(
      ['Kind', 'Whose turn it is'],
      Object.entries(KINDS).map(([kind, meaning]) => [code(kind), meaning]),
    ),
    table(
      ['Code', 'Kind', 'Retryable', 'HTTP'],
      Object.entries(ERRORS).map(([name, { kind, retryable, status }]) => [
        `[${code(name)}](#${name})`,
        kind,
        retryable ? 'yes' : 'no',
        String(status),
      ]),
    ),
    ...Object.entries(ERRORS).map(([name, { text }]) =>
      [
        `## ${name}`,
        `> ${text}`,
        [
          `- **Cause.** ${causeOf(name)}`,
          `- **What to do.** ${REMEDIES[name as ErrorCode]}`,
          `- **From.** ${origins.get(name as ErrorCode)?.join(', ') ?? 'Nobody, in this version'}.`,
        ].join('\n'),
      ].join('\n\n'),
    ),
  ].join('\n\n');
}

/** Where each code may come from, as links into protocol.md. */
function originsOf(causeOf: (name: string) => string): ReadonlyMap<ErrorCode, string[]> {
  const origins = new Map<ErrorCode, string[]>();
  const add = (codes: readonly ErrorCode[], origin: string) => {
    for (const name of codes) origins.set(name, [...(origins.get(name) ?? []), origin]);
  };
  add(CLIENT_HANDSHAKE_ERRORS, '[handshake](protocol.md#handshake)');
  add(CLIENT_COMMON_ERRORS, '[every command of a client](protocol.md#commands-of-a-client)');
  for (const [name, { errors }] of Object.entries<CommandMap[string]>(clientCommands))
    add(errors, `[${code(name)}](protocol.md#${name})`);
  add(CLINIC_HANDSHAKE_ERRORS, '[handshake of a clinic](protocol.md#a-clinics-sockets)');
  add(CLINIC_COMMON_ERRORS, '[every command of a clinic](protocol.md#commands-of-a-clinic)');
  for (const [name, { errors }] of Object.entries<CommandMap[string]>(clinicCommands))
    add(errors, `[${code(name)}](protocol.md#${name}-clinic) of a clinic`);
  add(REST_ERRORS, '[`/v1`](openapi.json)');
  add(CONTROL_HANDSHAKE_ERRORS, '[handshake of a gateway](protocol.md#the-control-link)');
  add(CONTROL_COMMON_ERRORS, '[every command of a gateway](protocol.md#commands-of-a-gateway)');
  for (const [name, { errors }] of Object.entries<CommandMap[string]>(controlCommands))
    add(errors, `[${code(name)}](protocol.md#${name}-control-link) at a node`);
  for (const name of ERROR_CODES)
    if (causeOf(name).startsWith('SDK: ')) add([name], '[the SDK](sdk.md#errors), in the browser');
  return origins;
}
