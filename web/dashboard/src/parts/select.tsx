// One of several, chosen from a list. In a form it is sent by its name, like any field.

import { Select as Base } from "@base-ui/react/select";
import { Check, ChevronsUpDown } from "lucide-react";
import { useEffect, useRef } from "react";
import { useFormReset } from "./form_reset";

export type Options = readonly (readonly [value: string, text: string])[];

interface SelectProps {
  options: Options;
  value: string;
  onChange: (value: string) => void;
  /** Where no label stands beside it. */
  label?: string;
  id?: string;
  name?: string;
  required?: boolean;
  invalid?: boolean;
  describedBy?: string;
}

export function Select({ options, value, onChange, label, id, name, required, invalid, describedBy }: SelectProps) {
  const input = useRef<HTMLInputElement>(null);
  const first = useRef(value);
  useFormReset(input, () => onChange(first.current));
  useChanged(input, value);
  return (
    <Base.Root
      items={Object.fromEntries(options)}
      value={value}
      onValueChange={(chosen) => onChange(chosen ?? "")}
      inputRef={input}
      id={id}
      name={name}
      required={required}
    >
      <Base.Trigger
        className="select"
        aria-label={label}
        aria-invalid={invalid || undefined}
        aria-describedby={describedBy}
        data-begun={name && first.current}
        data-value={value}
      >
        <Base.Value />
        <ChevronsUpDown aria-hidden="true" />
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner className="floating" alignItemWithTrigger={false} sideOffset={4}>
          <Base.Popup className="popup">
            <Base.List>
              {options.map(([option, text]) => (
                <Base.Item key={option} value={option} data-option={option} className="item">
                  <Base.ItemText>{text}</Base.ItemText>
                  <Base.ItemIndicator className="check">
                    <Check aria-hidden="true" />
                  </Base.ItemIndicator>
                </Base.Item>
              ))}
            </Base.List>
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

/** The form around it hears of a choice as of anything that is typed. */
function useChanged(input: React.RefObject<HTMLInputElement | null>, value: string): void {
  const before = useRef(value);
  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    input.current?.form?.dispatchEvent(new Event("input", { bubbles: true }));
  }, [input, value]);
}
