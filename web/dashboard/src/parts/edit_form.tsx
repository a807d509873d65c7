// A form over something that is stored: it sends what was changed and nothing else, only over the version
// that it shows, and follows what changes elsewhere.

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { PRECONDITION_FAILED, Problem, type Versioned, get, patch } from "../api";
import { t } from "../words";
import { type Draft, type Texts, changes, conflicts, keptMine, saved as afterSave, settled, typed, without } from "./draft";
import { draftOf, keepDraft } from "./drafts";
import { EditContext } from "./form_context";
import { Form, Unchanged, type Values } from "./forms";
import { putStored } from "./stored";
import { done } from "./toasts";

/** How often a page looks whether what its form shows was changed elsewhere (ms). */
export const FOLLOWED_MS = 5_000;
// Each try had changed elsewhere, in fields that are untouched here.
const TRIES = 5;

interface EditFormProps<T> {
  /** What is stored, as it was read from `path`. */
  of: T;
  path: string;
  /** The key of the query that reads it. */
  queryKey: readonly unknown[];
  /** Its fields as texts; a tick is "on" or "". */
  texts: (stored: T) => Texts;
  /** The body of a request: of the changed fields, of what is stored, and of all other fields. */
  body: (changed: Texts, stored: T, others: Values) => Record<string, unknown>;
  action: string;
  title?: string;
  children: ReactNode;
  more?: ReactNode;
  className?: string;
  names?: Record<string, string>;
  again?: boolean;
  /** `isAll`: nothing was typed while it was under way. */
  saved?: (stored: T, isAll: boolean) => void;
  /** How it is sent, where that is not all. */
  send?: (body: unknown, etag?: string) => Promise<T>;
}

export function EditForm<T extends object>(props: EditFormProps<T>) {
  const { of, path, queryKey, texts, body, saved, send = (said, etag) => patch<T>(path, said, etag) } = props;
  const queries = useQueryClient();
  const stored = texts(of);
  const form = [path, ...Object.keys(stored)].join(" ");
  const [kept, setDraft] = useState<Draft>(() => draftOf(form));
  const draft = settled(kept, stored);
  if (draft !== kept) setDraft(draft);
  const latest = useRef(draft);
  latest.current = draft;
  useEffect(() => keepDraft(form, draft), [form, draft]);
  const isChanged = Object.keys(draft).length > 0;

  /** The button goes with what it discards: the form's own has the focus then. */
  function discard(event: { currentTarget: HTMLButtonElement }): void {
    event.currentTarget.form?.querySelector<HTMLElement>("button[type=submit]")?.focus();
    setDraft({});
  }

  async function save(values: Values): Promise<void> {
    const others = Object.fromEntries(Object.entries(values).filter(([name]) => !(name in stored)));
    let known: T = of;
    for (let tries = 1; ; tries += 1) {
      const now = texts(known);
      if (conflicts(draft, now).length) throw new Error(t("Changed elsewhere meanwhile. Choose which value to keep."));
      const changed = changes(draft, now);
      if (!Object.keys(changed).length) throw new Unchanged(t("No changes to save"));
      try {
        known = await send(body(changed, known, others), (known as Versioned).etag);
        const after = texts(known);
        await putStored(queries, queryKey, known, () => setDraft((before) => afterSave(before, changed, after)));
        const rest = afterSave(latest.current, changed, after);
        keepDraft(form, rest); // the form may go before it is drawn again
        done(t("Saved"));
        saved?.(known, !Object.keys(rest).length);
        return;
      } catch (error) {
        if (!(error instanceof Problem && error.status === PRECONDITION_FAILED) || tries === TRIES) throw error;
        known = await get<T>(path);
        await putStored(queries, queryKey, known);
      }
    }
  }

  const more = (
    <>
      {isChanged && (
        <button type="button" onClick={discard}>
          {t("Discard changes")}
        </button>
      )}
      {props.more}
    </>
  );

  return (
    <EditContext
      value={{
        stored,
        shown: (name) => draft[name]?.mine ?? stored[name] ?? "",
        type: (name, mine) => setDraft((before) => typed(before, name, mine, stored[name] ?? "")),
        conflict: (name, say) =>
          conflicts(draft, stored).includes(name) && (
            <Conflict
              theirs={say(stored[name] ?? "")}
              keep={() => setDraft((before) => keptMine(before, name, stored[name] ?? ""))}
              take={() => setDraft((before) => without(before, name))}
            />
          ),
      }}
    >
      <Form
        isKept
        className={props.className}
        names={props.names}
        title={props.title}
        action={props.action}
        more={more}
        again={props.again}
        submit={save}
      >
        {props.children}
      </Form>
    </EditContext>
  );
}

function Conflict({ theirs, keep, take }: { theirs: string; keep: () => void; take: () => void }) {
  /** The buttons go; the field that they were about stays. */
  const choose = (work: () => void) => (event: { currentTarget: HTMLElement }) => {
    event.currentTarget.closest(".field")?.querySelector<HTMLElement>("input:not([aria-hidden]), textarea, .select")?.focus();
    work();
  };
  return (
    <div role="alert" className="conflict">
      <span className="problem">
        {theirs === "" ? t("Cleared elsewhere.") : t("Changed elsewhere to {value}.", { value: theirs })}
      </span>
      <div className="row">
        <button type="button" onClick={choose(keep)}>
          {t("Keep mine")}
        </button>
        <button type="button" onClick={choose(take)}>
          {t("Use theirs")}
        </button>
      </div>
    </div>
  );
}
