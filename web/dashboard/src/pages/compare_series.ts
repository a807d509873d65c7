// The readings of several feeds over one range, each with its own gaps, on one axis of time.

import { useQueries, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import { Problem, get } from "../api";
import { useChange } from "../live/hooks";
import type { Mark, Period } from "../parts/chart_marks";
import { type Series, gapOf, joined, withGaps } from "../parts/series";
import { type Span, isLive } from "../parts/span";
import type { Feed } from "../types";
import { alarmsOf } from "./feed_marks";
import { type History, historyOf, raw, useFresh } from "./feed_series";

const data = <T,>(all: UseQueryResult<T>[]) => ({
  data: all.map((each) => each.data),
  errors: all.map((each) => each.error),
  isPending: all.some((each) => each.isPending),
});

// What the API answers to an id that is unknown, or none at all.
const UNKNOWN = [400, 404, 422];

interface Found {
  feeds: Feed[];
  /** Feeds of the address that do not exist, or no more. */
  unknown: string[];
  error: unknown;
  isPending: boolean;
}

/** Nothing is left out in silence: each id is a feed, unknown, or the error. */
export function useFound(ids: readonly string[]): Found {
  const asked = useQueries({
    queries: ids.map((id) => ({ queryKey: ["/feeds", id], queryFn: () => get<Feed>(`/feeds/${encodeURIComponent(id)}`) })),
    combine: data<Feed>,
  });
  const isUnknown = (error: unknown): boolean => error instanceof Problem && UNKNOWN.includes(error.status);
  return {
    feeds: asked.data.filter((feed, at): feed is Feed => feed !== undefined && !isUnknown(asked.errors[at])),
    unknown: ids.filter((_, at) => isUnknown(asked.errors[at])),
    error: asked.errors.find((error) => error && !isUnknown(error)) ?? null,
    isPending: asked.isPending,
  };
}

/** One line: averages of buckets, or readings as they are and what came since. */
function lineOf(history: History | undefined, came: readonly [number, number][]): { series: Series; gaps: number } {
  const { items, bucketS } = history ?? { items: [], bucketS: 0 };
  const series: Series = bucketS ? [items.map((each) => Date.parse(each.ts) / 1000), items.map((each) => each.avg ?? null)] : raw(items, came);
  return withGaps(series, gapOf(series[0], bucketS));
}

export function useCompared(feeds: readonly Feed[], span: Span) {
  const histories = useQueries({ queries: feeds.map((feed) => historyOf(feed, span)), combine: data<History> });
  const fresh = useFresh(feeds.map(({ id }) => id));
  const lines = useMemo(
    () => feeds.map(({ id }, at) => lineOf(histories.data[at], isLive(span) ? fresh.of(id) : [])),
    [feeds, histories.data, fresh.count, isLive(span)],
  );
  const series = useMemo(() => joined(lines.map((line) => line.series)), [lines]);
  return {
    series,
    gaps: lines.reduce((sum, { gaps }) => sum + gaps, 0),
    statistics: histories.data.map((each) => each?.statistics ?? null),
    /** Where a line has averages of buckets, its values are computed. */
    isRaw: histories.data.map((each) => each?.bucketS === 0),
    errors: histories.errors,
    isPending: histories.isPending,
  };
}

interface Alarms {
  marks: Mark[];
  periods: Period[];
}

/** The alarms of all of them; `scales` says on which scale each feed is. */
export function useAlarms(feeds: readonly Feed[], span: Span, scales: readonly number[]): Alarms {
  const queries = useQueryClient();
  const found = useQueries({ queries: feeds.map((feed) => alarmsOf(feed, span)), combine: data<Alarms> });
  useChange("alarms", () => queries.invalidateQueries({ queryKey: ["/alarms", "marks"] }), 500);
  return {
    marks: found.data.flatMap((each, at) => (each?.marks ?? []).map(([when, value]): Mark => [when, value, scales[at]])),
    periods: found.data.flatMap((each) => each?.periods ?? []),
  };
}
