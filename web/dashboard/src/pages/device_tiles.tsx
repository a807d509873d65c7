// What a device measured last, at a glance: a tile for each feed, with how it went over a day.

import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { get, query } from "../api";
import { useEvery, useLastValue, useLive } from "../live/hooks";
import { Card, Curve } from "../parts/figures";
import { useList } from "../parts/lists";
import { measured } from "../parts/measured";
import { byName } from "../parts/search";
import { type Point, isBeyond } from "../parts/trend";
import { Badge, useNow } from "../parts/ui";
import type { Feed, Page, Reading } from "../types";
import { ago, t } from "../words";

const TILES_MAX = 12;
const DAY_S = 86_400;
const BUCKET_S = 1_800;
// A curve this small shows nothing of a minute: it is asked for again when it is older than that.
const FRESH_MS = 600_000;

/** The feeds with the newest values, in the order of their names, so that no tile changes its place. */
export function latestOf(feeds: readonly Feed[], isKnown: (feed: Feed) => boolean): Feed[] {
  const order = byName();
  return feeds
    .filter(isKnown)
    .sort((a, b) => ((a.last_value_at ?? "") < (b.last_value_at ?? "") ? 1 : -1))
    .slice(0, TILES_MAX)
    .sort((a, b) => order.compare(a.name, b.name));
}

export function Tiles({ deviceId, all }: { deviceId: string; all: string }) {
  const live = useLive();
  useEvery("values", 1_000);
  const feeds = useList<Feed>("/feeds", { device_id: deviceId });
  const items = latestOf(feeds.data ?? [], (feed) => feed.last_value_at !== null || live.values.has(feed.id));
  if (!items.length) return null;
  const isMore = feeds.hasNextPage || (feeds.data?.length ?? 0) > items.length;
  return (
    <section aria-label={t("Latest values")}>
      <div className="cards tiles">
        {items.map((feed) => (
          <Tile key={feed.id} feed={feed} />
        ))}
      </div>
      {isMore && (
        <p>
          <a href={`#${all}`}>{t("All feeds")}</a>
        </p>
      )}
    </section>
  );
}

function Tile({ feed }: { feed: Feed }) {
  const { value, ts } = useLastValue(feed);
  const now = useNow();
  const text = typeof value === "number" ? measured(value) : String(value ?? "–");
  return (
    <Card
      name={
        <>
          <span>{feed.name}</span>
          {isBeyond(feed, value) && <Badge state="beyond" tone="bad" text={t("Out of range")} />}
        </>
      }
      value={`${text} ${feed.unit ?? ""}`.trim()}
      hint={ts ? ago(ts, now) : t("Never")}
      href={`#/feeds/${feed.id}`}
      beside={feed.kind === "number" && <WhenSeen>{<DayCurve feedId={feed.id} />}</WhenSeen>}
    />
  );
}

/** What costs a request is first there when it comes into sight, and stays. */
function WhenSeen({ children }: { children: ReactNode }) {
  const box = useRef<HTMLSpanElement>(null);
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return;
      setSeen(true);
      seen.disconnect();
    });
    seen.observe(box.current as HTMLSpanElement);
    return () => seen.disconnect();
  }, []);
  return (
    <span ref={box} className="curve">
      {isSeen && children}
    </span>
  );
}

function DayCurve({ feedId }: { feedId: string }) {
  const day = useQuery({
    queryKey: ["/feed-values", feedId, "day"],
    queryFn: ({ signal }) => load(feedId, signal),
    staleTime: FRESH_MS,
    gcTime: 2 * FRESH_MS,
    refetchInterval: FRESH_MS,
    refetchOnWindowFocus: false,
  });
  return day.data ? <Curve points={day.data.points} start={day.data.end - DAY_S} end={day.data.end} gap={1.5 * BUCKET_S} /> : null;
}

async function load(feedId: string, signal: AbortSignal): Promise<{ points: Point[]; end: number }> {
  const end = Date.now() / 1000;
  const asked = { start: new Date((end - DAY_S) * 1000).toISOString(), bucket: `${BUCKET_S}s`, agg: "avg", limit: 100 };
  const { items } = await get<Page<Reading>>(`/feed-values/${feedId}${query(asked)}`, signal);
  const points = items.flatMap((each): Point[] => (typeof each.avg === "number" ? [[Date.parse(each.ts) / 1000, each.avg]] : []));
  return { points: points.sort(([a], [b]) => a - b), end };
}
