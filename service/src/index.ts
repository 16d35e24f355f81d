/** What our processes are made of, whether gateway or node. */
export { authority, reachableHost } from './addresses.ts';
export {
  CERTIFICATE_POLL_MS,
  type CertificateFiles,
  readCertificate,
  watchCertificate,
} from './certificate.ts';
export { type Clock, systemClock } from './clock.ts';
export { createLog, describeError, type Logger } from './log.ts';
export { Member, nameOf, type View } from './membership/member.ts';
export { Membership, type MembershipOptions } from './membership/membership.ts';
export { MEMBERSHIP_KEYS } from './membership/scripts.ts';
export { createOps, type OpsServer, type Readiness } from './ops.ts';
export { RETRY_AFTER_MS, RedisCalls, type RedisCallsOptions } from './redis/calls.ts';
export { REDIS_OPTIONS } from './redis/connection.ts';
export { type Script, script } from './redis/script.ts';
export { VERSION } from './version.ts';
