// Something that is shown once: Escape, the back gesture or a click beside the dialog asks before it is gone.

import { type RefObject, useEffect, useRef, useState } from "react";
import { t } from "../words";
import { giveFocus } from "./focus";

const DIALOG = "dialog, [role=dialog]";

/** Whether a click is beside a dialog; a click on the ground behind the browser's own one is a click on itself. */
function isBeside(dialog: Element, event: MouseEvent): boolean {
  if (event.target !== dialog) return event.target instanceof Node && !dialog.contains(event.target);
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom;
}

/** While `isGuarded`, the dialog around `box` is closed by its own buttons only; anything else calls `ask`. */
export function useShownOnce(box: RefObject<HTMLElement | null>, isGuarded: boolean, ask: () => void): void {
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    const dialog = box.current?.closest(DIALOG);
    if (!dialog || !isGuarded) return;
    const stop = (event: Event): void => {
      event.preventDefault();
      event.stopImmediatePropagation();
      latest.current();
    };
    // Before any other listener: a dialog of any kind closes only by what it hears.
    const onKey = (event: KeyboardEvent): void => void (event.key === "Escape" && stop(event));
    const onPress = (event: MouseEvent): void => void (isBeside(dialog, event) && stop(event));
    const onCancel = (event: Event): void => void (event.target === dialog && stop(event));
    const listen = { capture: true };
    document.addEventListener("keydown", onKey, listen);
    document.addEventListener("pointerdown", onPress, listen);
    document.addEventListener("click", onPress, listen);
    document.addEventListener("cancel", onCancel, listen);
    return () => {
      document.removeEventListener("keydown", onKey, listen);
      document.removeEventListener("pointerdown", onPress, listen);
      document.removeEventListener("click", onPress, listen);
      document.removeEventListener("cancel", onCancel, listen);
    };
  }, [box, isGuarded]);
}

/** Asked before a password is gone for good. */
export function LeaveQuestion({ save, leave, stay }: { save: () => void; leave: () => void; stay: () => void }) {
  const first = useRef<HTMLButtonElement>(null);
  const [before] = useState(() => document.activeElement);
  useEffect(() => {
    first.current?.focus();
    return () => giveFocus(before);
  }, [before]);
  return (
    <div className="row question" role="alert">
      <strong>{t("The password won't be shown again.")}</strong>
      <button ref={first} type="button" className="primary" onClick={save}>
        {t("Download credentials")}
      </button>
      <button type="button" onClick={stay}>
        {t("Back")}
      </button>
      <button type="button" className="danger" onClick={leave}>
        {t("Close without saving")}
      </button>
    </div>
  );
}
