// Devices that lie too near each other to be told apart become one cluster.

/** So near in pixels, devices are drawn as one. */
export const NEAR = 38;
/** From this zoom on devices are drawn one by one. */
export const APART_FROM = 17;

export interface Spot<T> {
  x: number;
  y: number;
  of: T;
}

export interface Cluster<T> {
  x: number;
  y: number;
  of: T[];
}

/**
 * Each spot joins the first cluster whose first member is near, else it begins one; a grid finds those that may be.
 * What is in the list's beginning stays where it is, so that a cluster does not jump as others come and go.
 */
export function clustered<T>(spots: Iterable<Spot<T>>, near = NEAR): Cluster<T>[] {
  const cells = new Map<number, { x: number; y: number; cluster: Cluster<T> }[]>();
  const all: Cluster<T>[] = [];
  const key = (column: number, row: number): number => column * 4_000_037 + row;
  for (const { x, y, of } of spots) {
    const [column, row] = [Math.floor(x / near), Math.floor(y / near)];
    let found: Cluster<T> | undefined;
    for (let dx = -1; dx <= 1 && !found; dx += 1) {
      for (let dy = -1; dy <= 1 && !found; dy += 1) {
        found = cells.get(key(column + dx, row + dy))?.find((each) => (each.x - x) ** 2 + (each.y - y) ** 2 < near * near)?.cluster;
      }
    }
    if (found) {
      const n = found.of.push(of);
      found.x += (x - found.x) / n;
      found.y += (y - found.y) / n;
      continue;
    }
    const cluster = { x, y, of: [of] };
    all.push(cluster);
    const cell = cells.get(key(column, row));
    if (cell) cell.push({ x, y, cluster });
    else cells.set(key(column, row), [{ x, y, cluster }]);
  }
  return all;
}

/** 1,234 devices are "1.2k". */
export const counted = (n: number): string => (n < 1000 ? String(n) : `${n < 9950 ? (n / 1000).toFixed(1) : Math.round(n / 1000)}k`);
