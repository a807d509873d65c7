// What somebody does to something: asked for first where it must be, busy meanwhile, its result in words after.

import { Ellipsis, LoaderCircle } from "lucide-react";
import { type ReactNode, useState } from "react";
import { t } from "../words";
import { Dialog } from "./dialog";
import { useHeir } from "./focus";
import { ActionMenu, type Icon } from "./menu";
import { done, failed } from "./toasts";

export interface Work {
  run: () => Promise<unknown>;
  /** Said when it worked. */
  said?: string;
  /** Asked before it is done. */
  ask?: string;
  /** What the dialog is called, and its other button. */
  title?: string;
  no?: string;
  kind?: "primary" | "danger" | "plain" | "";
}

/** `begin` asks first; `dialog` is where it asks. */
function useWork(isOff = false) {
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState<(Work & { name: ReactNode }) | null>(null);
  async function go(work: Work) {
    if (busy || isOff) return;
    setAsking(null);
    setBusy(true);
    try {
      await work.run();
      if (work.said) done(work.said);
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  }
  const begin = (work: Work, name: ReactNode): void => {
    if (work.ask && !busy && !isOff) setAsking({ ...work, name });
    else void go(work);
  };
  const dialog = asking && (
    <Dialog title={asking.title ?? t("Are you sure?")} close={() => setAsking(null)}>
      <p>{asking.ask}</p>
      <div className="row">
        <button type="button" className={asking.kind === "danger" ? "danger" : "primary"} onClick={() => void go(asking)}>
          {asking.name}
        </button>
        <button type="button" onClick={() => setAsking(null)}>
          {asking.no ?? t("Cancel")}
        </button>
      </div>
    </Dialog>
  );
  return { busy, begin, dialog };
}

interface ActionProps extends Work {
  children: ReactNode;
  label?: string;
  disabled?: boolean;
}

/** A button whose work shows. */
export function Action({ children, label, disabled, ...work }: ActionProps) {
  const { busy, begin, dialog } = useWork(disabled);
  const box = useHeir<HTMLButtonElement>();
  return (
    <>
      <button
        ref={box}
        type="button"
        className={work.kind}
        // Not `disabled`: it keeps the focus while it works.
        aria-disabled={busy || disabled || undefined}
        aria-busy={busy}
        aria-label={label}
        onClick={() => begin({ title: label, ...work }, children)}
      >
        {children}
      </button>
      {dialog}
    </>
  );
}

/** A line of a row's menu: work, or something that opens. */
export type RowAction = { name: string; icon?: Icon; kind?: "danger" | "" } & (Work | { open: () => void });

/** What can be done with a row, behind one button at its end. */
export function RowMenu({ of, actions }: { of: string; actions: (RowAction | false)[] }) {
  const { busy, begin, dialog } = useWork();
  const box = useHeir<HTMLButtonElement>();
  return (
    <>
      <ActionMenu
        label={t("Actions for {name}", { name: of })}
        button={box}
        busy={busy}
        icon={busy ? <LoaderCircle aria-hidden="true" /> : <Ellipsis aria-hidden="true" />}
        actions={actions.filter((each) => each !== false).map((each) => ({
          name: each.name,
          icon: each.icon,
          kind: each.kind,
          choose: () => {
            // What opens now gives the focus back to where it is.
            box.current?.focus({ preventScroll: true });
            if ("open" in each) each.open();
            else begin({ title: each.name, ...each }, each.name);
          },
        }))}
      />
      {dialog}
    </>
  );
}
