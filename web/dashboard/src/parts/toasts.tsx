// What an action led to, in words, for as long as it takes to read them.

import { Toast } from "@base-ui/react/toast";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { Problem } from "../api";
import { t } from "../words";
import { detailText, fieldText, labelOf } from "../words/problems";

type Kind = "good" | "bad";

const SHOWN_MS = { good: 4_000, bad: 12_000 };
const MOST = 4;
const manager = Toast.createToastManager();

function say(kind: Kind, text: string): void {
  manager.add({ description: text, type: kind, timeout: SHOWN_MS[kind] });
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

export const Toasts = () => (
  <Toast.Provider toastManager={manager} limit={MOST}>
    <Toast.Portal>
      <Toast.Viewport className="toasts" aria-label={t("Notifications")}>
        <Shown />
      </Toast.Viewport>
    </Toast.Portal>
  </Toast.Provider>
);

function Shown() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((each) => (
    <Toast.Root key={each.id} toast={each} role="group" className={`toast ${each.type}`} swipeDirection="right">
      <Toast.Content>
        {each.type === "bad" ? <CircleAlert aria-hidden="true" /> : <CircleCheck aria-hidden="true" />}
        <Toast.Description />
        <Toast.Close className="icon" aria-hidden={false} aria-label={t("Close")}>
          <X aria-hidden="true" />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
