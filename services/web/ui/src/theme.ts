//! Light or dark: what the person chose, else what the system says; and the tokens as values for those who paint.
import { useSyncExternalStore } from "react";
import type { Theme } from "./plot/scene.js";
import { COLORS } from "./color.js";

const KEY = "corral_theme";
const wish = matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<() => void>();

export interface Palette {
  dark: boolean;
  /** Index 1 to 12. */
  series: readonly string[];
  chart: Theme;
}

let palette: Palette;

function chosen(): "light" | "dark" {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : wish.matches ? "dark" : "light";
}

export function applyTheme(): void {
  const theme = chosen();
  document.documentElement.dataset.theme = theme;
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  palette = {
    dark: theme === "dark",
    series: ["", ...Array.from({ length: COLORS }, (_, i) => token(`d${i + 1}`))],
    chart: { grid: token("grid"), axis: token("axis"), crosshair: token("crosshair"), surface: token("surface"), warn: token("warn") },
  };
  for (const changed of watchers) changed();
}

export function toggleTheme(): void {
  const next = chosen() === "dark" ? "light" : "dark";
  // What the system wishes anyway need not be kept: the page then follows it again.
  if ((next === "dark") === wish.matches) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, next);
  applyTheme();
}

wish.addEventListener("change", applyTheme);

export function usePalette(): Palette {
  return useSyncExternalStore((changed) => {
    watchers.add(changed);
    return () => watchers.delete(changed);
  }, () => palette);
}
