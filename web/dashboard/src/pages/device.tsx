// One device: how it is, what it measured last, and behind tabs its feeds, its alarms, and what it was told.

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useParameter } from "../address";
import { get } from "../api";
import { useDevice } from "../live/hooks";
import { AlarmsHere } from "../parts/alarms";
import { FOLLOWED_MS } from "../parts/edit_form";
import { Tabs } from "../parts/tabs";
import { Heading, Loaded, Missing, Presence, useNow } from "../parts/ui";
import type { DeviceResource } from "../types";
import { ago, moment, number, t } from "../words";
import { Commands, Messages } from "./device_messages";
import { Feeds } from "./device_feeds";
import { DeviceAlarms, DeviceSchedules } from "./device_past";
import { DeviceActions, Facts, Settings } from "./device_settings";
import { Tiles } from "./device_tiles";

// More of them only when asked for: the tabs below shall be near.
const ALARMS_FIRST = 5;

type Tab = [name: string, title: string, shown: (device: DeviceResource) => ReactNode];

const TABS: Tab[] = [
  ["feeds", "Feeds", (device) => <Feeds device={device} />],
  ["alarms", "Alarms", (device) => <DeviceAlarms id={device.id} />],
  ["commands", "Commands", (device) => <Commands id={device.id} />],
  ["schedules", "Schedules", (device) => <DeviceSchedules id={device.id} />],
  ["messages", "Messages", (device) => <Messages id={device.id} />],
  ["settings", "Settings", (device) => <Settings device={device} />],
];

export default function DevicePage({ id }: { id: string }) {
  const device = useQuery({ queryKey: ["/devices", id], queryFn: () => get(`/devices/${id}`), refetchInterval: FOLLOWED_MS });
  const missing = <Missing title={t("Device not found")} list="/devices" name={t("Show all devices")} />;
  return <Loaded of={device} missing={missing}>{(found) => <About device={found} />}</Loaded>;
}

function About({ device }: { device: DeviceResource }) {
  const said = useDevice(device.id) ?? device;
  const now = useNow();
  const [asked, setTab] = useParameter("tab", "feeds");
  const [tab, , shown] = TABS.find(([name]) => name === asked) ?? (TABS[0] as Tab);
  return (
    <>
      <Heading
        title={said.name}
        trail={[["/devices", t("Devices")]]}
        state={
          <>
            <Presence status={said.status} />
            <span className="quiet">{said.last_seen ? ago(said.last_seen, now) : t("Never connected")}</span>
          </>
        }
      >
        <DeviceActions device={device} />
      </Heading>
      <Flood device={device} now={now} />
      <Facts device={device} said={said} />
      <Tiles deviceId={device.id} all={`/devices/${device.id}`} />
      {tab !== "alarms" && <AlarmsHere of={{ device_id: device.id }} limit={ALARMS_FIRST} />}
      <Tabs label={t("Device")} tabs={TABS.map(([name, title]) => [name, t(title)])} value={tab} onChange={setTab}>
        {shown(device)}
      </Tabs>
    </>
  );
}

function Flood({ device, now }: { device: DeviceResource; now: number }) {
  if (!device.flood) return null;
  return (
    <p className="problem" role="status">
      {Date.parse(device.flood.retry_at) > now
        ? t("Rate limit exceeded: {many} messages per second. Messages are rejected until {time}.", {
            many: number(device.flood.messages_per_s, 0),
            time: moment(device.flood.retry_at),
          })
        : t("Rate limit exceeded at {time}: {many} messages per second.", {
            many: number(device.flood.messages_per_s, 0),
            time: moment(device.flood.at),
          })}
    </p>
  );
}
