// The fields of a form: a text, one of several, yes or no. Each with its label, and below it what is wrong with it.

import { useContext, useId, useState } from "react";
import { t } from "../words";
import { type Detail, fieldText } from "../words/problems";
import { Checkbox } from "./checkbox";
import { Errors, useEdited } from "./form_context";
import { Select } from "./select";

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
