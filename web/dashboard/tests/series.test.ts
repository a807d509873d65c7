import { expect, test } from "vitest";
import { alone, bucketFor, bucketed, gapOf, heights, joined, nearest, perMinute, statistics, withGaps } from "../src/parts/series";

const NOW = 1_790_000_000;
const at = (s: number) => new Date((NOW + s) * 1000).toISOString();

test("a gap stays empty", () => {
  const times = [0, 10, 20, 200, 210];
  expect(gapOf(times, 0)).toBe(50);
  const { series, gaps } = withGaps([times, [1, 2, 3, 4, 5]], 50);
  expect(gaps).toBe(1);
  expect(series).toEqual([[0, 10, 20, 110, 200, 210], [1, 2, 3, null, 4, 5]]);
});

test("slow readings in short buckets are no gaps", () => {
  const hourly = [0, 3_600, 7_200, 10_800];
  expect(withGaps([hourly, [1, 2, 3, 4]], gapOf(hourly, 60)).gaps).toBe(0);
  expect(gapOf([5], 0)).toBe(10);
});

test("the bucket that still runs is apart", () => {
  const items = [-180, -120, -60, 0].map((s, n) => ({ ts: at(s - 30), avg: n, min: n - 1, max: n + 1, count: 60 }));
  const { series, isRunning } = bucketed(items, 60, NOW);
  expect(isRunning).toBe(true);
  expect(series.slice(1)).toEqual([[0, 1, 2, null], [-1, 0, 1, null], [1, 2, 3, null], [null, null, 2, 3]]);
  expect(bucketed(items, 60, NOW + 60).isRunning).toBe(false);
});

test("statistics weigh buckets by their readings", () => {
  expect(statistics([{ ts: at(0), avg: 1, min: 0, max: 2, count: 3 }, { ts: at(1), avg: 5, min: 5, max: 5, count: 1 }])).toEqual({
    count: 4, min: 0, max: 5, avg: 2,
  });
  expect(statistics([{ ts: at(0), value: 4 }, { ts: at(1), value: 6 }])?.avg).toBe(5);
  expect(statistics([])).toBeNull();
});

test("limits are in sight unless they would flatten the readings", () => {
  const [low, high] = heights(20, 21, [0, 30]);
  expect(low < 0 && high > 30).toBe(true);
  expect(heights(20, 21, [null, 5_000])[1]).toBeLessThan(30);
  const [none] = heights(Infinity, -Infinity, [10, 50]);
  expect(none).toBeLessThan(10);
});

test("a chart has at most so many points", () => {
  expect(bucketFor(86_400, 480)).toBe(300);
  expect(bucketFor(300, 480)).toBe(1);
  expect(315_576_000 / bucketFor(315_576_000, 480)).toBeLessThanOrEqual(480);
});

test("readings a minute are those of the minutes that hold any", () => {
  const minutes = [60, 30, 5].map((count, n) => ({ ts: at(n * 60), count }));
  // The last one runs for five seconds yet.
  expect(perMinute(minutes, at(125))).toBe(45);
  expect(perMinute(minutes.slice(2), at(125))).toBe(5);
  expect(perMinute([], at(0))).toBe(0);
});

test("a value that stands alone is a point", () => {
  expect(alone([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(alone([null, null])).toEqual([]);
});

test("lines that do not share their times keep their own gaps", () => {
  const [times, first, second, third] = joined([
    [[0, 10, 15, 20], [1, 2, null, 3]],
    [[5, 10], [7, 8]],
    [[0, 12, 20], [1, null, 2]],
  ]);
  expect(times).toEqual([0, 5, 10, 12, 15, 20]);
  expect(first).toEqual([1, undefined, 2, null, null, 3]);
  expect(second).toEqual([undefined, 7, 8, undefined, undefined, undefined]);
  expect(third).toEqual([1, null, null, null, null, 2]);
  expect(alone(first ?? [])).toEqual([5]);
  expect(alone(second ?? [])).toEqual([]);
});

test("the value at the pointer is the line's nearest, and none in a gap", () => {
  const times = [0, 1, 2, 10, 11];
  expect(nearest(times, [5, undefined, undefined, 6, undefined], 1, 1)).toBe(0);
  expect(nearest(times, [5, undefined, undefined, 6, undefined], 2, 8)).toBe(3);
  expect(nearest(times, [5, undefined, null, 6, undefined], 1, 1.9)).toBe(null);
  expect(nearest(times, [5, undefined, undefined, 6, undefined], 4, 11)).toBe(3);
  expect(nearest(times, [undefined, undefined], 1, 1)).toBe(null);
});
