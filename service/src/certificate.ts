import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** Files of one end of TLS, PEM each. Certificate and key go together. */
export interface TlsFiles {
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Authorities by which the other end's certificate is checked, in place of the system's. */
  readonly caFile?: string;
}

export interface CertificateFiles extends TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** As node:tls takes them. */
export interface TlsMaterial {
  cert?: Buffer;
  key?: Buffer;
  ca?: Buffer;
}

/** How often the files are looked at, milliseconds. Polling, since renewers swap symbolic links, which inotify does not follow. */
export const CERTIFICATE_POLL_MS = 5000;

/**
 * What the files hold now.
 * @throws Error where they can not be read, are no PEM, or the key is not the certificate's.
 */
export function readTls({ certFile, keyFile, caFile }: TlsFiles): TlsMaterial {
  const material = {
    ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
  };
  createSecureContext(material);
  // A file without one would be taken, and mean that nobody is trusted.
  if (material.ca) new X509Certificate(material.ca);
  return material;
}

/**
 * What the files hold, as a digest that tells one content from another.
 * @throws as readTls
 */
export function readCertificate(files: TlsFiles): string {
  const { cert = '', key = '', ca = '' } = readTls(files);
  return [cert, key, ca]
    .reduce((hash, part) => hash.update(part), createHash('sha256'))
    .digest('base64');
}

/**
 * Calls `renew` when the files hold another certificate and the key that belongs to it, or other
 * authorities. Where they do not fit together (a renewer writes one after the other) or `renew` throws,
 * `onUnusable` is called, and the next change is waited for. Returns a function that stops it.
 */
export function watchCertificate(
  files: CertificateFiles,
  renew: () => void,
  onUnusable: (error: unknown) => void,
  pollMs = CERTIFICATE_POLL_MS,
): () => void {
  let served = readCertificate(files);
  const look = () => {
    try {
      const found = readCertificate(files);
      if (found === served) return;
      renew();
      served = found;
    } catch (error) {
      onUnusable(error);
    }
  };
  const paths = [files.certFile, files.keyFile, ...(files.caFile ? [files.caFile] : [])];
  for (const path of paths) watchFile(path, { interval: pollMs, persistent: false }, look);
  return () => {
    for (const path of paths) unwatchFile(path, look);
  };
}
