// Forms whose errors stand beside the fields that caused them.

import { type FormEvent, type ReactNode, createContext, useContext, useEffect, useId, useRef, useState } from "react";
import { Problem } from "../api";
import { t } from "../words";
import { type Detail, fieldText } from "../words/problems";
import { inWords } from "./toasts";
import { refusalsOf } from "./validity";

export type Values = Record<string, string>;

/** The fields of a form that changes what is stored: their texts, and what became of them elsewhere. */
export interface Edited {
  stored: Values;
  shown: (name: string) => string;
  type: (name: string, text: string) => void;
  /** Changed here and elsewhere: what to do about it. `say` is the stored text as people read it. */
  conflict: (name: string, say: (stored: string) => string) => ReactNode;
}

export const EditContext = createContext<Edited | null>(null);

function useEdited(name: string): Edited | null {
  const edited = useContext(EditContext);
  return edited && name in edited.stored ? edited : null;
}

/** Nothing had to be sent: no failure, and nothing was saved. */
export class Unchanged extends Error {}

const Errors = createContext<Record<string, Detail>>({});

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
    const dialog = box.current?.closest("dialog");
    if (dialog?.open) focusFirst(dialog);
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

/** Focus the first field, unless somebody is in one. */
export function focusFirst(box: HTMLElement): void {
  const fields = "input:not([type=hidden], :disabled), select:not(:disabled), textarea:not(:disabled)";
  if (!document.activeElement?.matches(fields)) box.querySelector<HTMLElement>(fields)?.focus();
}

interface FieldProps {
  name: string;
  label: string;
  hint?: string;
  type?: string;
  required?: boolean;
  value?: string | number;
  options?: [string, string][];
  rows?: number;
  autoComplete?: string;
  inputMode?: "numeric";
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  min?: number | string;
  max?: number | string;
  step?: number | string;
  placeholder?: string;
  onChange?: (value: string) => void;
}

export function Field({ name, label, hint, options, rows, value, type = "text", onChange, ...rest }: FieldProps) {
  const id = useId();
  const error = useContext(Errors)[name];
  const edited = useEdited(name);
  const conflict = edited?.conflict(name, (stored) => options?.find(([option]) => option === stored)?.[1] ?? stored);
  const hear = (event: { target: { value: string } }) => {
    edited?.type(name, event.target.value);
    onChange?.(event.target.value);
  };
  const common = {
    id,
    name,
    ...(edited ? { value: edited.shown(name) } : { defaultValue: value }),
    "aria-invalid": error || conflict ? true : undefined,
    "aria-describedby": error || hint || conflict ? `${id}-about` : undefined,
    onChange: edited || onChange ? hear : undefined,
    ...rest,
  };
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {!rest.required && <span className="quiet"> {t("(optional)")}</span>}
      </label>
      {options ? (
        <select {...common}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      ) : rows ? (
        <textarea rows={rows} {...common} />
      ) : (
        <input type={type} {...common} />
      )}
      {(error || hint || conflict) && (
        <div id={`${id}-about`} className="quiet">
          {error ? <FieldProblem label={label} error={error} /> : hint}
          {conflict}
        </div>
      )}
    </div>
  );
}

const FieldProblem = ({ label, error }: { label: string; error: Detail }) => (
  <span className="problem" role="alert">
    {fieldText(label, error)}
  </span>
);

export function Tick({ name, label, checked }: { name: string; label: string; checked?: boolean }) {
  const id = useId();
  // Of two values, both can only be changed to the same one: there is no conflict.
  const edited = useEdited(name);
  const error = useContext(Errors)[name];
  return (
    <div className="tick">
      <input
        type="checkbox"
        id={id}
        name={name}
        {...(edited
          ? {
              checked: edited.shown(name) === "on",
              onChange: (event: { target: { checked: boolean } }) => edited.type(name, event.target.checked ? "on" : ""),
            }
          : { defaultChecked: checked })}
      />
      <label htmlFor={id}>{label}</label>
      {error && <FieldProblem label={label} error={error} />}
    </div>
  );
}

/** What a text field says as a number; undefined where it is empty. */
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || text.trim() === "" ? undefined : Number(text);
