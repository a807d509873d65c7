// The range of a chart: the last so many seconds, which move on, or from a moment to another. All in
// seconds since 1970. All functions are pure.

export type Span = { last: number } | { from: number; to: number };

export const SHORTEST_S = 1;
export const LONGEST_S = 3_653 * 86_400; // ten years
const FIRST_S = 946_684_800; // 2000: nothing is older

export const RANGES: [string, number][] = [
  ["5 minutes", 300],
  ["1 hour", 3_600],
  ["1 day", 86_400],
  ["1 week", 604_800],
  ["1 month", 2_678_400],
  ["1 year", 31_622_400],
];

export const isLive = (span: Span): span is { last: number } => "last" in span;

/** From and to. */
export const edges = (span: Span, now: number): [number, number] => (isLive(span) ? [now - span.last, now] : [span.from, span.to]);

const within = (width: number): number => Math.min(LONGEST_S, Math.max(SHORTEST_S, width));

/** A range as it is allowed: 1 s to 10 years, never beyond now; one that reaches now is live. */
export function clamped(from: number, to: number, now: number): Span {
  const width = within(to - from);
  if (to >= now - width * 0.01) return { last: width };
  const start = Math.max(FIRST_S, (from + to - width) / 2);
  return { from: start, to: Math.min(now, start + width) };
}

/** Closer (0.5) or farther (2). A live range keeps its right edge: it stays live. */
export function zoomed(span: Span, part: number, now: number): Span {
  if (isLive(span)) return { last: within(span.last * part) };
  const width = within((span.to - span.from) * part);
  const middle = (span.from + span.to) / 2;
  return clamped(middle - width / 2, middle + width / 2, now);
}

/** Earlier (-0.5) or later (0.5), by parts of the width. */
export function moved(span: Span, part: number, now: number): Span {
  const [from, to] = edges(span, now);
  const step = (to - from) * part;
  return clamped(from + step, to + step, now);
}

/** What the chart shows first: the shortest range up to now that holds the last reading, else the day before it. */
export function firstSpan(lastAt: number | null, now: number): Span {
  if (lastAt === null) return { last: 300 };
  const fits = RANGES.find(([, seconds]) => lastAt > now - seconds * 0.9);
  return fits ? { last: fits[1] } : around(lastAt, now);
}

/** The day up to a reading. */
export const around = (at: number, now: number): Span => clamped(at - 86_400 * 0.95, at + 86_400 * 0.05, now);

/** As parameters of the address. */
export const written = (span: Span): Record<"last" | "from" | "to", string> =>
  isLive(span)
    ? { last: String(span.last), from: "", to: "" }
    : { last: "", from: new Date(span.from * 1000).toISOString(), to: new Date(span.to * 1000).toISOString() };

export function read(said: URLSearchParams, now: number): Span | null {
  const last = Number(said.get("last"));
  if (last > 0) return { last: within(last) };
  const [from, to] = [Date.parse(said.get("from") ?? ""), Date.parse(said.get("to") ?? "")].map((ms) => ms / 1000) as [number, number];
  return from < to ? clamped(from, to, now) : null;
}
