// What an action led to, in words, for as long as it takes to read them.

import { useSyncExternalStore } from "react";
import { Problem } from "../api";
import { t } from "../words";
import { detailText, fieldText, labelOf } from "../words/problems";

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

export const failed = (error: unknown): void => say("bad", inWords(error));

/** An error in the reader's language, each text once; of a problem only these fields, if any are named. */
export function inWords(error: unknown, fields?: string[]): string {
  if (error instanceof Problem) {
    const named = Object.entries(error.errors).filter(([name]) => !fields || fields.includes(name));
    if (named.length) return [...new Set(named.map(([name, detail]) => fieldText(labelOf(name), detail)))].join("; ");
    if (error.status === 0) return t(error.message);
    return (error.detail && detailText(error.detail)) ?? t("The request failed ({status}). Try again.", { status: error.status });
  }
  // What the page itself throws is in words already; the browser's own errors are for developers.
  return error instanceof Error && error.constructor === Error ? error.message : t("Something went wrong");
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
