// All feeds; also those that no device has (any more).

import { useParameter } from "../address";
import { DeviceLink } from "../parts/device_name";
import { FeedTable } from "../parts/feed_table";
import { More, useList } from "../parts/lists";
import { Empty, Heading, Loaded } from "../parts/ui";
import type { Feed } from "../types";
import { t } from "../words";

const OF: Record<string, boolean | undefined> = { all: undefined, device: true, none: false };

export default function FeedsPage() {
  const [part, setPart] = useParameter("q", "", true);
  const [of, setOf] = useParameter("of", "all");
  const feeds = useList<Feed>("/feeds", { q: part, has_device: OF[of], sort: "name" });
  return (
    <>
      <Heading title={t("Feeds")}>
        <input
          type="search"
          aria-label={t("Search feeds…")}
          placeholder={t("Search feeds…")}
          value={part}
          onChange={(event) => setPart(event.target.value)}
        />
        <select aria-label={t("Device")} value={of in OF ? of : "all"} onChange={(event) => setOf(event.target.value)}>
          <option value="all">{t("All")}</option>
          <option value="device">{t("With a device")}</option>
          <option value="none">{t("Without a device")}</option>
        </select>
      </Heading>
      <Loaded of={feeds}>
        {(items) =>
          items.length ? (
            <section className="sheet">
              <FeedTable
                items={items}
                device={(feed) =>
                  feed.device_id ? (
                    <DeviceLink id={feed.device_id} />
                  ) : feed.archived ? (
                    t("Deleted device")
                  ) : (
                    t("All devices")
                  )
                }
              />
              <More of={feeds} />
            </section>
          ) : (
            <Empty title={part || of !== "all" ? t("No results") : t("No feeds yet")} />
          )
        }
      </Loaded>
    </>
  );
}
