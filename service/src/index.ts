/** What our processes are made of, whether gateway or node. */
export { authority, isLoopback, reachableHost } from './addresses.ts';
export {
  CERTIFICATE_POLL_MS,
  type CertificateFiles,
  readCertificate,
  readTls,
  type TlsFiles,
  type TlsMaterial,
  watchCertificate,
} from './certificate.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  CONTROL_VARIABLES,
  type ControlSettings,
  controlSecrets,
  readControlSettings,
} from './control.ts';
export { exitWith } from './exit.ts';
export { lastGood } from './last-good.ts';
export { cpuOfAVisit } from './load.ts';
export { createLog, describeError, type Logger } from './log.ts';
export { Member, nameOf, type View } from './membership/member.ts';
export { Membership, type MembershipOptions } from './membership/membership.ts';
export { MEMBERSHIP_KEYS } from './membership/scripts.ts';
export { createOps, type OpsServer, type Readiness } from './ops.ts';
export { RETRY_AFTER_MS, RedisCalls, type RedisCallsOptions } from './redis/calls.ts';
export {
  connectCommands,
  connectSubscriber,
  REDIS_OPTIONS,
  type RedisConnection,
  SUBSCRIBER_OPTIONS,
} from './redis/connection.ts';
export { redisFault } from './redis/fault.ts';
export { type Script, script } from './redis/script.ts';
export { REDIS_VARIABLES, type RedisSettings, readRedisSettings } from './redis/settings.ts';
export { readSecret, type SecretSource } from './secrets.ts';
export { type Rate, TokenBucket, TokenBuckets } from './token-bucket.ts';
export { VERSION } from './version.ts';
