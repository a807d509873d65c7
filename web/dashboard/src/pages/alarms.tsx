// What is wrong, newest first; and who has seen it.

import { useState } from "react";
import { post } from "../api";
import { useChange, useLive, useTopic } from "../live/hooks";
import { More, Rows, useList } from "../parts/lists";
import { Action, Badge, Empty, Heading, Loaded } from "../parts/ui";
import type { Alarm } from "../types";
import { moment, number, t, word } from "../words";

export default function AlarmsPage() {
  const live = useLive();
  const [state, setState] = useState("active,acknowledged");
  const alarms = useList<Alarm>("/alarms", { state });
  useTopic("alarms");
  useChange("alarms", () => void alarms.refetch(), 500);
  return (
    <>
      <Heading title={t("Alarms")}>
        <select aria-label={t("State")} value={state} onChange={(event) => setState(event.target.value)}>
          <option value="active,acknowledged">{t("Open")}</option>
          <option value="active">{t("Active")}</option>
          <option value="cleared">{t("Cleared")}</option>
          <option value="">{t("All")}</option>
        </select>
      </Heading>
      <Loaded of={alarms}>
        {(items) =>
          items.length ? (
            <section className="sheet">
              <Rows
                caption={t("Alarms")}
                head={[t("State"), t("Severity"), t("Device"), t("Kind"), t("What"), t("Since"), ""]}
                items={items.map((each) => live.alarms.newer(each))}
                id={(each) => each.id}
                row={(each) => [
                  <Badge state={each.state} />,
                  <Badge state={each.severity} tone={each.severity === "critical" ? "bad" : each.severity === "warning" ? "warn" : "calm"} />,
                  <a href={`#/devices/${each.device_id}`}>{live.devices.get(each.device_id)?.name ?? t("Device")}</a>,
                  word(each.kind),
                  <>
                    {each.detail} {each.value !== null && <strong>{number(each.value)}</strong>}{" "}
                    {each.feed_id && <a href={`#/feeds/${each.feed_id}`}>{t("Feed")}</a>}
                  </>,
                  moment(each.since),
                  each.state === "active" && (
                    <Action
                      run={() => post(`/alarms/${each.id}/ack`).then(() => alarms.refetch())}
                      said={t("Acknowledged")}
                    >
                      {t("Acknowledge")}
                    </Action>
                  ),
                ]}
              />
              <More of={alarms} />
            </section>
          ) : (
            <Empty title={t("Nothing is wrong.")}>
              <p>{t("Alarms come from thresholds of feeds, and from devices that fall silent.")}</p>
            </Empty>
          )
        }
      </Loaded>
    </>
  );
}
