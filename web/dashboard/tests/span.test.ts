import { expect, test } from "vitest";
import { LONGEST_S, SHORTEST_S, type Span, around, clamped, edges, firstSpan, isLive, moved, read, written, zoomed } from "../src/parts/span";

const NOW = 1_790_000_000;
const width = (span: ReturnType<typeof clamped>) => {
  const [from, to] = edges(span, NOW);
  return to - from;
};

test("zooming has its bounds, and never goes beyond now", () => {
  const begun: Span = { from: NOW - 1000, to: NOW - 900 };
  let [near, far] = [begun, begun] as [Span, Span];
  for (let n = 0; n < 60; n += 1) [near, far] = [zoomed(near, 0.5, NOW), zoomed(far, 2, NOW)];
  expect(width(near)).toBeCloseTo(SHORTEST_S);
  expect(width(far)).toBeLessThanOrEqual(LONGEST_S);
  expect(edges(far, NOW)[1]).toBe(NOW);
  expect(edges(clamped(NOW + 50, NOW + 90, NOW), NOW)[1]).toBe(NOW);
});

test("a live range keeps its right edge while it is zoomed, and moving there is live again", () => {
  expect(zoomed({ last: 300 }, 2, NOW)).toEqual({ last: 600 });
  const back = moved({ last: 300 }, -0.5, NOW);
  expect(back).toEqual({ from: NOW - 450, to: NOW - 150 });
  expect(moved(back, 0.5, NOW)).toEqual({ last: 300 });
});

test("it opens where there is data", () => {
  expect(firstSpan(null, NOW)).toEqual({ last: 300 });
  expect(firstSpan(NOW - 10, NOW)).toEqual({ last: 300 });
  expect(firstSpan(NOW - 299, NOW)).toEqual({ last: 3_600 });
  expect(firstSpan(NOW - 86_400, NOW)).toEqual({ last: 604_800 });
  const old = NOW - 3 * 31_622_400;
  const [from, to] = edges(firstSpan(old, NOW), NOW);
  expect(from < old && old < to).toBe(true);
  expect(isLive(around(old, NOW))).toBe(false);
});

test("a range comes back from the address", () => {
  for (const span of [{ last: 3_600 }, { from: NOW - 9_000, to: NOW - 5_000 }]) {
    expect(read(new URLSearchParams(written(span)), NOW)).toEqual(span);
  }
  for (const wrong of ["", "last=x", "last=-5", "from=2026-01-02&to=2026-01-01", "from=x&to=y"]) {
    expect(read(new URLSearchParams(wrong), NOW)).toBeNull();
  }
  expect(read(new URLSearchParams("last=9e99"), NOW)).toEqual({ last: LONGEST_S });
});
