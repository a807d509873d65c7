// The readings of a range: what REST told, and behind it what came since.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { get, query } from "../api";
import { useLive } from "../live/hooks";
import type { LiveValue } from "../live/store";
import { here } from "../parts/civil";
import { type Series, type Statistics, bucketFor, bucketed, gapOf, statistics, withGaps } from "../parts/series";
import { type Span, edges, isLive } from "../parts/span";
import type { Feed, Page, Reading } from "../types";

const POINTS = 480;
const KEPT = 5_000;
// Shorter ranges are shown as they are, as far as one answer goes; the rest in buckets.
const RAW_S = 3_600;
const RAW_MAX = 1_000;
const DAY_S = 86_400;

export interface History {
  items: Reading[];
  /** The length of a bucket (s); 0 for readings as they are. */
  bucketS: number;
  statistics: Statistics | null;
}

const time = (s: number): string => new Date(s * 1000).toISOString();

async function load(feed: Feed, span: Span, signal: AbortSignal): Promise<History> {
  const [from, to] = edges(span, Date.now() / 1000);
  const path = `/feed-values/${feed.id}`;
  const asked = { start: time(from), end: isLive(span) ? undefined : time(to) };
  if (to - from <= RAW_S) {
    const found = await get<Page<Reading>>(path + query({ ...asked, limit: RAW_MAX }), signal);
    if (!found.next) return { items: found.items.reverse(), bucketS: 0, statistics: statistics(found.items) };
  }
  const bucketS = bucketFor(to - from, POINTS);
  // Days are those of whoever looks.
  const tz = bucketS >= DAY_S ? here() : undefined;
  const bucket = { bucket: `${bucketS}s`, agg: "avg,min,max,count", tz };
  const found = await get<Page<Reading>>(path + query({ ...asked, ...bucket, limit: 1000 }), signal);
  const items = [...found.items].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  return { items, bucketS, statistics: statistics(items) };
}

/** What to ask for, for `useQuery` and `useQueries`: one request for a feed, or two where it has many readings. */
export const historyOf = (feed: Feed, span: Span) => ({
  queryKey: ["/feed-values", feed.id, span],
  queryFn: ({ signal }: { signal: AbortSignal }) => load(feed, span, signal),
  placeholderData: keepPreviousData<History>,
  // The socket skips steps for whoever is slow, and late readings come late: the history has them.
  refetchInterval: (isLive(span) ? (span.last > 3_600 ? 60_000 : 15_000) : false) as number | false,
});

export const useHistory = (feed: Feed, span: Span) => useQuery(historyOf(feed, span));

interface Shown {
  series: Series;
  gaps: number;
  isRaw: boolean;
  isEmpty: boolean;
}

/** Drawn at most once per frame. Buckets grow with the next look at the history. */
export function useSeries(feed: Feed, history: History | undefined, span: Span): Shown {
  const fresh = useFresh([feed.id]);
  const lastS = isLive(span) ? span.last : null;
  const { from, to } = isLive(span) ? { from: null, to: null } : span;
  return useMemo((): Shown => {
    const now = Date.now() / 1000;
    const [start, end] = lastS === null ? [from as number, to as number] : [now - lastS, now];
    const { items, bucketS } = history ?? { items: [], bucketS: 0 };
    const series = bucketS ? bucketed(items, bucketS, now).series : raw(items, lastS === null ? [] : fresh.of(feed.id));
    const isEmpty = !series[0].some((at) => at + bucketS >= start && at <= end + 1);
    return { ...withGaps(series, gapOf(series[0], bucketS)), isRaw: !bucketS, isEmpty };
  }, [history, fresh.count, lastS, from, to]);
}

/** Readings as they are, and those that came since; out of order is late: the history will have it. */
export function raw(items: readonly Reading[], came: readonly [number, number][]): Series {
  const times = items.map((each) => Date.parse(each.ts) / 1000);
  const values: (number | null)[] = items.map((each) => (typeof each.value === "number" ? each.value : null));
  let newest = times.at(-1) ?? -Infinity;
  for (const [at, value] of came) {
    if (at <= newest) continue;
    newest = at;
    times.push(at);
    values.push(value);
  }
  return [times, values];
}

/** Readings of feeds that came since the page was opened. */
export function useFresh(ids: readonly string[]) {
  const live = useLive();
  const [count, setCount] = useState(0);
  const came = useRef(new Map<string, [number, number][]>());
  const all = ids.join();
  useEffect(() => {
    let waiting = 0;
    const heard = (id: string, { value, ts }: LiveValue): void => {
      if (typeof value !== "number") return;
      const those = came.current.get(id) ?? [];
      came.current.set(id, those);
      those.push([Date.parse(ts) / 1000, value]);
      if (those.length > KEPT) those.splice(0, those.length - KEPT);
      waiting ||= requestAnimationFrame(() => {
        waiting = 0;
        setCount((n) => n + 1);
      });
    };
    const stops = all.split(",").filter(Boolean).map((id) => live.hear(id, (value) => heard(id, value)));
    return () => {
      for (const stop of stops) stop();
      cancelAnimationFrame(waiting);
    };
  }, [live, all]);
  return { count, of: (id: string) => came.current.get(id) ?? [] };
}
