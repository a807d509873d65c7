// The alarms of a feed, as marks on its curve: all that were raised in the range.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { get, query } from "../api";
import { useChange } from "../live/hooks";
import { type Mark, marksOf } from "../parts/chart_marks";
import { type Span, edges } from "../parts/span";
import type { Alarm, Feed, Page } from "../types";

// So many pages of a thousand: more marks than a chart has pixels.
const PAGES_MAX = 5;
// An alarm is raised at most so long after it began (the longest delay of a rule).
const WAITS_S = 7 * 86_400;

async function load(feed: Feed, span: Span): Promise<Mark[]> {
  const [from] = edges(span, Date.now() / 1000);
  const found: Alarm[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page: Page<Alarm> = await get<Page<Alarm>>(`/alarms${query({ feed_id: feed.id, sort: "-since", limit: 1000, cursor })}`);
    found.push(...page.items);
    cursor = page.next;
    const last = page.items.at(-1);
    if (!cursor || !last || Date.parse(last.since) / 1000 < from - WAITS_S) break;
  }
  return marksOf(found);
}

export function useMarks(feed: Feed, span: Span): Mark[] {
  const marks = useQuery({
    queryKey: ["/alarms", "marks", feed.id, span],
    queryFn: () => load(feed, span),
    placeholderData: keepPreviousData,
  });
  useChange("alarms", () => marks.refetch(), 500);
  return marks.data ?? [];
}
