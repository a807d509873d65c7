// Days of the calendar, as a grid or one below the other; a day that has more opens.

import { useState } from "react";
import { useDeviceName } from "../live/hooks";
import type { Play } from "../types";
import { capital, locale, playWord, t, timeOfDay } from "../words";
import { Dialog } from "./dialog";

interface DaysProps {
  days: string[];
  byDay: Map<string, Play[]>;
  zone: string;
}

// A month shows a few of each day, a week many.
const SHOWN = { month: 3, week: 40 };

const named = (day: string, shown: Intl.DateTimeFormatOptions): string =>
  capital(new Intl.DateTimeFormat(locale(), { ...shown, timeZone: "UTC" }).format(Date.parse(day)));

/** `month`: "2026-11" where a month is shown; the days of others are paler. */
export function DayGrid({ days, byDay, zone, today, month }: DaysProps & { today: string; month: string | null }) {
  const [opened, setOpened] = useState<string | null>(null);
  const most = month ? SHOWN.month : SHOWN.week;
  return (
    <>
      <div className={month ? "calendar" : "calendar week"}>
        {days.slice(0, 7).map((each) => (
          <div key={each} className="name" aria-hidden="true">
            {named(each, { weekday: "short" })}
          </div>
        ))}
        {days.map((each) => {
          const plays = byDay.get(each) ?? [];
          const more = plays.length - most;
          return (
            <div key={each} className={["day", each === today && "today", month && !each.startsWith(month) && "other"].filter(Boolean).join(" ")}>
              <time dateTime={each}>{Number(each.slice(8))}</time>
              {plays.slice(0, most).map((play) => (
                <Entry key={play.schedule_id + play.due_at} play={play} zone={zone} />
              ))}
              {more > 0 && (
                <button
                  type="button"
                  className="plain more"
                  aria-label={t("Show all {n} of {day}", { n: plays.length, day: named(each, { dateStyle: "long" }) })}
                  onClick={() => setOpened(each)}
                >
                  +{more}
                </button>
              )}
            </div>
          );
        })}
      </div>
      {opened && (
        <Dialog title={named(opened, { dateStyle: "full" })} wide close={() => setOpened(null)}>
          <Plays items={byDay.get(opened) ?? []} zone={zone} />
        </Dialog>
      )}
    </>
  );
}

export function Agenda({ days, byDay, zone }: DaysProps) {
  const filled = days.filter((each) => byDay.has(each));
  if (!filled.length) return <p className="quiet">{t("No upcoming plays")}</p>;
  return (
    <div className="agenda">
      {filled.map((each) => (
        <section key={each}>
          <h3>{named(each, { dateStyle: "full" })}</h3>
          <Plays items={byDay.get(each) ?? []} zone={zone} />
        </section>
      ))}
    </div>
  );
}

function Plays({ items, zone }: { items: Play[]; zone: string }) {
  return (
    <ul className="plays">
      {items.map((play) => (
        <li key={play.schedule_id + play.due_at}>
          <Entry play={play} zone={zone} exact />
        </li>
      ))}
    </ul>
  );
}

/** Time, media, screen, state; and whether another begins at once on the same screen. */
function Entry({ play, zone, exact }: { play: Play; zone: string; exact?: boolean }) {
  const device = useDeviceName(play.device_id) ?? t("Device");
  const media = play.filename ?? t("Deleted media");
  const time = timeOfDay(play.due_at, zone, exact);
  const conflict = play.conflict && t("Conflict: another schedule starts at the same time on this device");
  const title = [time, media, device, playWord(play.state), conflict].filter(Boolean).join(", ");
  return (
    <a className={`entry ${play.state}${play.conflict ? " conflict" : ""}`} href={`#/schedules/${play.schedule_id}`} title={title}>
      {conflict && (
        <span className="problem">
          <span aria-hidden="true">⚠</span>
          <span className="hidden">{conflict}</span>{" "}
        </span>
      )}
      <span className="time">{time}</span> <span className="what">{media}</span>{" "}
      <span className="where quiet">
        {device} · {playWord(play.state)}
      </span>
    </a>
  );
}
