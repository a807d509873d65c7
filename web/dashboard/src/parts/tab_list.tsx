// Tabs by the rules of the ARIA practices: arrows move, one tab is in the order of the page.

import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from "react";

interface Tab {
  id: string;
  name: string;
}

export function TabList<T extends Tab>({ label, tabs, children }: { label: string; tabs: T[]; children: (tab: T) => ReactNode }) {
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const tab = tabs[chosen];
  function move(event: KeyboardEvent) {
    const to = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    setChosen(next);
    box.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  }
  return (
    <>
      <div ref={box} className="tab-list" role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map((each, at) => (
          <button
            key={each.id}
            type="button"
            role="tab"
            id={`${id}-${each.id}`}
            aria-selected={at === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={at === chosen ? 0 : -1}
            onClick={() => setChosen(at)}
          >
            {each.name}
          </button>
        ))}
      </div>
      {tab && (
        <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${tab.id}`}>
          {children(tab)}
        </div>
      )}
    </>
  );
}
