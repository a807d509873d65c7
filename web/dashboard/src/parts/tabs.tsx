// The parts of one page, one shown at a time; which one is in the address.

import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

interface TabsProps {
  label: string;
  tabs: readonly (readonly [name: string, title: string])[];
  value: string;
  onChange: (name: string) => void;
  children: ReactNode;
}

export function Tabs({ label, tabs, value, onChange, children }: TabsProps) {
  return (
    <Base.Root value={value} onValueChange={onChange}>
      <Base.List className="tabs" aria-label={label} activateOnFocus={false}>
        {tabs.map(([name, title]) => (
          <Base.Tab key={name} value={name} className="tab">
            {title}
          </Base.Tab>
        ))}
      </Base.List>
      <Base.Panel value={value} tabIndex={-1}>
        {children}
      </Base.Panel>
    </Base.Root>
  );
}

/** The same things seen in another way: buttons that stand together. */
export function Segments({ label, tabs, value, onChange }: Omit<TabsProps, "children">) {
  return (
    <div className="segments" role="group" aria-label={label}>
      {tabs.map(([name, title]) => (
        <button key={name} type="button" aria-pressed={value === name} onClick={() => onChange(name)}>
          {title}
        </button>
      ))}
    </div>
  );
}
