// Where the focus goes when what had it is gone: nobody who works with the keyboard begins at the top again.

import { type RefObject, useLayoutEffect, useRef } from "react";

const RINGED = "a[href], button, input, select, textarea, [tabindex]";

/** To the first place that is left, else to the heading of the page. Never away from where somebody is. */
export function giveFocus(...places: (Element | null | undefined)[]): void {
  if (document.activeElement && document.activeElement !== document.body) return;
  const left = places.find((each) => each?.isConnected && each.matches(RINGED) && !each.matches(":disabled"));
  const place = left ?? document.querySelector("main h1[tabindex]") ?? document.getElementById("main");
  (place as HTMLElement | null)?.focus({ preventScroll: true });
}

/** For a button that may go with its own work: the list around it inherits the focus. */
export function useHeir<T extends HTMLElement>(): RefObject<T | null> {
  const box = useRef<T>(null);
  useLayoutEffect(() => {
    const element = box.current;
    return () => {
      if (!element || document.activeElement !== element) return;
      const around = element.closest(".scroll");
      queueMicrotask(() => giveFocus(around));
    };
  }, []);
  return box;
}
