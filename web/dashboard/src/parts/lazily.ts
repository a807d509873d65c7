// Pages come when they are first needed, or before that, while the browser is idle.

import { type ComponentType, lazy } from "react";

type Load<T> = () => Promise<{ default: ComponentType<T> }>;

const TRIES = 3;
const PAUSE_MS = 1_000;
const loads: (() => Promise<unknown>)[] = [];

/** A page of its own file; a file that does not come is asked for again. */
export function lazily<T>(load: Load<T>) {
  const again: Load<T> = async () => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await load();
      } catch (error) {
        if (tries === TRIES) throw error;
        await new Promise((done) => setTimeout(done, PAUSE_MS * tries));
      }
    }
  };
  loads.push(load);
  return lazy(again);
}

const whenIdle = (work: () => void): void => {
  if ("requestIdleCallback" in window) requestIdleCallback(work, { timeout: 10_000 });
  else setTimeout(work, 2_000);
};

// The first page comes first, with its answers.
const AFTER_MS = 3_000;

/**
 * Fetch what is not there yet, one file after another, while the server is there: a file that did not come once may
 * not come again before the page is loaded anew.
 */
export function fetchWhenIdle(isThere: () => boolean): () => void {
  let isOver = false;
  const waiting = [...loads];
  let timer = setTimeout(() => whenIdle(next), AFTER_MS);
  const next = (): void => {
    if (!isThere()) {
      if (!isOver) timer = setTimeout(() => whenIdle(next), AFTER_MS);
      return;
    }
    const load = waiting.shift();
    if (isOver || !load) return;
    load().then(
      () => whenIdle(next),
      () => whenIdle(next),
    );
  };
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
