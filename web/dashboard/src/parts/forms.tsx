// Forms whose errors stand beside the fields that caused them.

import { type FormEvent, type ReactNode, createContext, useContext, useId, useState } from "react";
import { Problem } from "../api";
import { t } from "../words";
import { inWords } from "./toasts";

export type Values = Record<string, string>;

const Errors = createContext<Record<string, string>>({});

interface FormProps {
  action: string;
  submit: (values: Values) => Promise<unknown>;
  children: ReactNode;
  /** Beside the button. */
  more?: ReactNode;
  /** Empty the fields after success. */
  again?: boolean;
  className?: string;
}

export function Form({ action, submit, children, more, again, className }: FormProps) {
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    const values: Values = {};
    for (const [name, value] of new FormData(form)) if (typeof value === "string") values[name] = value;
    setBusy(true);
    setProblem(null);
    try {
      await submit(values);
      if (again) form.reset();
    } catch (error) {
      setProblem(error);
      const fields = error instanceof Problem ? Object.keys(error.errors) : [];
      const first = fields.map((name) => form.elements.namedItem(name)).find((each) => each instanceof HTMLElement);
      (first as HTMLElement | undefined)?.focus();
    } finally {
      setBusy(false);
    }
  }

  const errors = problem instanceof Problem ? problem.errors : {};
  return (
    <form className={className ?? "form"} onSubmit={send}>
      <Errors value={errors}>{children}</Errors>
      {problem !== null && (
        <p className="problem" role="alert">
          {inWords(problem)}
        </p>
      )}
      <div className="row">
        <button type="submit" className="primary" disabled={busy} aria-busy={busy}>
          {action}
        </button>
        {more}
      </div>
    </form>
  );
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
  const common = {
    id,
    name,
    defaultValue: value,
    "aria-invalid": error ? true : undefined,
    "aria-describedby": error || hint ? `${id}-about` : undefined,
    onChange: onChange && ((event: { target: { value: string } }) => onChange(event.target.value)),
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
      {(error || hint) && (
        <div id={`${id}-about`} className={error ? "problem" : "quiet"}>
          {error ?? hint}
        </div>
      )}
    </div>
  );
}

export function Tick({ name, label, checked }: { name: string; label: string; checked?: boolean }) {
  const id = useId();
  return (
    <div className="tick">
      <input type="checkbox" id={id} name={name} defaultChecked={checked} />
      <label htmlFor={id}>{label}</label>
    </div>
  );
}

/** What a text field says as a number; undefined where it is empty. */
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || text.trim() === "" ? undefined : Number(text);
