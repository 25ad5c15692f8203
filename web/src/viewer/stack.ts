// A series that is scrolled through: what is shown of it, and how. No component is needed for it; those that show
// something of it follow its signals.

import { batch, computed, signal } from "@preact/signals";
import { hasLuts, lutsOf, sliceTags } from "./content";
import { type Display, realValue, tableOf, type Window, windowOf } from "./display";
import { type Frame, pixelAt, rangeOf } from "./frame";
import { FrameLoader, type FramePlace } from "./frame_loader";
import type { Line } from "./measure";
import { type Painter, painterOf } from "./painter";
import { type Luts, type Slice, sliceOf } from "./slice";
import type { Tags } from "./tags";
import { applied, fittingZoom, inverse, type Matrix, matrixOf, type Point, type Size, type View, zoomedAt } from "./view";

export type Tool = "window" | "scroll" | "zoom" | "pan" | "length";
export const TOOLS: readonly Tool[] = ["window", "scroll", "zoom", "pan", "length"];

const LEAST_SLICES = 3; // of a volume
const UPRIGHT = { panX: 0, panY: 0, turns: 0, isMirrored: false };

export class Stack {
  readonly at;
  readonly tool = signal<Tool>("window");
  readonly isInverted = signal(false);
  readonly isSmooth = signal(true);
  /** Drawings that the file has beside the picture. */
  readonly overlays = { areThere: signal(false), areShown: signal(false) };
  /** What somebody has chosen; null for that of the file. */
  readonly window = signal<Window | null>(null);
  /** Null while the whole image is shown in the middle. */
  readonly ownView = signal<View | null>(null);
  readonly turned = signal({ turns: 0, isMirrored: false });
  readonly screen = signal({ width: 0, height: 0 });
  /** Where the cursor is on the image: of the mouse, or moved by keys. */
  readonly cursor = signal<Point | null>(null);
  readonly lines = signal<ReadonlyMap<number, readonly Line[]>>(new Map());
  readonly unfinished = signal<Line | null>(null);
  /** Why the picture cannot be drawn, though it is there. */
  readonly paintingError = signal<unknown>(null);
  /** Rises when the cursor has been moved by keys: screen readers are told what is there. */
  readonly announced = signal(0);
  /** Rises when frames or tags have come. */
  readonly news = signal(0);
  readonly length: number;

  private readonly loader: FrameLoader;
  private readonly stop = new AbortController();
  private readonly slices = new Map<number, Slice>();
  private readonly luts = new Map<string, Luts>();
  private tags = new Map<string, Tags>();
  private automatic: Window | null = null;
  private painter: Painter | null = null;
  private canvas: HTMLCanvasElement | null = null;
  private lastFrame: Frame | null = null;
  private isScheduled = false;
  private table: { key: string; values: Uint8Array<ArrayBuffer> } | null = null;

  constructor(readonly series: string, readonly places: readonly FramePlace[], start: number) {
    this.length = places.length;
    this.at = signal(start);
    this.loader = new FrameLoader(series, places, start, (each) => {
      this.news.value++;
      if (each === this.at.value) this.schedule();
    });
    this.loader.want(start);
  }

  /** What the tags of the first instance say holds for it; those of the others are asked for. */
  async describe(instance: string, tags: Tags): Promise<void> {
    this.tags.set(instance, tags);
    this.overlays.areThere.value = "OverlayRows" in tags;
    this.refresh();
    try {
      if (hasLuts(tags)) await this.loadLuts();
      if (this.places.some((place) => place.instance !== instance)) {
        const found = await sliceTags(this.series, this.stop.signal);
        // The first one's are complete.
        this.tags = found.set(instance, tags);
        this.refresh();
      }
    } catch (error) {
      if (!this.stop.signal.aborted) throw error;
    }
  }

  private async loadLuts(): Promise<void> {
    for (const instance of new Set(this.places.map((place) => place.instance))) {
      const tags = this.tags.get(instance);
      if (!tags) continue;
      this.luts.set(instance, await lutsOf(instance, tags, this.stop.signal));
    }
    this.refresh();
  }

  private refresh(): void {
    this.slices.clear();
    this.automatic = null;
    this.news.value++;
    this.schedule();
  }

  close(): void {
    this.stop.abort();
    this.loader.close();
    this.detach();
  }

  // What is shown

  readonly frame = computed<Frame | undefined>(() => (this.news.value, this.loader.get(this.at.value)));
  readonly failure = computed<unknown>(() => (this.news.value, this.loader.failure(this.at.value)));
  /** Whether somebody sees something: a picture, or that there is none. */
  readonly isShown = computed(() => this.frame.value !== undefined || this.failure.value !== undefined);
  /** Grey pictures that lie side by side. Whether they make up a volume, the server says when it is asked for one. */
  readonly mayBeVolume = computed(() => this.length >= LEAST_SLICES && this.frame.value?.channels === 1 && this.slice.value?.orientation != null);
  readonly loaded = computed(() => (this.news.value, this.loader.loaded));
  /** What is known of the frame; null until the tags are there. */
  readonly slice = computed<Slice | null>(() => (this.news.value, this.sliceAt(this.at.value)));
  readonly size = computed<Size>(() => {
    // While a frame is on its way, what is done with the mouse is meant for one like the last.
    const frame = this.frame.value ?? this.lastFrame;
    return { columns: frame?.columns ?? 1, rows: frame?.rows ?? 1, aspect: this.slice.value?.aspect ?? 1 };
  });
  readonly view = computed<View>(() => {
    const { width, height } = this.screen.value;
    const turned = this.turned.value;
    return { ...UPRIGHT, ...(this.ownView.value ?? { zoom: fittingZoom(this.size.value, turned.turns, width, height) }), ...turned };
  });
  /** From the image to the screen, in pixels of CSS. */
  readonly matrix = computed<Matrix>(() => matrixOf(this.view.value, this.size.value, this.screen.value.width, this.screen.value.height));
  readonly display = computed<Display | null>(() => {
    const slice = this.slice.value;
    const frame = this.frame.value;
    return slice && frame ? this.displayOf(slice, frame) : null;
  });

  private sliceAt(at: number): Slice | null {
    const place = this.places[at];
    if (!place) return null;
    let slice = this.slices.get(at) ?? null;
    const tags = this.tags.get(place.instance);
    if (!slice && tags) {
      slice = sliceOf(tags, place.frame, this.luts.get(place.instance));
      this.slices.set(at, slice);
    }
    return slice;
  }

  private displayOf(slice: Slice, frame: Frame): Display {
    const { slope, intercept, modalityLut, windowFunction } = slice;
    const display: Display = {
      slope, intercept, modalityLut, windowFunction, voiLut: null, window: null,
      isInverted: slice.isInverted !== this.isInverted.value,
    };
    if (frame.channels === 3) return { ...display, slope: 1, intercept: 0, window: this.window.value ?? windowOf(0, 255), isInverted: this.isInverted.value };
    if (this.window.value) return { ...display, window: this.window.value };
    if (slice.voiLut) return { ...display, voiLut: slice.voiLut };
    return { ...display, window: slice.windows[0] ?? this.automaticWindow(display, frame, slice.padding) };
  }

  /** Of a file that declares no window: the values of the frame that was seen first. */
  private automaticWindow(display: Display, frame: Frame, padding: number | undefined): Window {
    if (!this.automatic) this.automatic = windowOf(...this.valuesOf(display, frame, padding));
    return this.automatic;
  }

  /** The lowest real value and the highest. */
  private valuesOf(display: Display, frame: Frame, padding: number | undefined): [number, number] {
    const [low, high] = rangeOf(frame.values, padding).map((value) => realValue(display, value)) as [number, number];
    return [Math.min(low, high), Math.max(low, high)];
  }

  /** Whether the real values are whole numbers that 16 bits can hold, as those of CT are. */
  get isWhole(): boolean {
    const [frame, slice] = [this.frame.value, this.slice.value];
    if (!frame || !slice || slice.modalityLut || !Number.isInteger(slice.slope) || !Number.isInteger(slice.intercept)) return false;
    const [low, high] = rangeOf(frame.values).map((value) => value * slice.slope + slice.intercept) as [number, number];
    return frame.values.BYTES_PER_ELEMENT <= 2 && Math.max(Math.abs(low), Math.abs(high)) < 16384;
  }

  // Painting

  attach(canvas: HTMLCanvasElement): void {
    const prepare = () => {
      this.trying(() => { this.painter = painterOf(canvas); });
      this.schedule();
    };
    this.canvas = canvas;
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault(), { signal: this.stop.signal });
    canvas.addEventListener("webglcontextrestored", prepare, { signal: this.stop.signal });
    prepare();
  }

  /** The canvas is gone; what was loaded stays. */
  detach(): void {
    this.painter?.dispose();
    this.painter = null;
    this.canvas = null;
  }

  resize(width: number, height: number): void {
    this.screen.value = { width, height };
    this.schedule();
  }

  /** Paints before the browser shows its next picture, however often it is called. */
  schedule(): void {
    if (this.isScheduled || !this.canvas) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      this.trying(() => this.paint());
    });
  }

  private trying(what: () => void): void {
    try {
      what();
      this.paintingError.value = null;
    } catch (error) {
      this.paintingError.value = error;
    }
  }

  private paint(): void {
    const { canvas, painter } = this;
    if (!canvas || !painter) return;
    const { width, height } = this.screen.value;
    const scale = devicePixelRatio;
    const [columns, rows] = [Math.max(Math.round(width * scale), 1), Math.max(Math.round(height * scale), 1)];
    if (canvas.width !== columns || canvas.height !== rows) {
      canvas.width = columns;
      canvas.height = rows;
    }
    const frame = this.frame.value;
    const display = this.display.value;
    if (!frame || !display) {
      painter.clear();
      return;
    }
    this.lastFrame = frame;
    const matrix = this.matrix.value.map((each) => each * scale) as unknown as Matrix;
    painter.paint({ frame, table: this.tableFor(display, frame), matrix, isSmooth: this.isSmooth.value });
  }

  private tableFor(display: Display, frame: Frame): Uint8Array<ArrayBuffer> {
    const { slope, intercept, window, windowFunction, isInverted } = display;
    const lut = display.voiLut !== null || display.modalityLut !== null ? this.places[this.at.value]?.instance : "";
    const key = [frame.coding, slope, intercept, window?.center, window?.width, windowFunction, isInverted, lut].join(" ");
    if (this.table?.key !== key) this.table = { key, values: tableOf(display, frame.codeCount, frame.stored) };
    return this.table.values;
  }

  // What people do

  show(at: number): void {
    const next = Math.min(Math.max(at, 0), this.length - 1);
    if (next === this.at.value) return;
    batch(() => {
      this.at.value = next;
      this.unfinished.value = null;
    });
    this.loader.want(next);
    this.schedule();
  }

  /** Sees to it that a picture comes first, without showing it. */
  load(at: number): void {
    this.loader.want(at);
  }

  isLoaded(at: number): boolean {
    return this.loader.get(at) !== undefined;
  }

  hasFailed(at: number): boolean {
    return this.loader.failure(at) !== undefined;
  }

  retry(): void {
    this.loader.retry();
    this.news.value++;
  }

  /** Null takes that of the file. */
  setWindow(window: Window | null): void {
    this.window.value = window;
    this.schedule();
  }

  /** From the lowest value of the frame to the highest. */
  showAllValues(): void {
    const [frame, display] = [this.frame.value, this.display.value];
    if (!frame || !display) return;
    const [low, high] = this.valuesOf(display, frame, this.slice.value?.padding);
    this.setWindow(windowOf(low, high));
  }

  /** By so many pixels to the right and downwards: wider, and darker. */
  dragWindow(right: number, down: number): void {
    const [frame, display] = [this.frame.value, this.display.value];
    if (!frame || !display) return;
    const { center, width } = display.window ?? this.automaticWindow(display, frame, undefined);
    // A window of width 1 is a threshold already; values that are no whole numbers have finer ones.
    const span = Math.max(width - 1, Math.abs(display.slope));
    const step = span / 300;
    this.setWindow({ center: center + down * step, width: 1 + Math.max(span + right * step, 0) });
  }

  setView(view: View): void {
    batch(() => {
      this.turned.value = { turns: view.turns, isMirrored: view.isMirrored };
      this.ownView.value = view;
    });
    this.schedule();
  }

  zoomBy(factor: number, at?: Point): void {
    const { width, height } = this.screen.value;
    this.setView(zoomedAt(this.view.value, factor, at ?? [width / 2, height / 2], width, height));
  }

  /** One pixel of the image on one of the screen, exactly. */
  showActualSize(): void {
    const { width, height } = this.screen.value;
    const scale = devicePixelRatio;
    const view = { ...this.view.value, zoom: 1 / scale, panX: 0, panY: 0 };
    const [, , , , e, f] = matrixOf(view, this.size.value, width, height);
    this.setView({ ...view, panX: Math.round(e * scale) / scale - e, panY: Math.round(f * scale) / scale - f });
  }

  panBy(right: number, down: number): void {
    const view = this.view.value;
    this.setView({ ...view, panX: view.panX + right, panY: view.panY + down });
  }

  fit(): void {
    this.change(() => { this.ownView.value = null; });
  }

  turn(): void {
    const { turns, isMirrored } = this.turned.value;
    this.change(() => { this.turned.value = { turns: (turns + 1) % 4, isMirrored }; });
  }

  /** Left to right, as it is seen; or top to bottom, which is that and half a turn. */
  flip(direction: "horizontal" | "vertical"): void {
    const { turns, isMirrored } = this.turned.value;
    const lies = turns % 2 === 1;
    const half = (direction === "vertical") !== lies ? 2 : 0;
    this.change(() => { this.turned.value = { turns: (turns + half) % 4, isMirrored: !isMirrored }; });
  }

  invert(): void {
    this.change(() => { this.isInverted.value = !this.isInverted.value; });
  }

  smooth(): void {
    this.change(() => { this.isSmooth.value = !this.isSmooth.value; });
  }

  reset(): void {
    this.change(() => {
      this.ownView.value = null;
      this.turned.value = { turns: 0, isMirrored: false };
      this.isInverted.value = false;
      this.window.value = null;
    });
  }

  private change(what: () => void): void {
    batch(what);
    this.schedule();
  }

  // Values and lengths

  /** Where a point of the screen lies on the image. */
  onImage(point: Point): Point {
    return applied(inverse(this.matrix.value), point);
  }

  /** The values of the pixel under the cursor: one, or red, green and blue. */
  readonly valuesAtCursor = computed<number[]>(() => {
    const [cursor, frame, slice] = [this.cursor.value, this.frame.value, this.slice.value];
    if (!cursor || !frame || !slice) return [];
    const stored = pixelAt(frame, Math.floor(cursor[0]), Math.floor(cursor[1]));
    return stored.length === 1 ? [realValue(this.displayOf(slice, frame), stored[0] as number)] : stored;
  });

  announce(): void {
    this.announced.value++;
  }

  readonly linesHere = computed<readonly Line[]>(() => this.lines.value.get(this.at.value) ?? []);

  /** The first point of a length begins it, the second one ends it. */
  mark(point: Point): void {
    const begun = this.unfinished.value;
    if (!begun) {
      this.unfinished.value = { from: point, to: point };
      return;
    }
    batch(() => {
      this.setLines([...this.linesHere.value, { from: begun.from, to: point }]);
      this.unfinished.value = null;
    });
  }

  /** The end of the length that is being drawn follows the cursor. */
  moveCursor(point: Point | null): void {
    batch(() => {
      this.cursor.value = point;
      if (point && this.unfinished.value) this.unfinished.value = { ...this.unfinished.value, to: point };
    });
  }

  /** The unfinished length, else the last one. */
  removeLine(): void {
    if (this.unfinished.value) this.unfinished.value = null;
    else this.setLines(this.linesHere.value.slice(0, -1));
  }

  private setLines(lines: readonly Line[]): void {
    this.lines.value = new Map(this.lines.value).set(this.at.value, lines);
  }
}
