// The bell: how many alarms nobody has acknowledged, and the last ones.

import { Popover } from "@base-ui/react/popover";
import { Bell as BellIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { useChange } from "../live/hooks";
import type { Alarm } from "../types";
import { ago, t } from "../words";
import { AlarmState, AlarmText, useFeeds, useOpenAlarms } from "./alarms";
import { DeviceLink } from "./device_name";
import { useList } from "./lists";
import { Loaded, useNow } from "./ui";

const COUNTED = 99;
const SHOWN = 10;

/** How many alarms are open: "3", "99+", or "" for none. */
export function useAlarmCount(): string {
  const open = useList<Alarm>("/alarms", { state: "active,acknowledged", limit: COUNTED + 1 });
  useChange("alarms", () => open.refetch(), 500);
  const count = open.data?.length ?? 0;
  return count > COUNTED ? `${COUNTED}+` : count ? String(count) : "";
}

export function Bell() {
  const alarms = useOpenAlarms({}, SHOWN);
  const [path] = useLocation();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const items = alarms.data ?? [];
  const unseen = items.filter((each) => each.acknowledged_at === null).length;
  const many = unseen >= SHOWN ? `${SHOWN}+` : String(unseen);
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger
        className="icon bell"
        aria-label={unseen ? t("Alarms not acknowledged: {n}", { n: many }) : alarms.data ? t("No new alarms") : t("Alarms")}
      >
        <BellIcon aria-hidden="true" />
        {unseen > 0 && <span className="count">{many}</span>}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner className="floating" align="start" sideOffset={6}>
          <Popover.Popup className="popup last">
            <Popover.Title>{t("Open alarms")}</Popover.Title>
            <Loaded of={alarms}>
              {(known) => (known.length ? <Last items={known.slice(0, SHOWN)} /> : <p className="quiet">{t("No open alarms")}</p>)}
            </Loaded>
            {/* biome-ignore lint/a11y/useValidAnchor: a link, which also closes what it stands in */}
            <a href="#/alarms" onClick={() => setOpen(false)}>
              {t("Show all alarms")}
            </a>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Last({ items }: { items: Alarm[] }) {
  const feeds = useFeeds(items);
  const now = useNow();
  return (
    <ul>
      {items.map((each) => (
        <li key={each.id}>
          <AlarmState alarm={each} /> <DeviceLink id={each.device_id} />
          <br />
          <AlarmText alarm={each} feed={each.feed_id ? feeds.get(each.feed_id) : undefined} />{" "}
          <span className="quiet">{ago(each.since, now)}</span>
        </li>
      ))}
    </ul>
  );
}
