import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pace } from "../src/live/pace";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Work that takes so long (ms). */
function slow(ms: number) {
  const seen = { begun: 0, done: 0 };
  const pace = new Pace(async () => {
    seen.begun += 1;
    await new Promise((resolve) => setTimeout(resolve, ms));
    seen.done += 1;
  }, 500);
  return { pace, seen };
}

test("many changes are followed once", async () => {
  const { pace, seen } = slow(10);
  for (let n = 0; n < 100; n += 1) pace.ask();
  await vi.advanceTimersByTimeAsync(499);
  expect(seen.begun).toBe(0);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen).toEqual({ begun: 1, done: 1 });
});

test("changes that come all the time neither put it off nor begin it again while it is under way", async () => {
  const { pace, seen } = slow(2_000);
  for (let n = 0; n < 200; n += 1) {
    pace.ask();
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(seen).toEqual({ begun: 4, done: 4 });
  // The last change is followed, too.
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen).toEqual({ begun: 5, done: 5 });
});

test("what is left is followed by nothing", async () => {
  const { pace, seen } = slow(10);
  pace.ask();
  pace.stop();
  pace.ask();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen.begun).toBe(0);
});
