// Dialogs, which give the focus back, and lose nothing that was typed to a slip of the finger.

import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { t } from "../words";
import { giveFocus } from "./focus";
import { focusFirst } from "./forms";

interface DialogProps {
  title: string;
  close: () => void;
  children: ReactNode;
  wide?: boolean;
}

/** The browser's own modal dialog: it keeps the focus, and Escape closes it; twice where something was typed. */
export function Dialog({ title, close, children, wide }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    if (dialog.current) focusFirst(dialog.current);
    return () => giveFocus(opener);
  }, []);
  return (
    <dialog
      ref={dialog}
      className={wide ? "wide" : ""}
      aria-labelledby={id}
      onClose={close}
      onCancel={(event) => {
        if (isAsking || event.target !== dialog.current || !hasTyped(dialog.current)) return;
        event.preventDefault();
        setAsking(true);
      }}
    >
      <div className="row apart">
        <h2 id={id}>{title}</h2>
        <button type="button" className="plain" aria-label={t("Close")} onClick={() => dialog.current?.close()}>
          ×
        </button>
      </div>
      {isAsking && <Question discard={() => dialog.current?.close()} keep={() => setAsking(false)} />}
      {children}
    </dialog>
  );
}

function Question({ discard, keep }: { discard: () => void; keep: () => void }) {
  const stay = useRef<HTMLButtonElement>(null);
  const [before] = useState(() => document.activeElement);
  useEffect(() => {
    stay.current?.focus();
    return () => giveFocus(before);
  }, [before]);
  return (
    <div className="row question" role="alert">
      <strong>{t("Discard what you typed?")}</strong>
      <button type="button" className="danger" onClick={discard}>
        {t("Discard")}
      </button>
      <button ref={stay} type="button" onClick={keep}>
        {t("Keep editing")}
      </button>
    </div>
  );
}

/** Whether a field is not as it was; what a form keeps by itself is not lost. */
const hasTyped = (dialog: HTMLElement): boolean =>
  [...dialog.querySelectorAll<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>("input, textarea, select")].some((field) => {
    if (field.closest("[data-kept]")) return false;
    if (field instanceof HTMLSelectElement) {
      return field.selectedIndex > 0 && !field.options[field.selectedIndex]?.defaultSelected;
    }
    if (field instanceof HTMLInputElement && field.type === "checkbox") return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue;
  });
