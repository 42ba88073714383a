//! Light, dark, or what the system says; and the tokens as values for those who paint.
import { useSyncExternalStore } from "react";
import type { Theme } from "./plot/scene.js";
import { COLORS } from "./color.js";

// public/theme.js reads the same key before the first paint.
const KEY = "corral_theme";
const wish = matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<() => void>();

export const THEME_CHOICES = ["system", "light", "dark"] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];

export interface Palette {
  choice: ThemeChoice;
  dark: boolean;
  /** Index 1 to 12. */
  series: readonly string[];
  chart: Theme;
}

let palette: Palette;

function chosen(): ThemeChoice {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function applyTheme(): void {
  const choice = chosen();
  const dark = choice === "system" ? wish.matches : choice === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  palette = {
    choice,
    dark,
    series: ["", ...Array.from({ length: COLORS }, (_, i) => token(`d${i + 1}`))],
    chart: { grid: token("grid"), axis: token("axis"), crosshair: token("crosshair"), surface: token("surface"), warn: token("warn") },
  };
  for (const changed of watchers) changed();
}

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  applyTheme();
}

wish.addEventListener("change", applyTheme);
addEventListener("storage", (event: StorageEvent) => event.key === KEY && applyTheme());

export function usePalette(): Palette {
  return useSyncExternalStore((changed) => {
    watchers.add(changed);
    return () => watchers.delete(changed);
  }, () => palette);
}
