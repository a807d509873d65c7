// The points of a chart: gaps stay empty, and the bucket that still runs is apart. All functions are pure.

import type { Reading } from "../types";

/** Times (s), and a column of values for each line; null where there is none. */
export type Series = [number[], ...(number | null)[][]];

export interface Statistics {
  count: number;
  min: number;
  max: number;
  avg: number;
}

const NICE_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600,
  2_592_000, 7_776_000, 31_536_000, 315_360_000,
];

/** The length of a bucket (s) that makes at most so many points of a range. */
export const bucketFor = (width: number, points: number): number => NICE_S.find((each) => width / each <= points) ?? (NICE_S.at(-1) as number);

/** Longer than this without a reading is a gap: five usual intervals, a bucket and a half, ten seconds. */
export function gapOf(times: readonly number[], bucketS: number): number {
  const steps = times.slice(1).map((at, n) => at - (times[n] as number)).sort((a, b) => a - b);
  const usual = steps[Math.floor((steps.length - 1) / 2)] ?? 0;
  return Math.max(10, 1.5 * bucketS, 5 * usual);
}

/** The series with an empty point inside each gap, and how many gaps there are. */
export function withGaps(series: Series, gapS: number): { series: Series; gaps: number } {
  const [times, ...columns] = series;
  const found: number[] = [];
  const made: (number | null)[][] = columns.map(() => []);
  let gaps = 0;
  times.forEach((at, n) => {
    const before = times[n - 1];
    if (before !== undefined && at - before > gapS) {
      gaps += 1;
      found.push((before + at) / 2);
      for (const column of made) column.push(null);
    }
    found.push(at);
    columns.forEach((column, line) => made[line]?.push(column[n] ?? null));
  });
  return { series: [found, ...made] as Series, gaps };
}

type Column = ArrayLike<number | null | undefined>;

/** Values without a neighbour: no line leads to them, so they are drawn as points. What is undefined is of other lines' times. */
export function alone(values: Column): number[] {
  const own = Array.from(values, (_, n) => n).filter((n) => values[n] !== undefined);
  const is = (n: number): boolean => (values[own[n] ?? -1] ?? null) !== null;
  return own.filter((_, n) => is(n) && !is(n - 1) && !is(n + 1));
}

/** Where a line's value nearest to a time is, seen from the place `at`; null in a gap. */
export function nearest(times: ArrayLike<number>, values: Column, at: number, time: number): number | null {
  if (values[at] !== undefined) return at;
  let [before, after] = [at, at];
  while (before >= 0 && values[before] === undefined) before -= 1;
  while (after < values.length && values[after] === undefined) after += 1;
  const ends = [before, after].filter((n) => n >= 0 && n < values.length);
  const far = (n: number): number => Math.abs((times[n] as number) - time);
  const [first, second] = ends;
  if (first === undefined) return null;
  const found = second !== undefined && far(second) < far(first) ? second : first;
  return values[found] === null ? null : found;
}

/** A gap is empty over all times of the others, from its last value to its next. */
function emptied(column: (number | null | undefined)[]): (number | null | undefined)[] {
  for (const step of [1, -1]) {
    let isGap = false;
    for (let n = step > 0 ? 0 : column.length - 1; n >= 0 && n < column.length; n += step) {
      if (column[n] !== undefined) isGap = column[n] === null;
      else if (isGap) column[n] = null;
    }
  }
  return column;
}

/** Series of one line each, over all their times: undefined where a line has no point, null in its gaps. */
export function joined(all: readonly Series[]): [number[], ...(number | null | undefined)[][]] {
  const times = [...new Set(all.flatMap(([own]) => own))].sort((a, b) => a - b);
  const place = new Map(times.map((at, n) => [at, n]));
  const columns = all.map(([own, values = []]) => {
    const column: (number | null | undefined)[] = new Array(times.length).fill(undefined);
    own.forEach((at, n) => {
      column[place.get(at) as number] = values[n] ?? null;
    });
    return emptied(column);
  });
  return [times, ...columns];
}

export interface Buckets {
  /** Columns avg, min, max, and the running bucket's average. */
  series: Series;
  /** It is not over: more readings will come. */
  isRunning: boolean;
}

/** Buckets in order of time. The last one is drawn apart, from the one before it, while it runs. */
export function bucketed(items: readonly Reading[], bucketS: number, now: number): Buckets {
  const times = items.map((each) => Date.parse(each.ts) / 1000);
  const last = times.length - 1;
  const isRunning = last >= 0 && (times[last] as number) + bucketS > now;
  const whole = (n: number, value: number | undefined) => (isRunning && n === last ? null : (value ?? null));
  return {
    isRunning,
    series: [
      times,
      items.map((each, n) => whole(n, each.avg)),
      items.map((each, n) => whole(n, each.min)),
      items.map((each, n) => whole(n, each.max)),
      items.map((each, n) => (isRunning && n >= last - 1 ? (each.avg ?? null) : null)),
    ],
  };
}

/** Of readings, or of buckets with their counts; null for none. */
export function statistics(items: readonly Reading[]): Statistics | null {
  let [count, sum, min, max] = [0, 0, Infinity, -Infinity];
  for (const each of items) {
    const many = each.count ?? 1;
    const value = each.avg ?? each.value;
    if (typeof value !== "number") continue;
    count += many;
    sum += value * many;
    min = Math.min(min, each.min ?? value);
    max = Math.max(max, each.max ?? value);
  }
  return count ? { count, min, max, avg: sum / count } : null;
}

// A limit so many times as far away as the readings reach is named at the edge: in sight it would flatten them.
const STRETCH_MAX = 20;

/** The range of the axis: all readings, and the limits that do not flatten them. */
export function heights(low: number, high: number, limits: readonly (number | null)[]): [number, number] {
  const known = limits.filter((each): each is number => each !== null);
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
  const reach = Math.max(high - low, Math.abs(high) * 0.05, 1e-9);
  let [bottom, top] = [low, high];
  for (const limit of known) {
    if (limit < low - STRETCH_MAX * reach || limit > high + STRETCH_MAX * reach) continue;
    [bottom, top] = [Math.min(bottom, limit), Math.max(top, limit)];
  }
  const air = (top - bottom || Math.abs(top) || 1) * 0.06;
  return [bottom - air, top + air];
}

/**
 * Readings a minute, by the minutes that hold any: a fleet that began a minute ago is not slow. The minute that
 * still runs counts where there is no other.
 */
export function perMinute(minutes: readonly { ts: string; count: number }[], end: string): number {
  const whole = minutes.filter(({ ts }) => Date.parse(ts) + 60_000 <= Date.parse(end));
  const counted = whole.length ? whole : minutes;
  return counted.length ? counted.reduce((sum, each) => sum + each.count, 0) / counted.length : 0;
}
