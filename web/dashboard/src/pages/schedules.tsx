// What plays where and when: a month at a glance, the list, and a form that shows what it will do.

import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get, query } from "../api";
import { useChange, useLive, useTopic } from "../live/hooks";
import { civil, here, weeks } from "../parts/civil";
import { More, Rows, useList } from "../parts/lists";
import { Badge, Empty, Heading, Loaded } from "../parts/ui";
import type { Media, Occurrence, Page, Schedule } from "../types";
import { clock, moment, t, word } from "../words";
import { NewSchedule } from "./schedule_form";

// Of so many schedules the calendar asks for the occurrences; the list has them all.
const CALENDAR_MAX = 50;

export default function SchedulesPage() {
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [asList, setAsList] = useState(false);
  const schedules = useList<Schedule>("/media-schedules");
  useChange("schedules", () => void queries.invalidateQueries({ queryKey: ["/media-schedules"] }), 1_500);
  return (
    <>
      <Heading title={t("Schedules")}>
        <button type="button" aria-pressed={!asList} onClick={() => setAsList(false)}>
          {t("Calendar")}
        </button>
        <button type="button" aria-pressed={asList} onClick={() => setAsList(true)}>
          {t("List")}
        </button>
        <button type="button" className="primary" onClick={() => setAdding(true)}>
          {t("Plan something")}
        </button>
      </Heading>
      <Loaded of={schedules}>
        {(items) =>
          !items.length ? (
            <Empty title={t("Nothing is planned.")}>
              <p>{t("Plan a media file for a device: once, or again and again in the civil time of a place.")}</p>
              <button type="button" onClick={() => setAdding(true)}>
                {t("Plan something")}
              </button>
            </Empty>
          ) : asList ? (
            <List items={items} />
          ) : (
            <Calendar schedules={items} />
          )
        }
      </Loaded>
      {asList && <More of={schedules} />}
      {adding && (
        <NewSchedule
          close={() => {
            setAdding(false);
            void queries.invalidateQueries();
          }}
        />
      )}
    </>
  );
}

function useNames() {
  const live = useLive();
  const media = useList<Media>("/media", { limit: 1000 });
  const files = new Map(media.data?.map((each) => [each.id, each.filename]));
  return {
    device: (id: string) => live.devices.get(id)?.name ?? t("Device"),
    media: (id: string | null) => (id && files.get(id)) || t("deleted media"),
  };
}

function List({ items }: { items: Schedule[] }) {
  const names = useNames();
  return (
    <section className="sheet">
      <Rows
        caption={t("Schedules")}
        head={[t("Media"), t("Device"), t("Next"), t("Repeats"), t("Zone"), t("State")]}
        items={items}
        id={(each) => each.id}
        row={(each) => [
          <a href={`#/schedules/${each.id}`}>{names.media(each.media_id)}</a>,
          names.device(each.device_id),
          each.next_due_at ? moment(each.next_due_at) : "–",
          each.recurrence ? <code>{each.recurrence}</code> : t("once"),
          each.timezone,
          <Badge state={each.state} tone="calm" />,
        ]}
      />
    </section>
  );
}

function Calendar({ schedules }: { schedules: Schedule[] }) {
  const live = useLive();
  const names = useNames();
  useTopic("schedules");
  const [shift, setShift] = useState(0);
  const today = civil(Date.now(), here()).slice(0, 10);
  const month = new Date(Date.UTC(Number(today.slice(0, 4)), Number(today.slice(5, 7)) - 1 + shift, 1));
  const days = weeks(month.getUTCFullYear(), month.getUTCMonth());
  const found = useQueries({
    queries: schedules.slice(0, CALENDAR_MAX).map((each) => ({
      queryKey: ["/media-schedules", each.id, "occurrences"],
      queryFn: () => get<Page<Occurrence>>(`/media-schedules/${each.id}/occurrences${query({ limit: 200 })}`),
    })),
  });
  const byDay = useMemo(() => {
    const known = new Map<string, Occurrence>();
    for (const each of found) for (const item of each.data?.items ?? []) known.set(item.id, live.occurrences.newer(item));
    for (const item of live.occurrences.all()) known.set(item.id, item);
    const those = new Map<string, Occurrence[]>();
    for (const item of [...known.values()].sort((a, b) => (a.due_at < b.due_at ? -1 : 1))) {
      const on = civil(Date.parse(item.due_at), here()).slice(0, 10);
      those.set(on, [...(those.get(on) ?? []), item]);
    }
    return those;
  }, [found, live, live.version("schedules")]);
  const about = new Map(schedules.map((each) => [each.id, each]));
  const named = new Intl.DateTimeFormat(document.documentElement.lang, { month: "long", year: "numeric", timeZone: "UTC" });
  const weekday = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", timeZone: "UTC" });
  const missed = [...byDay.values()].flat().filter((each) => each.state === "missed").length;
  return (
    <section className="sheet">
      <div className="row apart">
        <h2 aria-live="polite">{named.format(month)}</h2>
        <div className="row">
          {missed > 0 && <Badge state="missed" />}
          <button type="button" aria-label={t("Month before")} onClick={() => setShift(shift - 1)}>
            ←
          </button>
          <button type="button" onClick={() => setShift(0)}>
            {t("Today")}
          </button>
          <button type="button" aria-label={t("Month after")} onClick={() => setShift(shift + 1)}>
            →
          </button>
        </div>
      </div>
      <div className="calendar">
        {days.slice(0, 7).map((each) => (
          <div key={each} className="name" aria-hidden="true">
            {weekday.format(Date.parse(each))}
          </div>
        ))}
        {days.map((each) => (
          <div
            key={each}
            className={`day ${each === today ? "today" : ""} ${Number(each.slice(5, 7)) - 1 === month.getUTCMonth() ? "" : "other"}`}
          >
            <time dateTime={each}>{Number(each.slice(8))}</time>
            {(byDay.get(each) ?? []).slice(0, 4).map((item) => (
              <a
                key={item.id}
                className={item.state}
                href={`#/schedules/${item.schedule_id}`}
                title={`${names.media(about.get(item.schedule_id)?.media_id ?? null)}, ${names.device(item.device_id)}: ${word(item.state)}`}
              >
                {clock(item.due_at).slice(0, 5)} <span className="state">{word(item.state)}</span>
              </a>
            ))}
            {(byDay.get(each)?.length ?? 0) > 4 && <span className="quiet">+{(byDay.get(each)?.length ?? 0) - 4}</span>}
          </div>
        ))}
      </div>
      {schedules.length > CALENDAR_MAX && (
        <p className="quiet">{t("The calendar shows the first {n} schedules; the list has them all.", { n: CALENDAR_MAX })}</p>
      )}
    </section>
  );
}
