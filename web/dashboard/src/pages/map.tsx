// Where the devices are: the map, and beside it the same devices as a list.

import { useEffect, useMemo, useState } from "react";
import { useEvery, useLive } from "../live/hooks";
import { useOpenAlarms } from "../parts/alarms";
import { worse } from "../parts/markers";
import { Empty, Heading } from "../parts/ui";
import type { Alarm, Device, Severity } from "../types";
import { t } from "../words";
import { Beside } from "./map_list";
import { World } from "./map_world";

// The newest of them; the page of alarms has them all.
const ALARMS_MAX = 500;

export const isPlaced = (device: Device): boolean => device.latitude !== null && device.longitude !== null;

/** The worst open alarm of each device. */
export function worstOf(alarms: Pick<Alarm, "device_id" | "severity" | "state">[]): Map<string, Severity> {
  const found = new Map<string, Severity>();
  for (const { device_id, severity, state } of alarms) {
    if (state !== "cleared") found.set(device_id, worse(found.get(device_id), severity) as Severity);
  }
  return found;
}

/** What the map was asked to show; `n` makes the same wish a new one. */
export interface Wish {
  ids: string[];
  n: number;
}

export default function MapPage() {
  const live = useLive();
  const version = useEvery("devices", 1_000);
  const [picked, setPicked] = useState<string | null>(null);
  const [marked, setMarked] = useState<string | null>(null);
  const [seen, setSeen] = useState<string[]>([]);
  const [wish, setWish] = useState<Wish>({ ids: [], n: 0 });
  // Those of one place, which no zoom can part.
  const [together, setTogether] = useState<string[] | null>(null);
  const alarms = useOpenAlarms({}, ALARMS_MAX).data;
  const worst = useMemo(() => worstOf(alarms ?? []), [alarms]);
  const placed = useMemo(() => [...live.devices.values()].filter(isPlaced), [live, version]);
  useEffect(() => {
    if (picked && !live.devices.has(picked)) setPicked(null);
  }, [live, picked, version]);
  const show = (id: string): void => {
    setTogether(null);
    setPicked(id);
    setWish((before) => ({ ids: [id], n: before.n + 1 }));
  };
  return (
    <>
      <Heading title={t("Map")}>
        <Legend />
      </Heading>
      {live.hasList && !placed.length ? (
        <Empty title={t("No devices with a location")}>
          <p>{t("A device appears here when it reports its latitude and longitude:")}</p>
          <pre>{'mosquitto_pub … -t users/U/devices/D/status -m \'{"status":"online","latitude":21.03,"longitude":105.85}\''}</pre>
        </Empty>
      ) : (
        <div className="mapped">
          <World
            picked={picked}
            marked={marked ?? picked}
            worst={worst}
            wish={wish}
            see={setSeen}
            pick={(ids, isApart) => {
              setTogether(isApart ? null : ids);
              if (ids.length === 1) setPicked(ids[0] as string);
            }}
          />
          <Beside placed={placed} seen={together ?? seen} isTogether={together !== null} picked={picked} worst={worst} show={show} mark={setMarked} close={() => setPicked(null)} leave={() => setTogether(null)} />
        </div>
      )}
    </>
  );
}

function Legend() {
  return (
    <ul className="row legend quiet" aria-label={t("Legend")}>
      <li className="on">{t("Online")}</li>
      <li className="off">{t("Offline")}</li>
      <li className="alarm">{t("Alarm")}</li>
      <li className="many">{t("Several devices")}</li>
    </ul>
  );
}
