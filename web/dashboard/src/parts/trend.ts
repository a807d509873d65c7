// How something went up to now: for the small curves and percentages of tiles.

interface Bucket {
  ts: string;
  count: number;
}

const HOUR_S = 3_600;

/** The counts of all buckets that have ended since the first, also of those in which nothing came. */
export function counts(points: readonly Bucket[], bucketS: number, end: number): number[] {
  if (!points.length) return [];
  const byPlace = new Map(points.map((each) => [Math.round(Date.parse(each.ts) / 1000 / bucketS), each.count]));
  const first = Math.min(...byPlace.keys());
  const many = Math.max(0, Math.floor(end / bucketS) - first);
  return Array.from({ length: many }, (_, n) => byPlace.get(first + n) ?? 0);
}

/** How many came in the last whole hour of buckets, and in the one before. */
export function lastHours(points: readonly Bucket[], bucketS: number, end: number): { before: number; now: number } {
  const all = counts(points, bucketS, end);
  const many = Math.max(1, Math.round(HOUR_S / bucketS));
  const sum = (part: number[]): number => part.reduce((a, b) => a + b, 0);
  return { before: sum(all.slice(-2 * many, -many)), now: sum(all.slice(-many)) };
}

/** A time (s) and a value. */
export type Point = [at: number, value: number];

/**
 * The path of a curve in a box, from its lowest value to its highest; it is broken over a gap (s). A point without a
 * neighbour is a short stroke.
 */
export function curve(points: readonly Point[], start: number, end: number, gap: number, width: number, height: number): string {
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value: number): string => (high > low ? height - (height * (value - low)) / (high - low) : height / 2).toFixed(1);
  const x = (at: number): string => ((width * (Math.max(start, at) - start)) / (end - start)).toFixed(1);
  return points
    .map(([at, value], n) => {
      const before = points[n - 1]?.[0] ?? -Infinity;
      const after = points[n + 1]?.[0] ?? Infinity;
      const move = at - before > gap ? "M" : "L";
      return `${move}${x(at)} ${y(value)}${move === "M" && after - at > gap ? "h1" : ""}`;
    })
    .join("");
}

/** Whether a value is beyond what its feed allows. */
export function isBeyond(feed: { min_value: number | null; max_value: number | null }, value: unknown): boolean {
  if (typeof value !== "number") return false;
  return (feed.max_value !== null && value > feed.max_value) || (feed.min_value !== null && value < feed.min_value);
}
