// Yes or no.

import { Checkbox as Base } from "@base-ui/react/checkbox";
import { Check } from "lucide-react";
import { useRef } from "react";
import { useFormReset } from "./form_reset";

interface CheckboxProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label?: string;
  id?: string;
  name?: string;
  disabled?: boolean;
}

export function Checkbox({ checked, onChange, label, id, name, disabled }: CheckboxProps) {
  const input = useRef<HTMLInputElement>(null);
  const first = useRef(checked);
  useFormReset(input, () => onChange(first.current));
  return (
    <Base.Root
      nativeButton
      render={<button type="button" />}
      className="checkbox"
      id={id}
      name={name}
      inputRef={input}
      aria-label={label}
      checked={checked}
      disabled={disabled}
      onCheckedChange={onChange}
      data-begun={name && String(first.current)}
      data-value={String(checked)}
    >
      <span className="mark">
        <Base.Indicator>
          <Check aria-hidden="true" />
        </Base.Indicator>
      </span>
    </Base.Root>
  );
}
