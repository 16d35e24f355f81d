/**
 * What mediasoup-client asks of h264-profile-level-id, by RFC 6184, section 8.1. The build puts it in that
 * package's place, which can do more.
 */

type Parameters = Readonly<Record<string, unknown>>;

/** Of each profile: profile_idc, which bits of profile_iop count and what they are, and how it is written. */
const PROFILES = [
  [0x42, 0x4f, 0x40, 0x42e0],
  [0x4d, 0x8f, 0x80, 0x42e0],
  [0x58, 0xcf, 0xc0, 0x42e0],
  [0x42, 0x4f, 0, 0x4200],
  [0x58, 0xcf, 0x80, 0x4200],
  [0x4d, 0xaf, 0, 0x4d00],
  [0x64, 0xff, 0, 0x6400],
  [0x64, 0xff, 0x0c, 0x640c],
  [0xf4, 0xff, 0, 0xf400],
] as const;
/** Constrained baseline, 3.1: what a browser means that says nothing. */
const DEFAULT = '42e01f';
/** With level 11 it means level 1b, which is between 1 and 1.1. */
const CONSTRAINT_SET_3 = 0x10;
const LEVEL_1B = 10.5;
/** Of these profiles. */
const HAVE_1B: readonly number[] = [0x42e0, 0x4200, 0x4d00];

function parse(parameters: Parameters = {}) {
  const text = parameters['profile-level-id'] || DEFAULT;
  if (typeof text !== 'string' || text.length !== 6) return undefined;
  const id = Number.parseInt(text, 16);
  const iop = (id >> 8) & 0xff;
  const idc = id & 0xff;
  const is1b = idc === 11 && iop & CONSTRAINT_SET_3;
  const profile = PROFILES.find(
    ([known, mask, value]) => known === id >> 16 && value === (iop & mask),
  )?.[3];
  const isLevel = idc === 13 || (idc >= 10 && idc <= 52 && idc % 10 < 3);
  return profile && isLevel ? { profile, level: is1b ? LEVEL_1B : idc } : undefined;
}

/** Whether both are of one profile, of whatever levels. */
export function isSameProfile(one?: Parameters, other?: Parameters): boolean {
  const parsed = parse(one);
  return parsed !== undefined && parsed.profile === parse(other)?.profile;
}

/**
 * The profile-level-id to answer with; undefined where neither says one.
 * @throws TypeError where they are not of one profile
 */
export function generateProfileLevelIdStringForAnswer(
  local: Parameters = {},
  remote: Parameters = {},
): string | undefined {
  if (!local['profile-level-id'] && !remote['profile-level-id']) return undefined;
  const mine = parse(local);
  const theirs = parse(remote);
  if (!mine || mine.profile !== theirs?.profile) throw new TypeError();
  const isFree = [local, remote].every((parameters) =>
    [true, 1, '1'].includes(parameters['level-asymmetry-allowed'] as string),
  );
  const level = isFree ? mine.level : Math.min(mine.level, theirs.level);
  if (level !== LEVEL_1B) return written(mine.profile, level);
  return HAVE_1B.includes(mine.profile) ? written(mine.profile | CONSTRAINT_SET_3, 11) : undefined;
}

const written = (profile: number, level: number): string =>
  ((profile << 8) | level).toString(16).padStart(6, '0');
