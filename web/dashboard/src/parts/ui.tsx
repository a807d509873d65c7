// Small parts that every page has: badges, what stands for what is empty or on its way, copies of secrets.

import { Copy as CopyIcon } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Problem } from "../api";
import { t, word } from "../words";
import { Heading } from "./heading";
import { done, failed, inWords } from "./toasts";

export { Action, RowMenu } from "./action";
export { Heading, Toolbar } from "./heading";

const TONES: Record<string, string> = {
  offline: "bad", failed: "bad", expired: "bad", missed: "bad", critical: "bad", dead: "bad", failing: "bad",
  active: "bad", warning: "warn", acknowledged: "warn", pending: "calm", queued: "calm", sent: "calm",
  triggered: "warn", delivered: "warn", succeeded: "good", completed: "good", cleared: "good", online: "good",
};

export function Badge({ state, tone, text }: { state: string; tone?: string; text?: string }) {
  return <span className={`badge ${tone ?? TONES[state] ?? "calm"}`}>{text ?? word(state)}</span>;
}

/** A device's word; every word but "offline" counts as online. That it is away is no verdict. */
export const Presence = ({ status }: { status: string }) => (
  <Badge state={status} tone={status === "offline" ? "offline" : "online"} />
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
  return <Bones />;
}

/** Where texts will be, while they are on their way. */
export function Bones({ lines = 6 }: { lines?: number }) {
  return (
    <div className="loading" role="status">
      <span className="hidden">{t("Loading…")}</span>
      <div className="bones" aria-hidden="true">
        {Array.from({ length: lines }, (_, n) => (
          <i key={n} />
        ))}
      </div>
    </div>
  );
}

export function Copy({ text, label, copied }: { text: string; label: string; copied?: () => void }) {
  return (
    <button
      type="button"
      className="plain"
      onClick={() =>
        navigator.clipboard
          .writeText(text)
          .then(() => {
            done(t("Copied"));
            copied?.();
          })
          .catch(() => failed(new Error(t("Couldn't access the clipboard. Select the text and copy it."))))
      }
    >
      <CopyIcon aria-hidden="true" />
      {label}
    </button>
  );
}

/** Something that is shown once: with a way to copy it. */
export function Secret({ name, value, copied }: { name: string; value: string; copied?: () => void }) {
  return (
    <div className="secret">
      <span className="quiet">{name}</span>
      <code>{value}</code>
      <Copy text={value} label={t("Copy")} copied={copied} />
    </div>
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
