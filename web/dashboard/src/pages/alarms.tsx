// Alarms: what is open, what cleared before anybody saw it, and the past.

import { useParameter } from "../address";
import { useChange, useLive, useTopic } from "../live/hooks";
import { AlarmRows, useOpenAlarms } from "../parts/alarms";
import { More, useList } from "../parts/lists";
import { Select } from "../parts/select";
import { Empty, Heading, Loaded, Toolbar } from "../parts/ui";
import type { Alarm } from "../types";
import { t } from "../words";

const ASKED: Record<string, Record<string, string | boolean>> = {
  unacknowledged: { acknowledged: false },
  active: { state: "active" },
  cleared: { state: "cleared" },
  all: {},
};

export default function AlarmsPage() {
  const [filter, setFilter] = useParameter("state", "open");
  const asked = ASKED[filter];
  return (
    <>
      <Heading title={t("Alarms")} />
      <Toolbar>
        <Select
          label={t("State")}
          value={asked ? filter : "open"}
          onChange={setFilter}
          options={[
            ["open", t("Open", { context: "alarm state" })],
            ["unacknowledged", t("Not acknowledged")],
            ["active", t("Active")],
            ["cleared", t("Cleared")],
            ["all", t("All")],
          ]}
        />
      </Toolbar>
      {asked ? <Past key={filter} asked={asked} /> : <OpenAlarms />}
    </>
  );
}

function OpenAlarms() {
  const alarms = useOpenAlarms();
  return (
    <Loaded of={alarms}>
      {(items) => (
        <Found items={items} none={t("No open alarms")}>
          <More of={alarms} />
        </Found>
      )}
    </Loaded>
  );
}

function Past({ asked }: { asked: Record<string, string | boolean> }) {
  const live = useLive();
  const alarms = useList<Alarm>("/alarms", asked);
  useTopic("alarms");
  useChange("alarms", () => alarms.refetch(), 500);
  return (
    <Loaded of={alarms}>
      {(items) => (
        <Found items={items.map((each) => live.alarms.newer(each))} none={t("No results")}>
          <More of={alarms} />
        </Found>
      )}
    </Loaded>
  );
}

function Found({ items, none, children }: { items: Alarm[]; none: string; children: React.ReactNode }) {
  if (!items.length) {
    return (
      <Empty title={none}>
        <p>{t("Alarms are raised when a value crosses a threshold or a device goes offline.")}</p>
      </Empty>
    );
  }
  return (
    <section className="sheet">
      <AlarmRows items={items} withDevice />
      {children}
    </section>
  );
}
