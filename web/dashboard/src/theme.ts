// Light, dark, or as the system has it.

import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "roost.theme";
const listeners = new Set<() => void>();
const dark = matchMedia("(prefers-color-scheme: dark)");

const kept = localStorage.getItem(KEY);
let theme: Theme = kept === "light" || kept === "dark" ? kept : "system";

export const isDark = (): boolean => theme === "dark" || (theme === "system" && dark.matches);

function draw(): void {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  for (const listener of listeners) listener();
}

export function setTheme(chosen: Theme): void {
  theme = chosen;
  localStorage.setItem(KEY, chosen);
  draw();
}

/** What was chosen; draws again when that, or the system, changes. */
export function useTheme(): Theme {
  useIsDark();
  return theme;
}

export function useIsDark(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => `${theme} ${isDark()}`).endsWith("true");
}

dark.addEventListener("change", draw);
draw();
