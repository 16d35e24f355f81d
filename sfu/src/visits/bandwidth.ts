/**
 * What one picture of a signed conversation takes of a line, bits a second: its middle layer, which is
 * full motion at 360 lines, and a share of the sound.
 */
export const SIGNED_BITRATE = 400_000;
/** Pictures that gave way come back only where there is this much more than is needed, and for so long. */
const AMPLE = 1.3;
const AMPLE_MS = 5_000;
/** A line that carries less than this share of what it carried is cut: what is on its way there jams it. */
const CUT = 0.5;
/** For so long after that, protected pictures stay in their smallest layer: what jams the line anew is what delays them. */
const CAREFUL_MS = 10_000;

/** What a listener's line is known to carry. */
export interface Line {
  /** Whether pictures that are not protected give way. */
  readonly tight: boolean;
  /** Since when there is ample room again, on the clock of the estimates; undefined while there is none. */
  readonly ampleSince: number | undefined;
  /** The most that it carried since it was cut last, bits a second. */
  readonly carried: number;
  /** When that was. */
  readonly cutAt: number | undefined;
  /** Whether that is so short a time ago that protected pictures stay small. */
  readonly careful: boolean;
}

export const UNKNOWN_LINE: Line = {
  tight: false,
  ampleSince: undefined,
  carried: 0,
  cutAt: undefined,
  careful: false,
};

/**
 * The line after a new estimate. Protected pictures come before all others: mediasoup gives each picture
 * its smallest layer before any gets a second one, so on a tight line the others have to be taken away.
 * That is done at once, and undone slowly, for estimates overshoot.
 *
 * @param signed protected pictures that this listener receives
 * @param at milliseconds, of any clock that only goes forward
 */
export function estimated(line: Line, available: number, signed: number, at: number): Line {
  const needed = signed * SIGNED_BITRATE;
  const isAmple = available >= needed * AMPLE;
  const ampleSince = isAmple ? (line.ampleSince ?? at) : undefined;
  const stays = line.tight && (ampleSince === undefined || at - ampleSince < AMPLE_MS);
  const isCut =
    available < Math.min(needed, line.carried * CUT) &&
    (line.cutAt === undefined || at - line.cutAt >= AMPLE_MS);
  const cutAt = isCut ? at : line.cutAt;
  return {
    tight: available < needed || stays,
    ampleSince,
    carried: isCut ? available : Math.max(line.carried, available),
    cutAt,
    careful: cutAt !== undefined && at - cutAt < CAREFUL_MS,
  };
}
