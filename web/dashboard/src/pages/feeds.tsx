// All feeds; also those that no device has (any more).

import { useState } from "react";
import { useParameter } from "../address";
import { Checkbox } from "../parts/checkbox";
import { DeviceLink } from "../parts/device_name";
import { FeedTable } from "../parts/feed_table";
import { More, useList } from "../parts/lists";
import { Search } from "../parts/search_field";
import { Select } from "../parts/select";
import { Empty, Heading, Loaded, Toolbar } from "../parts/ui";
import type { Feed } from "../types";
import { t } from "../words";
import { FEEDS_MAX, compareAddress } from "./compare_address";
import { CompareButton } from "./compare_pick";

const OF: Record<string, boolean | undefined> = { all: undefined, device: true, none: false };

export default function FeedsPage() {
  const [part, setPart] = useParameter("q", "", true);
  const [of, setOf] = useParameter("of", "all");
  const [ticked, setTicked] = useState<string[]>([]);
  const feeds = useList<Feed>("/feeds", { q: part, has_device: OF[of], sort: "name" });
  return (
    <>
      <Heading title={t("Feeds")}>
        {ticked.length > 1 ? (
          <a className="button primary" href={`#${compareAddress(ticked)}`}>
            {t("Compare selected ({n})", { n: ticked.length })}
          </a>
        ) : (
          <CompareButton key={ticked.join()} chosen={ticked} label={t("Compare feeds")} />
        )}
      </Heading>
      <Toolbar>
        <Search label={t("Search feeds…")} value={part} onChange={setPart} />
        <Select
          label={t("Device")}
          value={of in OF ? of : "all"}
          onChange={setOf}
          options={[
            ["all", t("All")],
            ["device", t("With a device")],
            ["none", t("Without a device")],
          ]}
        />
      </Toolbar>
      <Loaded of={feeds}>
        {(items) =>
          items.length ? (
            <section className="sheet">
              <FeedTable
                items={items}
                tick={(feed) => (
                  <Checkbox
                    label={t("Compare {name}", { name: feed.name })}
                    checked={ticked.includes(feed.id)}
                    disabled={feed.kind !== "number" || (ticked.length >= FEEDS_MAX && !ticked.includes(feed.id))}
                    onChange={(isOn) => setTicked(isOn ? [...ticked, feed.id] : ticked.filter((id) => id !== feed.id))}
                  />
                )}
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
