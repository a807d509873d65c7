import { type ReactNode, useEffect, useRef, useState } from "react";
import { Problem } from "../api";
import { t, word } from "../words";
import { takesFocus, titlePage } from "../title";
import { Dialog } from "./dialog";
import { useHeir } from "./focus";
import { done, failed, inWords } from "./toasts";

interface ActionProps {
  children: ReactNode;
  run: () => Promise<unknown>;
  /** Said when it worked. */
  said?: string;
  /** Asked before it is done. */
  ask?: string;
  /** What the dialog is called, and its other button. */
  title?: string;
  no?: string;
  kind?: "primary" | "danger" | "plain" | "";
  label?: string;
  disabled?: boolean;
}

/** A button whose work shows: busy meanwhile, its result or its error in words after. */
export function Action({ children, run, said, ask, title, no, kind = "", label, disabled }: ActionProps) {
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const box = useHeir<HTMLButtonElement>();
  async function go() {
    if (busy || disabled) return;
    setAsking(false);
    setBusy(true);
    try {
      await run();
      if (said) done(said);
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <>
      <button
        ref={box}
        type="button"
        className={kind}
        // Not `disabled`: it keeps the focus while it works.
        aria-disabled={busy || disabled || undefined}
        aria-busy={busy}
        aria-label={label}
        onClick={() => (ask && !busy && !disabled ? setAsking(true) : void go())}
      >
        {children}
      </button>
      {asking && (
        <Dialog title={title ?? label ?? t("Are you sure?")} close={() => setAsking(false)}>
          <p>{ask}</p>
          <div className="row">
            <button type="button" className={kind === "danger" ? "danger" : "primary"} onClick={() => void go()}>
              {children}
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              {no ?? t("Cancel")}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

const TONES: Record<string, string> = {
  offline: "bad", failed: "bad", expired: "bad", missed: "bad", critical: "bad", dead: "bad", failing: "bad",
  active: "bad", warning: "warn", acknowledged: "warn", pending: "calm", queued: "calm", sent: "calm",
  triggered: "warn", delivered: "warn", succeeded: "good", completed: "good", cleared: "good", online: "good",
};

export function Badge({ state, tone, text }: { state: string; tone?: string; text?: string }) {
  return <span className={`badge ${tone ?? TONES[state] ?? "calm"}`}>{text ?? word(state)}</span>;
}

/** A device's word; every word but "offline" counts as online. */
export const Presence = ({ status }: { status: string }) => (
  <Badge state={status} tone={status === "offline" ? "bad" : "good"} />
);

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="lead">{title}</p>
      {children}
    </div>
  );
}

interface AsyncProps<T> {
  of: { data: T | undefined; error: unknown; refetch: () => unknown };
  children: (data: T) => ReactNode;
  /** Shown where there is no such thing, or none any more. */
  missing?: ReactNode;
}

/** Instead of a page of something that does not exist: with a way to what does. */
export function Missing({ title, list, name }: { title: string; list: string; name: string }) {
  return (
    <>
      <Heading title={title} />
      <a className="button" href={`#${list}`}>
        {name}
      </a>
    </>
  );
}

/** What a query brought; what went wrong, with a way to try again; or that it is on its way. */
export function Loaded<T>({ of, children, missing }: AsyncProps<T>) {
  if (missing && of.error instanceof Problem && of.error.status === 404) return <>{missing}</>;
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) {
    return (
      <div className="empty" role="alert">
        <p className="problem">{inWords(of.error)}</p>
        <button type="button" onClick={() => of.refetch()}>
          {t("Try again")}
        </button>
      </div>
    );
  }
  return (
    <p className="quiet loading" role="status">
      {t("Loading…")}
    </p>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  return (
    <button
      type="button"
      className="plain"
      onClick={() =>
        navigator.clipboard
          .writeText(text)
          .then(() => done(t("Copied")))
          .catch(() => failed(new Error(t("Couldn't access the clipboard. Select the text and copy it."))))
      }
    >
      {label}
    </button>
  );
}

/** Something that is shown once: with a way to copy it. */
export function Secret({ name, value }: { name: string; value: string }) {
  return (
    <div className="secret">
      <span className="quiet">{name}</span>
      <code>{value}</code>
      <Copy text={value} label={t("Copy")} />
    </div>
  );
}

/** The heading of a page: it is the title of the browser's tab, too, and has the focus when somebody arrives. */
export function Heading({ title, children }: { title: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => titlePage(title), [title]);
  useEffect(() => {
    if (takesFocus()) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <header className="heading">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <div className="row">{children}</div>
    </header>
  );
}

/** The time, once in so many milliseconds: for "3 minutes ago". */
export function useNow(every = 5_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
