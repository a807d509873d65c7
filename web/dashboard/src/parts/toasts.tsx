// What an action led to, in words, for as long as it takes to read them.

import { useSyncExternalStore } from "react";
import { Problem } from "../api";
import { t } from "../words";

interface Toast {
  id: number;
  kind: "good" | "bad";
  text: string;
}

const SHOWN_MS = { good: 4_000, bad: 12_000 };
const MOST = 4;
let toasts: Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(changed: Toast[]): void {
  toasts = changed;
  for (const listener of listeners) listener();
}

const drop = (id: number): void => set(toasts.filter((each) => each.id !== id));

function say(kind: Toast["kind"], text: string): void {
  const id = next++;
  set([...toasts, { id, kind, text }].slice(-MOST));
  setTimeout(() => drop(id), SHOWN_MS[kind]);
}

export const done = (text: string): void => say("good", text);

/** An error in words; a problem's fields are part of them. */
export const failed = (error: unknown): void => say("bad", inWords(error));

export function inWords(error: unknown): string {
  if (error instanceof Problem) {
    const fields = Object.entries(error.errors).map(([name, text]) => `${name}: ${text}`);
    return [t(error.detail || error.title), ...fields].filter(Boolean).join("; ");
  }
  return error instanceof Error ? error.message : String(error);
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((each) => (
        <div key={each.id} className={`toast ${each.kind}`}>
          <span>{each.text}</span>
          <button type="button" className="plain" aria-label={t("Close")} onClick={() => drop(each.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
