// What plays where and when: a calendar, the list, and a form that shows what it will do.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Plus } from "lucide-react";
import { useParameter } from "../address";
import { useChange } from "../live/hooks";
import { useNarrow } from "../narrow";
import { DeviceName } from "../parts/device_name";
import { More, Rows, useList } from "../parts/lists";
import { Segments } from "../parts/tabs";
import { Badge, Empty, Heading, Loaded } from "../parts/ui";
import type { Media, Schedule } from "../types";
import { moment, t } from "../words";
import { Calendar, type View } from "./calendar";
import { NewSchedule, ruleWord } from "./schedule_form";

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
              <List items={items} />
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

function List({ items }: { items: Schedule[] }) {
  const media = useList<Media>("/media", { limit: 1000 });
  const files = new Map(media.data?.map((each) => [each.id, each.filename]));
  return (
    <section className="sheet">
      <Rows
        caption={t("Schedules")}
        head={[t("Media"), t("Device"), t("Next play"), t("Time zone"), t("Repeats"), t("State")]}
        items={items}
        id={(each) => each.id}
        row={(each) => [
          <a href={`#/schedules/${each.id}`}>{(each.media_id && files.get(each.media_id)) || t("Deleted media")}</a>,
          <DeviceName id={each.device_id} />,
          each.next_due_at ? moment(each.next_due_at, each.timezone) : "–",
          each.timezone,
          ruleWord(each.recurrence) ?? <code>{each.recurrence}</code>,
          <Badge state={each.state} tone="calm" />,
        ]}
      />
    </section>
  );
}
