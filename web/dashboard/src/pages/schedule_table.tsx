// Schedules as rows.

import { DeviceName } from "../parts/device_name";
import { Rows, useList } from "../parts/lists";
import { Badge } from "../parts/ui";
import type { Media, Schedule } from "../types";
import { moment, t } from "../words";
import { ruleWord } from "./schedule_form";

export function ScheduleTable({ items, withDevice = false }: { items: Schedule[]; withDevice?: boolean }) {
  const media = useList<Media>("/media", { limit: 1000 });
  const files = new Map(media.data?.map((each) => [each.id, each.filename]));
  return (
    <Rows
      caption={t("Schedules")}
      head={[t("Media"), ...(withDevice ? [t("Device")] : []), t("Next play"), t("Time zone"), t("Repeats"), t("State")]}
      items={items}
      id={(each) => each.id}
      row={(each) => [
        <a href={`#/schedules/${each.id}`}>{(each.media_id && files.get(each.media_id)) || t("Deleted media")}</a>,
        ...(withDevice ? [<DeviceName id={each.device_id} />] : []),
        each.next_due_at ? moment(each.next_due_at, each.timezone) : "–",
        each.timezone,
        ruleWord(each.recurrence) ?? <code>{each.recurrence}</code>,
        <Badge state={each.state} tone="calm" />,
      ]}
    />
  );
}
