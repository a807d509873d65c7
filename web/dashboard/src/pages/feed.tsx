// One feed: its curve or its last readings, its alarms, its settings.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useSearch } from "../address";
import { get } from "../api";
import { useLastValue } from "../live/hooks";
import { AlarmsHere } from "../parts/alarms";
import { FOLLOWED_MS } from "../parts/edit_form";
import { Rows } from "../parts/lists";
import { measured } from "../parts/measured";
import { read } from "../parts/span";
import { Badge, Heading, Loaded, Missing } from "../parts/ui";
import type { Feed, Page, Reading, Value } from "../types";
import { moment, t } from "../words";
import { CompareButton } from "./compare_pick";
import { FeedChart } from "./feed_chart";
import { FeedSettings } from "./feed_settings";

export default function FeedPage({ id }: { id: string }) {
  const feed = useQuery({ queryKey: ["/feeds", id], queryFn: () => get<Feed>(`/feeds/${id}`), refetchInterval: FOLLOWED_MS });
  const missing = <Missing title={t("Feed not found")} list="/feeds" name={t("Show all feeds")} />;
  return <Loaded of={feed} missing={missing}>{(found) => <About feed={found} />}</Loaded>;
}

const said = (value: Value | null, unit: string | null): string =>
  value === null ? "–" : `${typeof value === "number" ? measured(value) : String(value)} ${unit ?? ""}`;

function About({ feed }: { feed: Feed }) {
  const last = useLastValue(feed);
  const search = useSearch();
  return (
    <>
      <Heading
        title={feed.name}
        trail={[["/feeds", t("Feeds")]]}
        state={
          <>
            {!feed.enabled && <Badge state="disabled" />}
            <strong className="reading" data-testid="last-value">
              {said(last.value, feed.unit)}
            </strong>
            <span className="quiet">{last.ts && moment(last.ts)}</span>
          </>
        }
      >
        {feed.kind === "number" && <CompareButton chosen={[feed.id]} label={t("Compare with…")} span={read(search, Date.now() / 1000)} />}
        {feed.device_id && (
          <a className="button" href={`#/devices/${feed.device_id}`}>
            {t("View device")}
          </a>
        )}
      </Heading>
      {feed.kind === "number" ? <FeedChart feed={feed} /> : <Latest feed={feed} />}
      <AlarmsHere of={{ feed_id: feed.id }} />
      <FeedSettings feed={feed} />
    </>
  );
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
            head={[t("Time"), t("Value")]}
            items={items}
            id={(each) => `${each.ts}${each.value}`}
            row={(each) => [moment(each.ts), said(each.value ?? null, feed.unit)]}
          />
        )}
      </Loaded>
    </section>
  );
}
