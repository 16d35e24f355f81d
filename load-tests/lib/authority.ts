import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate authority of a test's own, in a folder of its own. */
export class Authority {
  readonly caFile: string;
  readonly #keyFile: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'bedside-ca-'));

  constructor() {
    this.caFile = join(this.#folder, 'ca.pem');
    this.#keyFile = join(this.#folder, 'ca.key');
    openssl(
      ...['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=authority'],
      ...['-keyout', this.#keyFile, '-out', this.caFile],
    );
  }

  /** A certificate for 127.0.0.1, good for either end of TLS, and its key. */
  issue(name: string): { certFile: string; keyFile: string } {
    const at = (suffix: string) => join(this.#folder, `${name}.${suffix}`);
    const files = { certFile: at('pem'), keyFile: at('key') };
    writeFileSync(at('ext'), 'subjectAltName=IP:127.0.0.1');
    openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', files.keyFile, '-out', at('csr'));
    openssl(
      ...['x509', '-req', '-days', '2', '-in', at('csr'), '-out', files.certFile],
      ...['-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial', '-extfile', at('ext')],
    );
    return files;
  }

  /** A file beside the certificates. */
  file(name: string, content: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
