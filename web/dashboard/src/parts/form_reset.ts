// A field of a library hears that its form was emptied: the browser empties its own fields alone.

import { type RefObject, useEffect, useRef } from "react";

export function useFormReset(field: RefObject<HTMLInputElement | null>, empty: () => void): void {
  const latest = useRef(empty);
  latest.current = empty;
  useEffect(() => {
    const form = field.current?.form;
    const heard = (): void => latest.current();
    form?.addEventListener("reset", heard);
    return () => form?.removeEventListener("reset", heard);
  }, [field]);
}
