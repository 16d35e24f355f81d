import { LOOPBACK_CONTROL_SECRET } from '@bedside/protocol';
import { readTls, type TlsFiles } from './certificate.ts';
import { readSecret, type SecretSource } from './secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How gateways and nodes prove themselves to each other. */
export interface ControlSettings {
  /** Read by `controlSecrets`. */
  readonly secrets: SecretSource;
  /** This end's certificate, and the authorities of the other end's. */
  readonly tls: TlsFiles;
}

/** Variables of the control links that gateway, node and command line have in common. */
export const CONTROL_VARIABLES = {
  BEDSIDE_CONTROL_SECRET: {
    description:
      'Secret shared by gateways and nodes, at least 32 characters. Several, separated by commas, while one takes the place of another: the first signs, each is believed. May be left out where gateway and nodes all are on loopback addresses.',
  },
  BEDSIDE_CONTROL_SECRET_FILE: {
    description:
      'A file with those secrets, one a line, in place of BEDSIDE_CONTROL_SECRET. Read again at every link.',
  },
  BEDSIDE_CONTROL_TLS_CERT: {
    description:
      'File of the certificate chain (PEM): at a node to serve the control link by TLS, at a gateway to show to nodes that ask for one. Read again when it changes, as are the next two.',
  },
  BEDSIDE_CONTROL_TLS_KEY: {
    description: 'File of the private key (PEM) that belongs to BEDSIDE_CONTROL_TLS_CERT.',
  },
  BEDSIDE_CONTROL_TLS_CA: {
    description:
      'File of the authorities (PEM) that the other end’s certificate is checked by. At a node: only gateways with a certificate of these are let in. At a gateway: in place of the system’s.',
  },
} as const;

type Name = keyof typeof CONTROL_VARIABLES;

const MIN_LENGTH = 32;

/**
 * The secrets as they are now: the first signs, each is believed.
 * @throws Error where the file can not be read, or a secret is too short
 */
export function controlSecrets(source: SecretSource): readonly [string, ...string[]] {
  const [first = '', ...others] = readSecret(source)
    .split(/[\s,]+/)
    .filter((secret) => secret !== '');
  const secrets = [first, ...others] as const;
  if (secrets.some(({ length }) => length < MIN_LENGTH))
    throw new Error(`a control secret is shorter than ${MIN_LENGTH} characters`);
  return [...secrets];
}

/**
 * The settings of the environment, and everything that is wrong with them: one line each, never a value.
 * @param onOneMachine nobody outside this machine is spoken to, as far as the environment says
 * @param otherwise where that is not so, in words
 */
export function readControlSettings(
  env: Environment,
  onOneMachine: boolean,
  otherwise: string,
): { settings: ControlSettings; problems: readonly string[] } {
  const problems: string[] = [];
  const wrong = (name: Name, problem: string) => {
    problems.push(`${name} ${problem}`);
  };
  const text = (name: Name) => env[name] || undefined;
  const [inline, file] = [text('BEDSIDE_CONTROL_SECRET'), text('BEDSIDE_CONTROL_SECRET_FILE')];
  const secrets = file && !inline ? { file } : { value: inline ?? LOOPBACK_CONTROL_SECRET };
  const name = 'file' in secrets ? 'BEDSIDE_CONTROL_SECRET_FILE' : 'BEDSIDE_CONTROL_SECRET';
  if (inline && file)
    wrong('BEDSIDE_CONTROL_SECRET_FILE', 'and BEDSIDE_CONTROL_SECRET are both set');
  if (!inline && !file && !onOneMachine) wrong(name, `is needed where ${otherwise}`);
  else {
    try {
      if (controlSecrets(secrets).includes(LOOPBACK_CONTROL_SECRET) && !onOneMachine)
        wrong(name, 'is the built-in one, which is for one machine only');
    } catch {
      if ('file' in secrets)
        wrong(name, `names no file with secrets of ${MIN_LENGTH} characters or more`);
      else wrong(name, `is shorter than ${MIN_LENGTH} characters`);
    }
  }

  const [certFile, keyFile, caFile] = [
    text('BEDSIDE_CONTROL_TLS_CERT'),
    text('BEDSIDE_CONTROL_TLS_KEY'),
    text('BEDSIDE_CONTROL_TLS_CA'),
  ];
  if (certFile && !keyFile) wrong('BEDSIDE_CONTROL_TLS_CERT', 'needs BEDSIDE_CONTROL_TLS_KEY');
  if (keyFile && !certFile) wrong('BEDSIDE_CONTROL_TLS_KEY', 'needs BEDSIDE_CONTROL_TLS_CERT');
  const own = certFile && keyFile ? { certFile, keyFile } : {};
  const authorities = caFile ? { caFile } : {};
  if (isUnusable(own))
    wrong(
      'BEDSIDE_CONTROL_TLS_CERT',
      'and BEDSIDE_CONTROL_TLS_KEY name no certificate with its key',
    );
  if (isUnusable(authorities)) wrong('BEDSIDE_CONTROL_TLS_CA', 'names no file with certificates');
  return { settings: { secrets, tls: { ...own, ...authorities } }, problems };
}

function isUnusable(files: TlsFiles): boolean {
  try {
    readTls(files);
    return false;
  } catch {
    return true;
  }
}
