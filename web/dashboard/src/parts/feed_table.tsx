// Feeds with their last values, live.

import type { ReactNode } from "react";
import { useLastValue } from "../live/hooks";
import type { Feed } from "../types";
import { ago, t } from "../words";
import { Rows } from "./lists";
import { measured } from "./measured";
import { useNow } from "./ui";

/** `device`: what stands in the column of devices; without it there is none. `tick`: before the names, to choose. */
export function FeedTable({ items, device, tick }: { items: Feed[]; device?: (feed: Feed) => ReactNode; tick?: (feed: Feed) => ReactNode }) {
  return (
    <Rows
      caption={t("Feeds")}
      head={[t("Name"), t("Key"), ...(device ? [t("Device")] : []), t("Latest value"), t("Updated")]}
      items={items}
      id={(feed) => feed.id}
      row={(feed) => [
        <span className="named-line">
          {tick?.(feed)}
          <a href={`#/feeds/${feed.id}`}>{feed.name}</a>
        </span>,
        <code>{feed.key}</code>,
        ...(device ? [device(feed)] : []),
        <LastValue feed={feed} />,
        <LastTime feed={feed} />,
      ]}
    />
  );
}

function LastValue({ feed }: { feed: Feed }) {
  const { value } = useLastValue(feed);
  if (value === null) return <>–</>;
  return <span>{`${typeof value === "number" ? measured(value) : String(value)} ${feed.unit ?? ""}`}</span>;
}

function LastTime({ feed }: { feed: Feed }) {
  const { ts } = useLastValue(feed);
  const now = useNow();
  return <>{ts ? ago(ts, now) : t("Never")}</>;
}
