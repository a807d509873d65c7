// Alarms as rows, wherever they are shown: what, of what, since when, and who has to see it yet.

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get, post, query } from "../api";
import { useChange, useLive, useTopic } from "../live/hooks";
import type { Alarm, Feed, Page } from "../types";
import { capital, moment, t, word } from "../words";
import { toldText } from "../words/problems";
import { Checkbox } from "./checkbox";
import { DeviceLink } from "./device_name";
import { More, Rows, useList } from "./lists";
import { measured } from "./measured";
import { done } from "./toasts";
import { Action, Badge } from "./ui";

// As many as one request may name.
const AT_ONCE = 1_000;

/** Which alarms: of one device, of one feed, or all. */
export interface AlarmsOf {
  device_id?: string;
  feed_id?: string;
}

export const isSeen = (alarm: Alarm): boolean => alarm.acknowledged_at !== null;

type Places = Record<"unseen" | "seen", string | null | undefined>;
interface Part {
  items: Alarm[];
  next: Places;
}

const NO_MORE: Page<Alarm> = { items: [], next: null };

/**
 * The next page of both lists. In this order: one that is acknowledged meanwhile is in both, and never in none.
 * `places`: undefined is the beginning of a list, null its end.
 */
async function nextPart(of: AlarmsOf, limit: number, places: Places): Promise<Part> {
  const page = async (place: Places["seen"], which: Record<string, string | boolean>) =>
    place === null ? NO_MORE : get<Page<Alarm>>(`/alarms${query({ ...of, ...which, limit, cursor: place })}`);
  const unseen = await page(places.unseen, { acknowledged: false });
  const seen = await page(places.seen, { state: "acknowledged" });
  return { items: [...unseen.items, ...seen.items], next: { unseen: unseen.next, seen: seen.next } };
}

/** Each once, as it was told last, newest first; without those that are over and were seen. */
export function openOnes(told: Alarm[], newer: (alarm: Alarm) => Alarm = (alarm) => alarm): Alarm[] {
  const byId = new Map(told.map((each) => [each.id, newer(each)]));
  return [...byId.values()].filter((each) => each.state !== "cleared" || !isSeen(each)).sort((a, b) => (a.since < b.since ? 1 : Number(a.since === b.since) - 1));
}

/** What has to be looked at: all that is open, and what cleared before anybody saw it. */
export function useOpenAlarms(of: AlarmsOf = {}, limit = 100) {
  const live = useLive();
  const found = useInfiniteQuery({
    queryKey: ["/alarms", "open", of, limit],
    queryFn: ({ pageParam }) => nextPart(of, limit, pageParam),
    initialPageParam: { unseen: undefined, seen: undefined } as Places,
    getNextPageParam: ({ next }) => (next.unseen || next.seen ? next : null),
  });
  useTopic("alarms");
  useChange("alarms", () => found.refetch(), 500);
  const told = found.data?.pages.flatMap((part) => part.items);
  return { ...found, data: told && openOnes(told, (each) => live.alarms.newer(each)) };
}

/** The feeds of alarms, by their ids; one that is not known yet was added since. */
export function useFeeds(alarms: Alarm[]): Map<string, Feed> {
  const feeds = useList<Feed>("/feeds", { limit: 1000 });
  const known = new Map(feeds.data?.map((each) => [each.id, each]));
  const added = feeds.data ? alarms.flatMap(({ feed_id }) => (feed_id && !known.has(feed_id) ? [feed_id] : [])).join() : "";
  const { refetch } = feeds;
  useEffect(() => void (added && refetch()), [added, refetch]);
  return known;
}

/** "Soil moisture 60 % (max 50 %)" for a value beyond its limits; else what the server says. */
export function AlarmText({ alarm, feed }: { alarm: Alarm; feed?: Feed }) {
  if (!alarm.feed_id) return <>{capital(toldText(alarm)) || word(alarm.kind)}</>;
  return (
    <>
      <a href={`#/feeds/${alarm.feed_id}`}>{feed?.name ?? t("Feed")}</a>{" "}
      {alarm.value !== null && <strong>{withUnit(alarm.value, feed)}</strong>}{" "}
      <span className="quiet">{limitOf(alarm, feed) ?? toldText(alarm)}</span>
    </>
  );
}

const withUnit = (value: number, feed?: Feed): string => `${measured(value)} ${feed?.unit ?? ""}`.trim();

/** The limit that the value is beyond; null where the limits were changed since. */
function limitOf({ value }: Alarm, feed?: Feed): string | null {
  const [min, max] = [feed?.min_value ?? null, feed?.max_value ?? null];
  if (value !== null && max !== null && value > max) return t("(max {value})", { value: withUnit(max, feed) });
  if (value !== null && min !== null && value < min) return t("(min {value})", { value: withUnit(min, feed) });
  return null;
}

export function AlarmState({ alarm }: { alarm: Alarm }) {
  return (
    <>
      <Badge state={alarm.state} />
      {alarm.state === "cleared" && !isSeen(alarm) && <span className="quiet"> {t("not acknowledged")}</span>}
    </>
  );
}

/** Several of them may be chosen and acknowledged at once. */
export function AlarmRows({ items, withDevice }: { items: Alarm[]; withDevice: boolean }) {
  const feeds = useFeeds(items);
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const waiting = items.filter((each) => !isSeen(each));
  const those = waiting.filter((each) => chosen.has(each.id)).map((each) => each.id);
  const acknowledge = async (ids: string[]) => {
    for (let from = 0; from < ids.length; from += AT_ONCE) await post("/alarms/ack", { ids: ids.slice(from, from + AT_ONCE) });
    setChosen(new Set());
    await queries.invalidateQueries({ queryKey: ["/alarms"] });
    done(t("Acknowledged"));
  };
  const choose = (id: string, isChosen: boolean) => {
    const next = new Set(chosen);
    if (isChosen) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const head = [t("State"), t("Severity"), ...(withDevice ? [t("Device")] : []), t("Description"), t("Started"), ""];
  return (
    <>
      {waiting.length > 0 && (
        <div className="row">
          <button type="button" onClick={() => setChosen(new Set(those.length === waiting.length ? [] : waiting.map((each) => each.id)))}>
            {those.length === waiting.length ? t("Select none") : t("Select all")}
          </button>
          {those.length > 0 && (
            <Action run={() => acknowledge(those)} kind="primary">
              {t("Acknowledge selected ({n})", { n: those.length })}
            </Action>
          )}
        </div>
      )}
      <Rows
        caption={t("Alarms")}
        head={head}
        items={items}
        id={(each) => each.id}
        row={(each) => [
          <AlarmState alarm={each} />,
          <Badge state={each.severity} tone={each.severity === "critical" ? "bad" : each.severity === "warning" ? "warn" : "calm"} />,
          ...(withDevice ? [<DeviceLink id={each.device_id} />] : []),
          <AlarmText alarm={each} feed={each.feed_id ? feeds.get(each.feed_id) : undefined} />,
          moment(each.since),
          !isSeen(each) && (
            <div className="row">
              <Checkbox label={t("Select")} checked={chosen.has(each.id)} onChange={(isChosen) => choose(each.id, isChosen)} />
              <Action run={() => acknowledge([each.id])}>{t("Acknowledge")}</Action>
            </div>
          ),
        ]}
      />
    </>
  );
}

/** The alarms of a device or a feed, on its page; nothing where there are none. */
export function AlarmsHere({ of, limit }: { of: AlarmsOf; limit?: number }) {
  const alarms = useOpenAlarms(of, limit);
  if (!alarms.data?.length) return null;
  return (
    <section className="sheet" data-testid="alarms-here">
      <h2>{t("Alarms")}</h2>
      <AlarmRows items={alarms.data} withDevice={false} />
      <More of={alarms} />
    </section>
  );
}
