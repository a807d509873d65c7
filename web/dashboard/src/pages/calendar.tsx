// The calendar: which days are shown, in which zone, of which screen. The address has all of it.

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { setParameters, useParameter } from "../address";
import { get, query } from "../api";
import { useLive, useTopic } from "../live/hooks";
import { civil, here, instant, isDay, later, monday, monthsLater, weeks } from "../parts/civil";
import { Agenda, DayGrid } from "../parts/calendar_days";
import { useNamedDevices } from "../parts/device_name";
import { Select } from "../parts/select";
import { Loaded, useNow } from "../parts/ui";
import type { Play, Plays } from "../types";
import { capital, locale, moment, number, t } from "../words";

export type View = "month" | "week" | "agenda";

const AGENDA_DAYS = 14;

function daysOf(view: View, on: string): string[] {
  const [year, month] = on.split("-").map(Number) as [number, number];
  if (view === "month") return weeks(year, month - 1);
  const first = view === "week" ? monday(on) : on;
  return Array.from({ length: view === "week" ? 7 : AGENDA_DAYS }, (_, n) => later(first, n));
}

function titleOf(view: View, on: string, days: string[]): string {
  const say = (day: string, shown: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale(), { ...shown, timeZone: "UTC" }).format(Date.parse(day));
  if (view === "month") return capital(say(on, { month: "long", year: "numeric" }));
  return `${say(days[0] as string, { dateStyle: "medium" })} – ${say(days.at(-1) as string, { dateStyle: "medium" })}`;
}

export function Calendar({ view, zones }: { view: View; zones: string[] }) {
  const [askedZone, setZone] = useParameter("zone", here());
  const [device, setDevice] = useParameter("device");
  const [askedDay] = useParameter("on");
  useNow(60_000);
  const known = [...new Set([here(), ...zones])];
  const zone = known.includes(askedZone) ? askedZone : here();
  const today = civil(Date.now(), zone).slice(0, 10);
  const on = isDay(askedDay) ? askedDay : today;
  const days = daysOf(view, on);
  const show = (day: string) => setParameters({ on: day === today ? "" : day });
  const step = (way: number) => show(view === "month" ? monthsLater(on, way) : later(on, way * days.length));
  const devices = useNamedDevices();
  const plays = usePlays(days, zone, device);
  return (
    <section className="sheet">
      <div className="row apart">
        <h2 aria-live="polite">{titleOf(view, on, days)}</h2>
        <div className="row toolbar">
          <button type="button" className="icon" aria-label={t("Previous")} onClick={() => step(-1)}>
            <ChevronLeft aria-hidden="true" />
          </button>
          <button type="button" onClick={() => show(today)}>
            {t("Today")}
          </button>
          <button type="button" className="icon" aria-label={t("Next")} onClick={() => step(1)}>
            <ChevronRight aria-hidden="true" />
          </button>
          <Select
            label={t("Device")}
            value={device}
            onChange={setDevice}
            options={[["", t("All devices")], ...devices.map((each) => [each.id, each.name] as const)]}
          />
          <Select label={t("Time zone")} value={zone} onChange={setZone} options={known.map((each) => [each, each])} />
        </div>
      </div>
      <Loaded of={plays}>
        {({ byDay, page, conflicts, missed }) => (
          <>
            <p className="row quiet" role="status">
              <span>{t("Times in {zone}", { zone })}</span>
              {plays.isOld && <span>{t("Loading…")}</span>}
              {conflicts > 0 && <span className="problem">⚠ {t("Conflicts: {n}", { n: number(conflicts) })}</span>}
              {missed > 0 && <span className="problem">{t("Missed: {n}", { n: number(missed) })}</span>}
              {page.unreadable > 0 && <span className="problem">{t("Plays that can't be shown: {n}", { n: number(page.unreadable) })}</span>}
              {!page.complete && <span>{t("Too many plays to show. Showing plays until {time}.", { time: moment(page.end, zone) })}</span>}
            </p>
            {plays.isOld && view === "agenda" ? null : view === "agenda" ? (
              <Agenda days={days} byDay={byDay} zone={zone} />
            ) : (
              <DayGrid days={days} byDay={byDay} zone={zone} today={today} month={view === "month" ? on.slice(0, 7) : null} />
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

/** What plays on these days, by day; states as the socket has told them since. */
function usePlays(days: string[], zone: string, device: string) {
  const live = useLive();
  useTopic("schedules");
  const start = new Date(instant(`${days[0]}T00:00`, zone)).toISOString();
  const end = new Date(instant(`${later(days.at(-1) as string, 1)}T00:00`, zone)).toISOString();
  const found = useQuery({
    queryKey: ["/media-schedules", "calendar", start, end, device],
    queryFn: () => get(`/schedule-calendar${query({ start, end, device_id: device })}`),
    placeholderData: keepPreviousData,
  });
  const data = found.data && gathered(found.data, zone, (play) => (play.id && live.occurrences.get(play.id)?.state) || play.state);
  return { data, error: found.error, refetch: found.refetch, isOld: found.isPlaceholderData };
}

function gathered(page: Plays, zone: string, stateOf: (play: Play) => string) {
  const byDay = new Map<string, Play[]>();
  let [conflicts, missed] = [0, 0];
  for (const each of page.items) {
    const play = { ...each, state: stateOf(each) };
    if (play.conflict) conflicts += 1;
    if (play.state === "missed") missed += 1;
    const day = civil(Date.parse(play.due_at), zone).slice(0, 10);
    const those = byDay.get(day);
    if (those) those.push(play);
    else byDay.set(day, [play]);
  }
  return { byDay, page, conflicts, missed };
}
