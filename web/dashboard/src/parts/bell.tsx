// The bell: how many alarms nobody has acknowledged, and the last ones.

import { useEffect, useRef, useState } from "react";
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
  const box = useRef<HTMLDetailsElement>(null);
  const [path] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const close = () => void (box.current && (box.current.open = false));
  useEffect(close, [path]);
  useEffect(() => {
    if (!isOpen) return;
    const elsewhere = (event: Event) => box.current?.contains(event.target as Node) || close();
    document.addEventListener("pointerdown", elsewhere);
    return () => document.removeEventListener("pointerdown", elsewhere);
  }, [isOpen]);
  const items = alarms.data ?? [];
  const unseen = items.filter((each) => each.acknowledged_at === null).length;
  const many = unseen >= SHOWN ? `${SHOWN}+` : String(unseen);
  return (
    <details
      ref={box}
      className="bell"
      onToggle={(event) => setOpen(event.currentTarget.open)}
      onKeyDown={(event) => event.key === "Escape" && (close(), box.current?.querySelector("summary")?.focus())}
      onBlur={(event) => event.currentTarget.contains(event.relatedTarget) || !event.relatedTarget || close()}
    >
      <summary aria-label={unseen ? t("Alarms not acknowledged: {n}", { n: many }) : alarms.data ? t("No new alarms") : t("Alarms")}>
        <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
          <path d="M12 3a6 6 0 0 0-6 6v4l-2 3v1h16v-1l-2-3V9a6 6 0 0 0-6-6Zm-2 16a2 2 0 0 0 4 0Z" fill="currentColor" />
        </svg>
        {unseen > 0 && <span className="count">{many}</span>}
      </summary>
      {isOpen && (
        <div className="last">
          <Loaded of={alarms}>
            {(known) => (known.length ? <Last items={known.slice(0, SHOWN)} /> : <p className="quiet">{t("No open alarms")}</p>)}
          </Loaded>
          <a href="#/alarms" onClick={close}>
            {t("Show all alarms")}
          </a>
        </div>
      )}
    </details>
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
