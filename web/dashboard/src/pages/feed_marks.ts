// The alarms of a feed, as marks and bands on its curve: all that were raised in the range.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { get, query } from "../api";
import { useChange } from "../live/hooks";
import { type Mark, type Period, marksOf, periodsOf } from "../parts/chart_marks";
import { type Span, edges } from "../parts/span";
import type { Alarm, Feed, Page } from "../types";

// So many pages of a thousand: more marks than a chart has pixels.
const PAGES_MAX = 5;
// An alarm is raised at most so long after it began (the longest delay of a rule).
const WAITS_S = 7 * 86_400;

interface Alarms {
  marks: Mark[];
  periods: Period[];
}

const NONE: Alarms = { marks: [], periods: [] };

/** Which alarms of a feed to ask for, for `useQuery` and `useQueries`. */
export const alarmsOf = (feed: Feed, span: Span) => ({
  queryKey: ["/alarms", "marks", feed.id, span],
  queryFn: ({ signal }: { signal: AbortSignal }) => load(feed, span, signal),
  placeholderData: keepPreviousData<Alarms>,
});

async function load(feed: Feed, span: Span, signal: AbortSignal): Promise<Alarms> {
  const [from] = edges(span, Date.now() / 1000);
  const found: Alarm[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page: Page<Alarm> = await get<Page<Alarm>>(`/alarms${query({ feed_id: feed.id, sort: "-since", limit: 1000, cursor })}`, signal);
    found.push(...page.items);
    cursor = page.next;
    const last = page.items.at(-1);
    if (!cursor || !last || Date.parse(last.since) / 1000 < from - WAITS_S) break;
  }
  return { marks: marksOf(found), periods: periodsOf(found) };
}

export function useMarks(feed: Feed, span: Span): Alarms {
  const found = useQuery(alarmsOf(feed, span));
  useChange("alarms", () => found.refetch(), 500);
  return found.data ?? NONE;
}
