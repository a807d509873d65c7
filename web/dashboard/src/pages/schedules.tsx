// What plays where and when: a calendar, the list, and a form that shows what it will do.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Plus } from "lucide-react";
import { useParameter } from "../address";
import { useChange } from "../live/hooks";
import { useNarrow } from "../narrow";
import { More, useList } from "../parts/lists";
import { Segments } from "../parts/tabs";
import { Empty, Heading, Loaded } from "../parts/ui";
import type { Schedule } from "../types";
import { t } from "../words";
import { Calendar, type View } from "./calendar";
import { NewSchedule } from "./schedule_form";
import { ScheduleTable } from "./schedule_table";

const VIEWS: [View | "list", string][] = [
  ["month", "Month"],
  ["week", "Week"],
  ["agenda", "Agenda"],
  ["list", "List"],
];

export default function SchedulesPage() {
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  // Seven columns do not fit a phone.
  const usual = useNarrow() ? "agenda" : "month";
  const [asked, setView] = useParameter("view", usual);
  const view = VIEWS.find(([name]) => name === asked)?.[0] ?? usual;
  const [media, setMedia] = useParameter("media");
  const ofMedia = view === "list" ? media : "";
  const schedules = useList<Schedule>("/media-schedules", { media_id: ofMedia });
  useChange("schedules", () => queries.invalidateQueries({ queryKey: ["/media-schedules"] }), 1_500);
  return (
    <>
      <Heading title={t("Schedules")}>
        <Segments label={t("View")} tabs={VIEWS.map(([name, title]) => [name, t(title)])} value={view} onChange={setView} />
        <button type="button" className="primary" onClick={() => setAdding(true)}>
          <Plus aria-hidden="true" />
          {t("New schedule")}
        </button>
      </Heading>
      {ofMedia && (
        <p>
          {t("Schedules of one media file")}{" "}
          <button type="button" onClick={() => setMedia("")}>
            {t("Show all schedules")}
          </button>
        </p>
      )}
      <Loaded of={schedules}>
        {(items) =>
          !items.length ? (
            <Empty title={t("No schedules yet")}>
              <p>{t("Schedule media to play on a device, once or on repeat.")}</p>
              <button type="button" onClick={() => setAdding(true)}>
                {t("New schedule")}
              </button>
            </Empty>
          ) : view === "list" ? (
            <>
              <section className="sheet">
                <ScheduleTable items={items} withDevice />
              </section>
              <More of={schedules} />
            </>
          ) : (
            <Calendar view={view} zones={[...new Set(items.map((each) => each.timezone))]} />
          )
        }
      </Loaded>
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
