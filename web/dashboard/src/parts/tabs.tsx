// The parts of one page, one shown at a time; which one is in the address.

import { Tabs as Base } from "@base-ui/react/tabs";
import { type ReactNode, useEffect, useRef } from "react";

interface TabsProps {
  label: string;
  tabs: readonly (readonly [name: string, title: string])[];
  value: string;
  onChange: (name: string) => void;
  children: ReactNode;
}

export function Tabs({ label, tabs, value, onChange, children }: TabsProps) {
  const list = useRef<HTMLDivElement>(null);
  // On a phone the list is wider than the screen: the tab that is shown is in sight.
  useEffect(() => {
    const tab = list.current?.querySelector(`[data-name="${value}"]`)?.getBoundingClientRect();
    const box = list.current?.getBoundingClientRect();
    if (tab && box) list.current?.scrollBy({ left: tab.left + tab.width / 2 - box.left - box.width / 2 });
  }, [value]);
  return (
    <Base.Root value={value} onValueChange={onChange}>
      <Base.List ref={list} className="tabs" aria-label={label} activateOnFocus={false}>
        {tabs.map(([name, title]) => (
          <Base.Tab key={name} value={name} data-name={name} className="tab">
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
