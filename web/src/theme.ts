// Dark or light: as the system says, until somebody chooses. The colours are in styles/colours.css.

import { effect, signal } from "@preact/signals";
import { remember, remembered } from "./storage";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

export const theme = signal<Theme>(remembered<Theme>("theme", "system"));

effect(() => {
  remember("theme", theme.value);
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});
