/** How `count` tiles fill an area without scrolling. Lengths are CSS pixels. */
export interface GridLayout {
  columns: number;
  rows: number;
  tileWidth: number;
  tileHeight: number;
}

export interface GridOptions {
  gap?: number;
  /** Narrowest and widest shape of a tile, as width divided by height. */
  minAspect?: number;
  maxAspect?: number;
}

/** A face needs no more than 3:4; wider than 16:9 a camera's picture is cut above and below. */
const DEFAULTS = { gap: 8, minAspect: 3 / 4, maxAspect: 16 / 9 };
/** What of a picture is seen counts more than how large it is: the shape cameras send. */
const CAMERA_ASPECT = 16 / 9;

/** The arrangement that shows the most of every picture: all columns are tried, the largest visible area wins. */
export function gridLayout(
  count: number,
  width: number,
  height: number,
  options: GridOptions = {},
): GridLayout {
  const { gap, minAspect, maxAspect } = { ...DEFAULTS, ...options };
  let best: GridLayout = { columns: 1, rows: Math.max(1, count), tileWidth: 0, tileHeight: 0 };
  let bestScore = -1;
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(Math.max(1, count) / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const aspect = Math.min(maxAspect, Math.max(minAspect, cellWidth / cellHeight));
    const tileWidth = Math.floor(Math.min(cellWidth, cellHeight * aspect));
    const tileHeight = Math.floor(Math.min(cellHeight, cellWidth / aspect));
    const visible = Math.min(aspect / CAMERA_ASPECT, CAMERA_ASPECT / aspect);
    const score = tileWidth * tileHeight * Math.sqrt(visible);
    if (score > bestScore) {
      bestScore = score;
      best = { columns, rows, tileWidth, tileHeight };
    }
  }
  return best;
}

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where everything on the stage goes. `x` counts from the inline start, so that it serves both directions. */
export interface Arrangement {
  screens: readonly Rect[];
  people: readonly Rect[];
  self: Rect;
  /** Whether one's own picture lies over the others (few people) or takes part in the grid. */
  selfFloats: boolean;
}

export interface Stage {
  screens: number;
  people: number;
  width: number;
  height: number;
  gap?: number;
}

/** From this many others on, one's own picture is a tile like theirs: over a small tile it would hide a face. */
const SELF_IN_GRID = 3;

export function arrange({
  screens,
  people,
  width,
  height,
  gap = DEFAULTS.gap,
}: Stage): Arrangement {
  const selfFloats = screens === 0 && people < SELF_IN_GRID;
  const whole: Rect = { x: 0, y: 0, width, height };
  const [shared, crowd] = screens > 0 ? split(whole, gap) : [whole, whole];
  const tiles = grid(people + (selfFloats ? 0 : 1), crowd, gap);
  return {
    screens: screens > 0 ? grid(screens, shared, gap, { minAspect: 1 / 4, maxAspect: 4 }) : [],
    people: tiles.slice(0, people),
    self: selfFloats ? corner(whole, people, gap) : (tiles[people] ?? whole),
    selfFloats,
  };
}

/** The area of the screens and that of the people: beside it where the stage is wide, below where it is tall. */
function split({ width, height }: Rect, gap: number): readonly [Rect, Rect] {
  if (width >= height) {
    const strip = Math.round(Math.min(340, Math.max(112, width * 0.2)));
    const main = width - strip - gap;
    return [
      { x: 0, y: 0, width: main, height },
      { x: main + gap, y: 0, width: strip, height },
    ];
  }
  const strip = Math.round(Math.max(96, height * 0.34));
  const main = height - strip - gap;
  return [
    { x: 0, y: 0, width, height: main },
    { x: 0, y: main + gap, width, height: strip },
  ];
}

function grid(count: number, area: Rect, gap: number, shape: GridOptions = {}): Rect[] {
  if (count === 0) return [];
  const { columns, rows, tileWidth, tileHeight } = gridLayout(count, area.width, area.height, {
    gap,
    ...shape,
  });
  const top = area.y + (area.height - rows * tileHeight - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row < rows - 1 ? columns : count - columns * (rows - 1);
    const start = area.x + (area.width - inRow * tileWidth - (inRow - 1) * gap) / 2;
    return {
      x: Math.round(start + (index - row * columns) * (tileWidth + gap)),
      y: Math.round(top + row * (tileHeight + gap)),
      width: tileWidth,
      height: tileHeight,
    };
  });
}

/** One's own picture in the lower corner at the inline end; larger while nobody else is there. */
function corner({ width, height }: Rect, people: number, gap: number): Rect {
  const tall = height > width * 1.1;
  const share = people === 0 ? 0.36 : tall ? 0.27 : 0.2;
  const wide = Math.min(width, height * 1.6);
  const own = Math.round(Math.min(people === 0 ? 420 : 300, Math.max(84, wide * share)));
  const high = Math.round(tall ? (own * 4) / 3 : (own * 9) / 16);
  const margin = gap * 1.5;
  return { x: width - own - margin, y: height - high - margin, width: own, height: high };
}
