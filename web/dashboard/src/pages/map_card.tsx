// What is known of a device on the map: in a card at the pointer, and above the list for the one that was chosen.

import { useQuery } from "@tanstack/react-query";
import { TriangleAlert } from "lucide-react";
import { get } from "../api";
import { useDevice, useLastValue, useLive } from "../live/hooks";
import { measured } from "../parts/measured";
import { Presence, useNow } from "../parts/ui";
import type { Feed, Page, Severity } from "../types";
import { ago, number, t, word } from "../words";

const FEEDS_MAX = 5;
const NAMES_MAX = 6;
const KEPT_MS = 60_000;
// So near the map's upper edge, the card goes below.
const TOP = 220;

/** Its state, alarm and latest values. */
export function Facts({ id, alarm }: { id: string; alarm: Severity | undefined }) {
  const device = useDevice(id);
  const now = useNow();
  const feeds = useQuery({
    queryKey: ["/feeds", "map", id],
    queryFn: () => get<Page<Feed>>(`/feeds?device_id=${id}&limit=${FEEDS_MAX}`),
    staleTime: KEPT_MS,
  });
  if (!device) return null;
  return (
    <>
      <p className="row">
        <Presence status={device.status} />
        {alarm && <AlarmBadge severity={alarm} />}
        <span className="quiet">{device.last_seen ? ago(device.last_seen, now) : t("Never connected")}</span>
      </p>
      <dl className="facts">
        {device.temperature !== null && (
          <>
            <dt>{t("Temperature")}</dt>
            <dd>{number(device.temperature, 1)} °C</dd>
          </>
        )}
        {device.humidity !== null && (
          <>
            <dt>{t("Humidity")}</dt>
            <dd>{number(device.humidity, 0)} %</dd>
          </>
        )}
        {feeds.data?.items.map((feed) => (
          <FeedFact key={feed.id} feed={feed} />
        ))}
      </dl>
    </>
  );
}

function FeedFact({ feed }: { feed: Feed }) {
  const { value } = useLastValue(feed);
  return (
    <>
      <dt>{feed.name}</dt>
      <dd>{value === null ? "–" : `${typeof value === "number" ? measured(value) : String(value)} ${feed.unit ?? ""}`.trim()}</dd>
    </>
  );
}

export const AlarmBadge = ({ severity }: { severity: Severity }) => (
  <span className={`badge ${severity === "critical" ? "bad" : severity === "warning" ? "warn" : "calm"}`}>
    <TriangleAlert aria-hidden="true" />
    <span className="hidden">{t("Alarm")}:</span> {word(severity)}
  </span>
);

interface HoverProps {
  ids: string[];
  x: number;
  y: number;
  worst: ReadonlyMap<string, Severity>;
}

/** At the pointer, and never under it. The list has the same for the keyboard. */
export function HoverCard({ ids, x, y, worst }: HoverProps) {
  const live = useLive();
  const [first, ...others] = ids.flatMap((id) => live.devices.get(id) ?? []);
  if (!first) return null;
  return (
    <div className={y < TOP ? "hovered sheet below" : "hovered sheet"} aria-hidden="true" style={{ left: x, top: y }}>
      {others.length === 0 ? (
        <>
          <h2>{first.name}</h2>
          <Facts id={first.id} alarm={worst.get(first.id)} />
        </>
      ) : (
        <>
          <h2>{t("{n} devices", { n: ids.length })}</h2>
          <p>
            {t("{on} online, {alarms} with alarms", {
              on: ids.filter((id) => live.devices.get(id)?.status !== "offline").length,
              alarms: ids.filter((id) => worst.has(id)).length,
            })}
          </p>
          <p className="quiet">
            {[first, ...others].slice(0, NAMES_MAX).map(({ name }) => name).join(", ")}
            {ids.length > NAMES_MAX && " …"}
          </p>
        </>
      )}
    </div>
  );
}
