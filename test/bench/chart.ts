/** A line of a panel. */
export interface Series {
  readonly name: string;
  /** In the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A thing to compare with, or a limit: drawn thin and dashed. @default false */
  readonly isReference?: boolean;
}

/** One diagram of a chart. */
export interface Panel {
  /** What is shown, with its unit. */
  readonly title: string;
  readonly series: readonly Series[];
  /** Values above are cut off. @default the highest value */
  readonly maxY?: number;
  /** @default "linear" */
  readonly scale?: "linear" | "log";
}

/** A stretch of the x-axis with a name. */
export interface Phase {
  readonly name: string;
  readonly fromX: number;
  readonly toX: number;
}

export interface Chart {
  readonly title: string;
  /** What x is, with its unit; all panels share it. */
  readonly xTitle: string;
  readonly phases?: readonly Phase[];
  readonly panels: readonly Panel[];
}

const WIDTH = 900;
const LEFT = 64;
const RIGHT = 190;
const TOP = 34;
const PLOT_HEIGHT = 170;
/** Above a plot are its title and the names of the phases. */
const PLOT_TOP = 40;
const PANEL_HEIGHT = PLOT_TOP + PLOT_HEIGHT + 32;
const BOTTOM = 30;
const MAX_TICKS = 6;
const LEGEND_STEP = 18;
/** Told apart by lightness too. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"];

const STYLE = `
  svg { --ink: #24292f; --faint: #d0d7de; --band: #f3f5f7; --paper: #ffffff; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #d6dbe1; --faint: #3d444d; --band: #1b2028; --paper: #0d1117; }
  }
  text { font: 12px sans-serif; fill: var(--ink); }
  .title { font-size: 15px; font-weight: bold; }
  .panel { font-weight: bold; }
  .grid { stroke: var(--faint); stroke-width: 1; }
  .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
  .reference { stroke-width: 1.2; stroke-dasharray: 5 4; }`;

/** A chart as an SVG file that is readable on light and dark pages. */
export function drawChart({ title, xTitle, phases = [], panels }: Chart): string {
  const height = TOP + panels.length * PANEL_HEIGHT + BOTTOM;
  const xs = panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(([x]) => x)));
  const x = { min: Math.min(...xs), max: Math.max(...xs) };
  const drawn = panels.map((panel, index) =>
    drawPanel(panel, { top: TOP + index * PANEL_HEIGHT, x, phases }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title><style>${STYLE}\n</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="var(--paper)"/>`,
    text(LEFT, 22, title, { className: "title" }),
    ...drawn,
    text((LEFT + WIDTH - RIGHT) / 2, height - 10, xTitle, { anchor: "middle" }),
    "</svg>\n",
  ].join("\n");
}

interface PanelPlace {
  readonly top: number;
  readonly x: { readonly min: number; readonly max: number };
  readonly phases: readonly Phase[];
}

function drawPanel(panel: Panel, { top, x, phases }: PanelPlace): string {
  const { title, series, scale = "linear" } = panel;
  const ys = series.flatMap(({ points }) => points.map(([, y]) => y));
  const highest = panel.maxY ?? Math.max(...ys);
  const marks = scale === "log" ? powersOfTen(ys, highest) : steps(0, highest);
  const [low, high] = [marks[0]!, Math.max(highest, marks.at(-1)!)];
  const place = scale === "log" ? Math.log10 : (y: number) => y;
  const plotTop = top + PLOT_TOP;
  const bottom = plotTop + PLOT_HEIGHT;
  const toX = (value: number) => LEFT + ((value - x.min) / (x.max - x.min || 1)) * (WIDTH - LEFT - RIGHT);
  const toY = (value: number) => {
    const within = Math.min(high, Math.max(low, value));
    return bottom - ((place(within) - place(low)) / (place(high) - place(low) || 1)) * PLOT_HEIGHT;
  };
  const parts: string[] = [];
  for (const [index, { name, fromX, toX: end }] of phases.entries()) {
    const [from, to] = [toX(fromX), toX(Math.min(end, x.max))];
    if (index % 2 === 1) {
      parts.push(
        `<rect x="${round(from)}" y="${plotTop}" width="${round(to - from)}" height="${PLOT_HEIGHT}" fill="var(--band)"/>`,
      );
    }
    parts.push(text((from + to) / 2, plotTop - 5, name, { anchor: "middle" }));
  }
  for (const mark of marks) {
    const y = round(toY(mark));
    parts.push(`<line class="grid" x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}"/>`);
    parts.push(text(LEFT - 6, y + 4, mark.toLocaleString("en-US"), { anchor: "end" }));
  }
  for (const mark of steps(x.min, x.max)) {
    parts.push(text(round(toX(mark)), bottom + 16, mark.toLocaleString("en-US"), { anchor: "middle" }));
  }
  parts.push(text(8, plotTop - 22, title, { className: "panel" }));
  for (const [index, { name, points, isReference = false }] of series.entries()) {
    const stroke = isReference ? "var(--ink)" : COLOURS[index % COLOURS.length]!;
    const className = isReference ? "line reference" : "line";
    const path = points.map(([px, py]) => `${round(toX(px))},${round(toY(py))}`).join(" ");
    parts.push(`<polyline class="${className}" stroke="${stroke}" points="${path}"/>`);
    const y = plotTop + 10 + index * LEGEND_STEP;
    const legendX = WIDTH - RIGHT + 12;
    parts.push(
      `<line class="${className}" stroke="${stroke}" x1="${legendX}" y1="${y}" x2="${legendX + 22}" y2="${y}"/>`,
    );
    parts.push(text(legendX + 28, y + 4, name));
  }
  return parts.join("\n");
}

/** Round numbers from `min` to `max`, at most {@link MAX_TICKS} or so. */
function steps(min: number, max: number): number[] {
  const rough = (max - min) / MAX_TICKS || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const first = Math.ceil(min / step);
  const count = Math.floor(max / step) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function powersOfTen(values: readonly number[], highest: number): number[] {
  const lowest = Math.min(...values.filter((value) => value > 0), highest);
  const first = Math.floor(Math.log10(lowest));
  const last = Math.max(first + 1, Math.ceil(Math.log10(highest)));
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number((10 ** (first + index)).toPrecision(1)),
  );
}

interface TextOptions {
  readonly anchor?: "start" | "middle" | "end";
  readonly className?: string;
}

function text(x: number, y: number, content: string, { anchor, className }: TextOptions = {}): string {
  const attributes = [
    className === undefined ? "" : ` class="${className}"`,
    anchor === undefined ? "" : ` text-anchor="${anchor}"`,
  ].join("");
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escapeXml(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
