// Names of devices, as they are now: also of one that was added or renamed elsewhere.

import { useMemo } from "react";
import { useDeviceName, useLive, useTopic } from "../live/hooks";
import type { Device } from "../types";
import { t, useLanguage } from "../words";
import { byName } from "./search";

export const DeviceName = ({ id }: { id: string }) => <>{useDeviceName(id) ?? t("Device")}</>;

export const DeviceLink = ({ id }: { id: string }) => (
  <a href={`#/devices/${id}`}>
    <DeviceName id={id} />
  </a>
);

/** All devices in the order of their names. */
export function useNamedDevices(): Device[] {
  const live = useLive();
  const version = useTopic("names");
  const language = useLanguage();
  return useMemo(() => {
    const order = byName();
    return [...live.devices.values()].sort((a, b) => order.compare(a.name, b.name));
  }, [live, version, language]);
}
