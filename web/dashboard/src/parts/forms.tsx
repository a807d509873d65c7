// Forms whose errors stand beside the fields that caused them.

import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { Problem } from "../api";
import type { Detail } from "../words/problems";
import { focusFirst } from "./first_field";
import { Errors, type Values } from "./form_context";
import { inWords } from "./toasts";
import { refusalsOf } from "./validity";

export { Field, Tick } from "./fields";
export { focusFirst } from "./first_field";
export type { Values } from "./form_context";

/** Nothing had to be sent: no failure, and nothing was saved. */
export class Unchanged extends Error {}

interface FormProps {
  action: string;
  kind?: "primary" | "danger";
  /** Where several forms stand beside each other. */
  title?: string;
  submit: (values: Values) => Promise<unknown>;
  children: ReactNode;
  /** Beside the button. */
  more?: ReactNode;
  /** Empty the fields after success. */
  again?: boolean;
  className?: string;
  /** The fields of this form that have another name in the API, by that name. */
  names?: Record<string, string>;
  /** Why it would be refused, known before it is sent. */
  refused?: unknown;
  /** What is typed outlives it. */
  isKept?: boolean;
}

export function Form(props: FormProps) {
  const { action, kind = "primary", title, submit, children, more, again, className, names = {}, refused, isKept } = props;
  const [sent, setSent] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLFormElement>(null);

  // The form may come into an open dialog later than its heading.
  useEffect(() => {
    const dialog = box.current?.closest<HTMLElement>("[role=dialog]");
    if (dialog) focusFirst(dialog);
  }, []);

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    const values = valuesOf(form);
    setBusy(true);
    setSent(null);
    try {
      const unfit = refusalsOf(form);
      if (Object.keys(unfit).length) throw new Problem(422, "not sent", null, unfit);
      await submit(values);
      // What was typed meanwhile is the next that shall be sent.
      if (again && JSON.stringify(valuesOf(form)) === JSON.stringify(values)) form.reset();
    } catch (error) {
      setSent(error);
      const wrong = error instanceof Problem ? Object.keys(error.errors) : [];
      const first = wrong.map((name) => fieldOf(form, names, name)).find(Boolean);
      if (first) (form.elements.namedItem(first) as HTMLElement).focus();
    } finally {
      setBusy(false);
    }
  }

  const problem = refused ?? sent;
  const errors: Record<string, Detail> = {};
  const others: string[] = [];
  for (const [name, detail] of problem instanceof Problem ? Object.entries(problem.errors) : []) {
    const field = box.current && fieldOf(box.current, names, name);
    if (field) errors[field] ??= detail;
    else others.push(name);
  }
  const isBeside = Object.keys(errors).length > 0;
  return (
    <form
      ref={box}
      className={className ?? "form"}
      data-kept={isKept || undefined}
      onSubmit={send}
      onInput={() => sent instanceof Unchanged && setSent(null)}
      noValidate
    >
      {title && <h2>{title}</h2>}
      <Errors value={errors}>{children}</Errors>
      {problem !== null && (!isBeside || others.length > 0) && (
        <p className={problem instanceof Unchanged ? "quiet" : "problem"} role="alert">
          {problem instanceof Unchanged ? problem.message : inWords(problem, others)}
        </p>
      )}
      <div className="row">
        <button type="submit" className={kind} aria-disabled={busy || undefined} aria-busy={busy}>
          {action}
        </button>
        {more}
      </div>
    </form>
  );
}

/** The field of a form that an error is about: of a part of a list or an object, its last name. */
function fieldOf(form: HTMLFormElement, names: Record<string, string>, error: string): string | undefined {
  const known = [names[error], error, error.split(".").at(-1)];
  return known.find((name) => name !== undefined && form.elements.namedItem(name) instanceof HTMLElement);
}

function valuesOf(form: HTMLFormElement): Values {
  const values: Values = {};
  for (const [name, value] of new FormData(form)) if (typeof value === "string") values[name] = value;
  return values;
}

/** What a text field says as a number; undefined where it is empty. */
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || text.trim() === "" ? undefined : Number(text);
