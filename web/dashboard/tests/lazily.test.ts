// @vitest-environment happy-dom

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fetchWhenIdle, lazily } from "../src/parts/lazily";

const loaded: string[] = [];
for (const name of ["first", "second"])
  lazily(async () => {
    loaded.push(name);
    return { default: () => null };
  });

beforeEach(() => {
  vi.useFakeTimers();
  loaded.length = 0;
});
afterEach(() => vi.useRealTimers());

test("files of other pages come after the first page, and only while the server is there", async () => {
  let isThere = false;
  const stop = fetchWhenIdle(() => isThere);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(loaded).toEqual([]);
  isThere = true;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(loaded).toEqual(["first", "second"]);
  stop();
});

test("nothing comes at once, or after the pages ended", async () => {
  const stop = fetchWhenIdle(() => true);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(loaded).toEqual([]);
  stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(loaded).toEqual([]);
});
