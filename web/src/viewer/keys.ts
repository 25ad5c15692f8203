// What keys do in the viewer, and how the help lists them.

import { PRESET_NAMES, PRESETS } from "./presets";
import type { Stack, Tool } from "./stack";

/** What keys reach beside the stack. */
export interface Commands {
  otherSeries(step: number): void;
  play(): void;
  annotations(): void;
  help(): void;
}

const TOOL_KEYS: Record<string, Tool> = { w: "window", s: "scroll", z: "zoom", m: "pan", l: "length" };
const ARROWS: Record<string, readonly [number, number]> = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** For the help: the keys, and the text that says what they do. */
export const KEY_HELP = [
  [["↑", "↓", "←", "→"], "key_scroll"], [["PgUp", "PgDn"], "key_far"], [["Home", "End"], "key_ends"], [["[", "]"], "key_series"],
  [["W", "S", "Z", "M", "L"], "key_tools"], [["1 – 7", "0"], "key_presets"], [["+", "−", "F", "O"], "key_zoom"],
  [["R", "H", "V", "I"], "key_turn"], [["X"], "key_reset"], [["Space"], "key_play"],
  [["Shift + ↑ ↓ ← →"], "key_cursor"], [["Enter"], "key_mark"], [["Del"], "key_remove"], [["A"], "key_annotations"], [["?"], "key_help"],
] as const;

/** Does what the key stands for; false where it stands for nothing. */
export function pressed(event: KeyboardEvent, stack: Stack | null, commands: Commands): boolean {
  if (event.altKey || event.metaKey) return false;
  const arrow = ARROWS[event.key];
  if (arrow && stack && event.shiftKey) {
    moveCursor(stack, arrow, event.ctrlKey ? 10 : 1);
    return true;
  }
  if (event.ctrlKey) return false;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const command = generalKeys(commands)[key] ?? (stack ? stackKeys(stack)[key] : undefined);
  command?.();
  return command !== undefined;
}

function generalKeys(commands: Commands): Record<string, () => void> {
  return {
    "[": () => commands.otherSeries(-1),
    "]": () => commands.otherSeries(1),
    " ": commands.play,
    a: commands.annotations,
    "?": commands.help,
  };
}

function stackKeys(stack: Stack): Record<string, () => void> {
  const by = (pictures: number) => () => stack.show(stack.at.value + pictures);
  const keys: Record<string, () => void> = {
    ArrowUp: by(-1), ArrowLeft: by(-1), ArrowDown: by(1), ArrowRight: by(1), PageUp: by(-10), PageDown: by(10),
    Home: () => stack.show(0), End: () => stack.show(stack.length - 1),
    "+": () => stack.zoomBy(1.25), "-": () => stack.zoomBy(0.8), f: () => stack.fit(), o: () => stack.showActualSize(),
    r: () => stack.turn(), h: () => stack.flip("horizontal"), v: () => stack.flip("vertical"), i: () => stack.invert(),
    x: () => stack.reset(), 0: () => stack.setWindow(null),
    Delete: () => stack.removeLine(), Backspace: () => stack.removeLine(),
    Enter: () => { if (stack.tool.value === "length") stack.mark(stack.cursor.value ?? middle(stack)); },
  };
  for (const [key, tool] of Object.entries(TOOL_KEYS)) keys[key] = () => { stack.tool.value = tool; };
  PRESET_NAMES.forEach((name, at) => { keys[at + 1] = () => stack.setWindow(PRESETS[name]); });
  return keys;
}

function moveCursor(stack: Stack, [right, down]: readonly [number, number], far: number): void {
  const { columns, rows } = stack.size.value;
  const [x, y] = stack.cursor.value ?? middle(stack);
  const within = (value: number, size: number) => Math.min(Math.max(value, 0.5), size - 0.5);
  stack.moveCursor([within(x + right * far, columns), within(y + down * far, rows)]);
  stack.announce();
}

/** The middle of the pixel in the middle of the image. */
function middle(stack: Stack): readonly [number, number] {
  const { columns, rows } = stack.size.value;
  return [(columns >> 1) + 0.5, (rows >> 1) + 0.5];
}
