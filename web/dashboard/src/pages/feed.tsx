// One feed: its curve, live, and as far back as anybody looks.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { apiPath, get, query } from "../api";
import { useFeedValues, useLastValue } from "../live/hooks";
import { Chart, type Series } from "../parts/chart";
import { FOLLOWED_MS } from "../parts/edit_form";
import { Rows } from "../parts/lists";
import { Action, Badge, Heading, Loaded, useNow } from "../parts/ui";
import type { Feed, Page, Reading, Value } from "../types";
import { moment, number, t } from "../words";
import { FeedSettings } from "./feed_settings";

const POINTS = 480;
const KEPT = 5_000;
const RANGES: [string, number][] = [
  ["5 minutes", 300],
  ["1 hour", 3_600],
  ["1 day", 86_400],
  ["1 week", 604_800],
  ["1 month", 2_678_400],
  ["1 year", 31_622_400],
];

export default function FeedPage({ id }: { id: string }) {
  const feed = useQuery({ queryKey: ["/feeds", id], queryFn: () => get<Feed>(`/feeds/${id}`), refetchInterval: FOLLOWED_MS });
  return <Loaded of={feed}>{(found) => <About feed={found} />}</Loaded>;
}

const said = (value: Value | null, unit: string | null): string =>
  value === null ? "–" : `${typeof value === "number" ? number(value, 4) : String(value)} ${unit ?? ""}`;

function About({ feed }: { feed: Feed }) {
  const last = useLastValue(feed);
  return (
    <>
      <Heading title={feed.name}>
        {!feed.enabled && <Badge state="disabled" />}
        <strong data-testid="last-value">{said(last.value, feed.unit)}</strong>
        <span className="quiet">{last.ts && moment(last.ts)}</span>
        {feed.device_id && <a href={`#/devices/${feed.device_id}`}>{t("Its device")}</a>}
      </Heading>
      {feed.kind === "number" ? <Curve feed={feed} /> : <Latest feed={feed} />}
      <FeedSettings feed={feed} />
    </>
  );
}

/** A range that ends now moves on; one that somebody chose stays. */
type Span = { last: number } | { from: number; to: number };

function Curve({ feed }: { feed: Feed }) {
  const [span, setSpan] = useState<Span>({ last: 300 });
  const isLive = "last" in span;
  const asked = isLive ? { seconds: span.last } : { from: span.from, to: span.to };
  const history = useQuery({
    queryKey: ["/feed-values", feed.id, asked],
    queryFn: async () => {
      const to = isLive ? Date.now() / 1000 : span.to;
      const from = isLive ? to - span.last : span.from;
      const time = (s: number) => new Date(s * 1000).toISOString();
      const path = `/feed-values/${feed.id}`;
      const end = isLive ? undefined : time(to);
      // Short ranges as they are, as far as one answer goes; the rest in buckets.
      const raw = to - from <= 600 ? await get<Page<Reading>>(path + query({ start: time(from), end, limit: 1000 })) : null;
      if (raw && !raw.next) return { items: raw.items.reverse(), isRaw: true };
      const found = await get<Page<Reading>>(
        path + query({ start: time(from), end, max_points: POINTS, agg: "avg,min,max", limit: 1000 }),
      );
      return { items: [...found.items].sort((a, b) => (a.ts < b.ts ? -1 : 1)), isRaw: false };
    },
    placeholderData: keepPreviousData,
    // The socket skips steps for whoever is slow, and late readings come late: the history has them.
    refetchInterval: isLive ? (span.last > 3_600 ? 60_000 : 15_000) : false,
  });
  const { data, isRaw } = useSeries(feed, history.data, isLive ? span.last : null);
  const lines = isRaw
    ? [{ name: feed.name }]
    : [{ name: t("Average") }, { name: t("Lowest"), tone: "quiet" as const }, { name: t("Highest"), tone: "quiet" as const }];
  useNow(1_000); // a live range moves on without readings, too
  const width = isLive ? span.last : span.to - span.from;
  const end = isLive ? Date.now() / 1000 : span.to;
  const move = (part: number) => setSpan({ from: end - width + width * part, to: end + width * part });
  const zoom = (part: number) => setSpan({ from: end - width / 2 - (width * part) / 2, to: end - width / 2 + (width * part) / 2 });
  const times = isLive ? {} : { start: new Date(span.from * 1000).toISOString(), end: new Date(span.to * 1000).toISOString() };
  const start = isLive ? new Date((end - width) * 1000).toISOString() : undefined;
  return (
    <section className="sheet">
      <div className="row">
        {RANGES.map(([name, seconds]) => (
          <button
            key={seconds}
            type="button"
            aria-pressed={isLive && span.last === seconds}
            onClick={() => setSpan({ last: seconds })}
          >
            {t(name)}
          </button>
        ))}
        <button type="button" aria-label={t("Earlier")} onClick={() => move(-0.5)}>
          ←
        </button>
        <button type="button" aria-label={t("Later")} disabled={isLive} onClick={() => move(0.5)}>
          →
        </button>
        <button type="button" aria-label={t("Closer")} onClick={() => zoom(0.5)}>
          +
        </button>
        <button type="button" aria-label={t("Farther")} onClick={() => zoom(2)}>
          −
        </button>
        <Action run={() => saveCsv(feed, { start, ...times })} said={t("Saved")}>
          {t("Save as CSV")}
        </Action>
      </div>
      <Loaded of={history}>
        {() => (
          <Chart
            label={t("Readings of {name}", { name: feed.name })}
            data={data}
            lines={lines}
            unit={feed.unit}
            limits={[feed.min_value, feed.max_value]}
            height={340}
            range={[end - width, end]}
            onRange={(from, to) => setSpan({ from, to })}
          />
        )}
      </Loaded>
      <p className="quiet">
        {isLive ? t("Live. Drag over a part of the curve to look closer.") : t("A range that stands still; choose a length above to go on live.")}
      </p>
    </section>
  );
}

/** What REST told, and behind it what came since; drawn at most once per frame. */
function useSeries(feed: Feed, history: { items: Reading[]; isRaw: boolean } | undefined, lastS: number | null) {
  const [fresh, setFresh] = useState(0);
  const came = useRef<[number, number][]>([]);
  const waiting = useRef(0);
  useFeedValues(feed.id, ({ value, ts }) => {
    if (typeof value !== "number") return;
    came.current.push([Date.parse(ts) / 1000, value]);
    if (came.current.length > KEPT) came.current.splice(0, came.current.length - KEPT);
    waiting.current ||= requestAnimationFrame(() => {
      waiting.current = 0;
      setFresh((n) => n + 1);
    });
  });
  useEffect(() => () => cancelAnimationFrame(waiting.current), []);
  const isRaw = history?.isRaw ?? true;
  const data = useMemo((): Series => {
    const items = history?.items ?? [];
    const since = lastS === null ? -Infinity : Date.now() / 1000 - lastS;
    const times: number[] = [];
    const columns: (number | null)[][] = isRaw ? [[]] : [[], [], []];
    for (const item of items) {
      const at = Date.parse(item.ts) / 1000;
      if (at < since && isRaw) continue;
      times.push(at);
      if (isRaw) columns[0]?.push(item.value as number);
      else [item.avg, item.min, item.max].forEach((value, n) => columns[n]?.push(value ?? null));
    }
    if (lastS !== null) {
      // Out of order is late: it is in the history, and seen with the next look at it.
      let newest = times.at(-1) ?? since;
      for (const [at, value] of came.current) {
        if (at <= newest || at < since) continue;
        newest = at;
        times.push(at);
        for (const column of columns) column.push(value);
      }
    }
    return [times, ...columns] as Series;
  }, [history, fresh, lastS, isRaw]);
  return { data, isRaw };
}

async function saveCsv(feed: Feed, times: { start?: string; end?: string }): Promise<void> {
  const response = await fetch(apiPath(`/feed-values/${feed.id}${query(times)}`), { headers: { Accept: "text/csv" } });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = `${feed.key}.csv`;
  link.click();
  URL.revokeObjectURL(address);
}

function Latest({ feed }: { feed: Feed }) {
  const last = useLastValue(feed);
  const found = useQuery({
    queryKey: ["/feed-values", feed.id, last.ts],
    queryFn: () => get<Page<Reading>>(`/feed-values/${feed.id}?limit=100`),
    placeholderData: keepPreviousData,
  });
  return (
    <section className="sheet">
      <Loaded of={found}>
        {({ items }) => (
          <Rows
            caption={t("Readings of {name}", { name: feed.name })}
            head={[t("When"), t("Value")]}
            items={items}
            id={(each) => `${each.ts}${each.value}`}
            row={(each) => [moment(each.ts), said(each.value ?? null, feed.unit)]}
          />
        )}
      </Loaded>
    </section>
  );
}
