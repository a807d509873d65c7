// Names of devices, as they are now: also of one that was added or renamed elsewhere.

import { useDeviceName, useLive, useTopic } from "../live/hooks";
import type { Device } from "../types";
import { t } from "../words";
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
  useTopic("names");
  const order = byName();
  return [...live.devices.values()].sort((a, b) => order.compare(a.name, b.name));
}
