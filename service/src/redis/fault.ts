/** Of what Redis answers, by the first words. Within scripts older versions put others before them. */
const FAULTS: readonly [RegExp, string][] = [
  [/\bOOM command not allowed/, 'is out of memory'],
  [/\bREADONLY\b/, 'is a replica that can not be written to'],
  [/^(WRONGPASS|NOAUTH)\b|invalid password/, 'refuses the password'],
  [/\bNOPERM\b|ACL failure/, 'does not permit its user what is needed'],
  [/^LOADING\b/, 'is loading its data'],
  [/\b(MISCONF|NOREPLICAS)\b/, 'can not keep what is written'],
  [/^(CLUSTERDOWN|MASTERDOWN|Too many Cluster redirections)/, 'is down in part'],
];
/** What TLS stumbled over, by Node's code. */
const CERTIFICATE = /CERT|SIGNATURE|ERR_TLS|ERR_SSL/;

/** What is the matter with Redis, in words for an operator: the cause itself may quote what is none of theirs. */
export function redisFault(cause: unknown): string {
  if (!(cause instanceof Error)) return 'does not answer';
  const fault = FAULTS.find(([pattern]) => pattern.test(cause.message));
  if (fault) return fault[1];
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return CERTIFICATE.test(code) ? 'and this process do not agree on TLS' : 'does not answer';
}
