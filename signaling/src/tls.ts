import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** How often the files are looked at, milliseconds. Polling, since renewers swap symbolic links, which inotify does not follow. */
export const CERTIFICATE_POLL_MS = 5000;

/** @throws Error where the files can not be read, are no PEM, or the key is not the certificate's. */
export function checkCertificate(files: CertificateFiles): void {
  createSecureContext({ cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) });
}

/**
 * Calls `onChange` once the files have changed and fit together; while they do not (a renewer writes
 * one after the other), it waits for the next change. Returns a function that stops it.
 */
export function watchCertificate(
  files: CertificateFiles,
  onChange: () => void,
  onUnusable: (error: unknown) => void,
  pollMs = CERTIFICATE_POLL_MS,
): () => void {
  const look = () => {
    try {
      checkCertificate(files);
    } catch (error) {
      return onUnusable(error);
    }
    onChange();
  };
  const paths = [files.certFile, files.keyFile];
  for (const path of paths) watchFile(path, { interval: pollMs, persistent: false }, look);
  return () => {
    for (const path of paths) unwatchFile(path, look);
  };
}
