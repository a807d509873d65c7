// What happened to a device, and what is planned for it: all its alarms, and its schedules.

import { useChange, useLive, useTopic } from "../live/hooks";
import { AlarmRows } from "../parts/alarms";
import { More, useList } from "../parts/lists";
import { Empty, Loaded } from "../parts/ui";
import type { Alarm, Schedule } from "../types";
import { t } from "../words";
import { ScheduleTable } from "./schedule_table";

export function DeviceAlarms({ id }: { id: string }) {
  const live = useLive();
  const alarms = useList<Alarm>("/alarms", { device_id: id });
  useTopic("alarms");
  useChange("alarms", () => alarms.refetch(), 500);
  return (
    <section className="sheet">
      <h2>{t("Alarms")}</h2>
      <Loaded of={alarms}>
        {(items) =>
          items.length ? (
            <AlarmRows items={items.map((each) => live.alarms.newer(each))} withDevice={false} />
          ) : (
            <Empty title={t("No alarms yet")}>
              <p>{t("Alarms are raised when a value crosses a threshold or a device goes offline.")}</p>
            </Empty>
          )
        }
      </Loaded>
      <More of={alarms} />
    </section>
  );
}

export function DeviceSchedules({ id }: { id: string }) {
  const schedules = useList<Schedule>("/media-schedules", { device_id: id });
  useChange("schedules", () => schedules.refetch(), 1_500);
  return (
    <section className="sheet">
      <div className="row apart">
        <h2>{t("Schedules")}</h2>
        <a className="button" href={`#/schedules?device=${id}`}>
          {t("Show in the calendar")}
        </a>
      </div>
      <Loaded of={schedules}>
        {(items) =>
          items.length ? (
            <ScheduleTable items={items} />
          ) : (
            <Empty title={t("No schedules yet")}>
              <p>{t("Schedule media to play on a device, once or on repeat.")}</p>
            </Empty>
          )
        }
      </Loaded>
      <More of={schedules} />
    </section>
  );
}
