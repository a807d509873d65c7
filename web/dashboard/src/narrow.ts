// Whether this is a phone, as the styles see it.

import { useSyncExternalStore } from "react";

const NARROW = "(max-width: 760px)";

export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const asked = matchMedia(NARROW);
      asked.addEventListener("change", listener);
      return () => asked.removeEventListener("change", listener);
    },
    () => matchMedia(NARROW).matches,
  );
}
