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
