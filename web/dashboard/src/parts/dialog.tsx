// Dialogs, which give the focus back, and lose nothing that was typed to a slip of the finger.

import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { t } from "../words";
import { fieldIn, hasTyped } from "./first_field";
import { giveFocus } from "./focus";

interface DialogProps {
  title: string;
  close: () => void;
  children: ReactNode;
  wide?: boolean;
}

// The last one that was opened has the keyboard: one may open over another that does not know of it.
const opened: object[] = [];

/** It keeps the focus, and Escape closes it; twice where something was typed. */
export function Dialog({ title, close, children, wide }: DialogProps) {
  const popup = useRef<HTMLDivElement>(null);
  const [opener] = useState(() => document.activeElement);
  const [isAsking, setAsking] = useState(false);
  const [me] = useState({});
  useEffect(() => {
    opened.push(me);
    return () => {
      opened.splice(opened.indexOf(me), 1);
      giveFocus(opener);
    };
  }, [me, opener]);

  function end(isOpen: boolean, details: Base.Root.ChangeEventDetails): void {
    if (isOpen) return;
    const isEscape = details.reason === "escape-key" && opened.at(-1) === me;
    const isLost = !isAsking && popup.current !== null && hasTyped(popup.current);
    if (details.reason === "close-press" || (isEscape && !isLost)) {
      close();
      return;
    }
    details.cancel();
    if (isEscape) setAsking(true);
  }

  return (
    <Base.Root open disablePointerDismissal onOpenChange={end}>
      <Base.Portal>
        <Base.Backdrop className="veil" forceRender />
        <Base.Popup
          ref={popup}
          className={wide ? "dialog wide" : "dialog"}
          initialFocus={() => (popup.current && fieldIn(popup.current)) ?? true}
          finalFocus={false}
        >
          <div className="row apart">
            <Base.Title>{title}</Base.Title>
            <Base.Close className="icon close" aria-label={t("Close")}>
              <X aria-hidden="true" />
            </Base.Close>
          </div>
          {isAsking && <Question discard={close} keep={() => setAsking(false)} />}
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
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
