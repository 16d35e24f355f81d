/** Sizes and places are CSS pixels. */
export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Size {
  x: number;
  y: number;
}

/** Narrowest and widest shape of a tile, as width divided by height. */
interface Shape {
  minAspect: number;
  maxAspect: number;
}

/**
 * How a person's picture may fill its tile. `fill`: the sides may be cut, a face is in the middle.
 * `whole`: nothing is cut off, because hands speak, too.
 */
export type Fit = 'fill' | 'whole';

/** The shape that cameras send; wider than that a tile would cut above and below. */
const CAMERA_ASPECT = 16 / 9;
/** How narrow a tile may be: a face alone on the stage, faces side by side, a face with both hands among them. */
const ALONE_ASPECT = 4 / 5;
const FACE_ASPECT = 1;
const HANDS_ASPECT = 4 / 3;
const SCREEN: Shape = { minAspect: 1 / 4, maxAspect: 4 };

/** With less than this share of a picture to be seen it is shown whole, with bars beside it. */
const LEAST_VISIBLE = 0.44;

/** Whether a picture is cut to fill its tile or shown whole in it. */
export function fitOf(picture: Size, tile: Size, wanted: Fit): Fit {
  if (wanted === 'whole') return 'whole';
  const ratio = picture.width / picture.height / (tile.width / tile.height);
  return Math.min(ratio, 1 / ratio) < LEAST_VISIBLE ? 'whole' : 'fill';
}

/** How large a picture appears in its tile: over the tile's edges where it is cut. */
export function shownSize(picture: Size, tile: Size, fit: Fit): Size {
  const scales = [tile.width / picture.width, tile.height / picture.height];
  const scale = fit === 'whole' ? Math.min(...scales) : Math.max(...scales);
  return { width: picture.width * scale, height: picture.height * scale };
}

/** Where everything on the stage goes. `x` counts from the inline start, so that it serves both directions. */
export interface Arrangement {
  screens: readonly Rect[];
  people: readonly Rect[];
  /** undefined for who only watches. */
  self: Rect | undefined;
  /** Whether one's own picture lies over another's. */
  selfFloats: boolean;
}

export interface Stage extends Size {
  /** How many screens are shown. */
  screens: number;
  /** The others. */
  people: readonly Fit[];
  /** Whether oneself has a tile; who only watches has none. */
  hasSelf?: boolean;
  gap?: number;
}

const GAP = 8;
/** From this many others on, one's own picture is a tile like theirs. */
const SELF_IN_GRID = 3;
/** Below this width a name and one's own picture do not fit side by side into a tile. */
const NARROW = 560;
const LABEL_HEIGHT = 40;

export function arrange(given: Stage): Arrangement {
  const { screens, people, width, height, hasSelf = true, gap = GAP } = given;
  const stage: Rect = { x: 0, y: 0, width, height };
  if (screens > 0) {
    const [shared, crowd] = split(stage, screens, gap);
    return {
      ...together(people, crowd, gap, hasSelf),
      screens: grid(screens, shared, gap, SCREEN),
      selfFloats: false,
    };
  }
  if (hasSelf && people.length < SELF_IN_GRID) return besides(people, stage, gap);
  return { ...together(people, stage, gap, hasSelf), screens: [], selfFloats: false };
}

/** Everybody in one grid, oneself last. */
function together(
  people: readonly Fit[],
  area: Rect,
  gap: number,
  hasSelf: boolean,
): Pick<Arrangement, 'people' | 'self'> {
  const minAspect = people.includes('whole') ? HANDS_ASPECT : FACE_ASPECT;
  const count = people.length + (hasSelf ? 1 : 0);
  const tiles = grid(count, area, gap, { minAspect, maxAspect: CAMERA_ASPECT });
  return { people: tiles.slice(0, people.length), self: tiles[people.length] };
}

/**
 * Oneself small in the lower corner. Beside the others where they lose nothing by it, or where hands
 * would be hidden otherwise; over the last of them else.
 */
function besides(people: readonly Fit[], stage: Rect, gap: number): Arrangement {
  const self = corner(stage, people.length, gap);
  const shape = { minAspect: narrowest(people), maxAspect: CAMERA_ASPECT };
  const within = (area: Rect): Rect[] => grid(people.length, area, gap, shape);
  const over = within(stage);
  const [beside] = [
    within({ ...stage, width: self.x - gap }),
    within({ ...stage, height: self.y - gap }),
  ].sort((a, b) => areaOf(b) - areaOf(a));
  const handsHidden = over.some((tile, index) => people[index] === 'whole' && overlap(tile, self));
  if (beside && (handsHidden || areaOf(beside) >= areaOf(over)))
    return { screens: [], people: beside, self, selfFloats: false };
  const last = over.at(-1);
  // On a narrow stage above the name of who is below.
  const y =
    last && stage.width < NARROW
      ? Math.min(self.y, last.y + last.height - LABEL_HEIGHT - self.height)
      : self.y;
  return { screens: [], people: over, self: { ...self, y }, selfFloats: true };
}

function narrowest(people: readonly Fit[]): number {
  const hands = people.includes('whole');
  if (people.length === 1) return hands ? CAMERA_ASPECT : ALONE_ASPECT;
  return hands ? HANDS_ASPECT : FACE_ASPECT;
}

const areaOf = (tiles: readonly Rect[] | undefined): number =>
  (tiles?.[0]?.width ?? 0) * (tiles?.[0]?.height ?? 0);

export const overlap = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** The area of the screens and that of the people: beside it where the stage is wide, below where it is tall. */
function split({ width, height }: Rect, screens: number, gap: number): readonly [Rect, Rect] {
  if (width >= height) {
    const strip = Math.round(Math.min(340, Math.max(112, width * 0.2)));
    const main = width - strip - gap;
    return [
      { x: 0, y: 0, width: main, height },
      { x: main + gap, y: 0, width: strip, height },
    ];
  }
  // A screen is wider than tall: what it does not need on a phone is better spent on faces.
  const strip = Math.max(96, height * 0.34, height - gap - width * 0.8 * screens);
  const main = Math.round(height - strip - gap);
  return [
    { x: 0, y: 0, width, height: main },
    { x: 0, y: main + gap, width, height: height - main - gap },
  ];
}

/** `count` tiles of one size that fill an area without scrolling: the columns that show the most of every picture. */
function grid(count: number, area: Rect, gap: number, shape: Shape): Rect[] {
  if (count === 0) return [];
  let best = { columns: 1, rows: count, width: 0, height: 0, score: -1 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (area.width - gap * (columns - 1)) / columns,
      height: (area.height - gap * (rows - 1)) / rows,
    };
    if (cell.width <= 0 || cell.height <= 0) continue;
    const aspect = Math.min(shape.maxAspect, Math.max(shape.minAspect, cell.width / cell.height));
    const width = Math.floor(Math.min(cell.width, cell.height * aspect));
    const height = Math.floor(Math.min(cell.height, cell.width / aspect));
    // What of a picture is seen counts more than how large it is.
    const visible = Math.min(aspect / CAMERA_ASPECT, CAMERA_ASPECT / aspect);
    const score = width * height * Math.sqrt(visible);
    if (score > best.score) best = { columns, rows, width, height, score };
  }
  const { columns, rows, width, height } = best;
  const top = area.y + (area.height - rows * height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row < rows - 1 ? columns : count - columns * (rows - 1);
    const start = area.x + (area.width - inRow * width - (inRow - 1) * gap) / 2;
    return {
      x: Math.floor(start + (index - row * columns) * (width + gap)),
      y: Math.floor(top + row * (height + gap)),
      width,
      height,
    };
  });
}

/** The lower corner at the inline end; larger while nobody else is there. */
function corner({ width, height }: Rect, people: number, gap: number): Rect {
  const tall = height > width * 1.1;
  const share = people === 0 ? 0.36 : tall ? 0.27 : 0.2;
  const most = people === 0 ? 420 : 300;
  const own = Math.round(
    Math.min(most, Math.max(tall ? 84 : 120, Math.min(width, height * CAMERA_ASPECT) * share)),
  );
  const high = Math.round(tall ? own / ALONE_ASPECT : own / CAMERA_ASPECT);
  const margin = gap * 1.5;
  return { x: width - own - margin, y: height - high - margin, width: own, height: high };
}
