// Forms whose errors stand beside the fields that caused them.

import { type FormEvent, type ReactNode, createContext, useContext, useEffect, useId, useRef, useState } from "react";
import { Problem } from "../api";
import { t } from "../words";
import { type Detail, fieldText } from "../words/problems";
import { Checkbox } from "./checkbox";
import { Select } from "./select";
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

const FIELDS = ["input:not([type=hidden], [aria-hidden=true], :disabled)", ".select:not(:disabled)", ".checkbox:not(:disabled)", "textarea:not(:disabled)"].join();

export const fieldIn = (box: HTMLElement): HTMLElement | null => box.querySelector<HTMLElement>(FIELDS);

/** Focus the first field, unless somebody is in one. */
export function focusFirst(box: HTMLElement): void {
  if (!document.activeElement?.matches(FIELDS)) fieldIn(box)?.focus();
}

/** Whether a field is not as it was; what a form keeps by itself is not lost. */
export const hasTyped = (box: HTMLElement): boolean =>
  [...box.querySelectorAll<HTMLElement>("input:not([aria-hidden=true]), textarea, [data-begun]")].some((field) => {
    if (field.closest("[data-kept]")) return false;
    if (field.dataset.begun !== undefined) return field.dataset.value !== field.dataset.begun;
    return (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) && field.value !== field.defaultValue;
  });

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
  const hear = (text: string) => {
    edited?.type(name, text);
    onChange?.(text);
  };
  const about = error || hint || conflict ? `${id}-about` : undefined;
  const isWrong = Boolean(error || conflict);
  const common = {
    id,
    name,
    ...(edited ? { value: edited.shown(name) } : { defaultValue: value }),
    "aria-invalid": isWrong || undefined,
    "aria-describedby": about,
    onChange: edited || onChange ? (event: { target: { value: string } }) => hear(event.target.value) : undefined,
    ...rest,
  };
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {!rest.required && <span className="quiet"> {t("(optional)")}</span>}
      </label>
      {options ? (
        <Choice
          options={options}
          edited={edited?.shown(name)}
          value={value}
          id={id}
          name={name}
          required={rest.required}
          invalid={isWrong}
          describedBy={about}
          onChange={hear}
        />
      ) : rows ? (
        <textarea rows={rows} {...common} />
      ) : (
        <input type={type} {...common} />
      )}
      {about && (
        <div id={about} className="quiet">
          {error ? <FieldProblem label={label} error={error} /> : hint}
          {conflict}
        </div>
      )}
    </div>
  );
}

type ChoiceProps = Omit<Parameters<typeof Select>[0], "value"> & { edited?: string; value?: string | number };

/** It begins with `value`, or with the first option that there is. */
function Choice({ edited, value, options, onChange, ...rest }: ChoiceProps) {
  const [own, setOwn] = useState<string | null>(null);
  const first = String(value ?? options[0]?.[0] ?? "");
  const isKnown = own !== null && options.some(([option]) => option === own);
  return (
    <Select
      {...rest}
      options={options}
      value={edited ?? (isKnown ? own : first)}
      onChange={(chosen) => {
        setOwn(chosen);
        onChange(chosen);
      }}
    />
  );
}

const FieldProblem = ({ label, error }: { label: string; error: Detail }) => (
  <span className="problem" role="alert">
    {fieldText(label, error)}
  </span>
);

export function Tick({ name, label, checked = false }: { name: string; label: string; checked?: boolean }) {
  const id = useId();
  // Of two values, both can only be changed to the same one: there is no conflict.
  const edited = useEdited(name);
  const error = useContext(Errors)[name];
  const [own, setOwn] = useState(checked);
  return (
    <div className="tick">
      <Checkbox
        id={id}
        name={name}
        checked={edited ? edited.shown(name) === "on" : own}
        onChange={(isOn) => (edited ? edited.type(name, isOn ? "on" : "") : setOwn(isOn))}
      />
      <label htmlFor={id}>{label}</label>
      {error && <FieldProblem label={label} error={error} />}
    </div>
  );
}

/** What a text field says as a number; undefined where it is empty. */
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || text.trim() === "" ? undefined : Number(text);
