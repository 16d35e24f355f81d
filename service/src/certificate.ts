import { createHash } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** How often the files are looked at, milliseconds. Polling, since renewers swap symbolic links, which inotify does not follow. */
export const CERTIFICATE_POLL_MS = 5000;

/**
 * What the files hold, as a digest that tells one certificate from another.
 * @throws Error where the files can not be read, are no PEM, or the key is not the certificate's.
 */
export function readCertificate(files: CertificateFiles): string {
  const [cert, key] = [readFileSync(files.certFile), readFileSync(files.keyFile)];
  createSecureContext({ cert, key });
  return createHash('sha256').update(cert).update(key).digest('base64');
}

/**
 * Calls `renew` when the files hold another certificate and the key that belongs to it. Where they do
 * not fit together (a renewer writes one after the other) or `renew` throws, `onUnusable` is called,
 * and the next change is waited for. Returns a function that stops it.
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
  const paths = [files.certFile, files.keyFile];
  for (const path of paths) watchFile(path, { interval: pollMs, persistent: false }, look);
  return () => {
    for (const path of paths) unwatchFile(path, look);
  };
}
