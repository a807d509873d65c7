import { expect, test } from "vitest";
import { counts, curve, isBeyond, lastHours } from "../src/parts/trend";

const HALF_HOUR = 1_800;
const at = (n: number, count: number) => ({ ts: new Date(n * HALF_HOUR * 1000).toISOString(), count });

test("a bucket in which nothing came counts nothing, and the one that still grows is left out", () => {
  expect(counts([at(10, 4), at(12, 6), at(13, 1)], HALF_HOUR, 13 * HALF_HOUR + 60)).toEqual([4, 0, 6]);
  expect(counts([], HALF_HOUR, 0)).toEqual([]);
  expect(counts([at(13, 1)], HALF_HOUR, 13 * HALF_HOUR + 60)).toEqual([]);
});

test("the last hour is compared with the one before", () => {
  const points = [at(8, 100), at(9, 1), at(10, 2), at(11, 3), at(12, 4), at(13, 50)];
  expect(lastHours(points, HALF_HOUR, 13 * HALF_HOUR + 60)).toEqual({ before: 3, now: 7 });
  // Nothing to compare with.
  expect(lastHours([at(12, 4)], HALF_HOUR, 13 * HALF_HOUR)).toEqual({ before: 0, now: 4 });
});

test("a bucket longer than an hour stands for itself", () => {
  const day = 86_400;
  const points = [{ ts: "2026-11-28T00:00:00Z", count: 5 }, { ts: "2026-11-29T00:00:00Z", count: 8 }];
  expect(lastHours(points, day, Date.parse("2026-11-30T01:00:00Z") / 1000)).toEqual({ before: 5, now: 8 });
});

test("a small curve reaches from its lowest value to its highest, and is broken over a gap", () => {
  expect(curve([[0, 5], [10, 7], [20, 6], [60, 5], [100, 5], [110, 7]], 0, 200, 15, 100, 20)).toBe(
    "M0.0 20.0L5.0 0.0L10.0 10.0M30.0 20.0h1M50.0 20.0L55.0 0.0",
  );
  expect(curve([[0, 5], [10, 5]], 0, 10, 15, 100, 20)).toBe("M0.0 10.0L100.0 10.0");
  expect(curve([], 0, 10, 15, 100, 20)).toBe("");
});

test("a value at its limit is not beyond it", () => {
  const feed = { min_value: 0, max_value: 30 };
  expect([-1, 0, 30, 31, "31", null].map((value) => isBeyond(feed, value))).toEqual([true, false, false, true, false, false]);
  expect(isBeyond({ min_value: null, max_value: null }, 99)).toBe(false);
});
