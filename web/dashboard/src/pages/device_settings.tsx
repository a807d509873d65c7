// What a device is set to, what it says of itself, and what can be done with it.

import { useState } from "react";
import { post } from "../api";
import { Credentials } from "../parts/credentials";
import { Dialog } from "../parts/dialog";
import { EditForm } from "../parts/edit_form";
import { Field, Tick } from "../parts/forms";
import { measured } from "../parts/measured";
import { Action } from "../parts/ui";
import type { Device, DeviceResource, MqttAccess } from "../types";
import { moment, t } from "../words";
import { DeleteDevice } from "./device_deletion";

export function DeviceActions({ device }: { device: DeviceResource }) {
  const [access, setAccess] = useState<MqttAccess | null>(null);
  return (
    <>
      <Action
        run={async () => setAccess((await post<{ mqtt: MqttAccess }>(`/devices/${device.id}/credentials`)).mqtt)}
        ask={t("The device will be disconnected and its current password will stop working.")}
        label={t("Regenerate credentials")}
      >
        {t("Regenerate credentials")}
      </Action>
      <DeleteDevice device={device} />
      {access && (
        <Dialog title={t("New credentials")} wide close={() => setAccess(null)}>
          <Credentials access={access} feed={null} code={device.device_code} leave={() => setAccess(null)} />
        </Dialog>
      )}
    </>
  );
}

export function Settings({ device }: { device: DeviceResource }) {
  return (
    <section className="sheet">
      <h2>{t("Settings")}</h2>
      <EditForm
        of={device}
        path={`/devices/${device.id}`}
        queryKey={["/devices", device.id]}
        action={t("Save")}
        texts={(stored) => ({
          name: stored.name,
          offline_after_s: String(stored.offline_after_s),
          offline_alarm: stored.offline_alarm ? "on" : "",
        })}
        body={({ offline_after_s, offline_alarm, ...rest }) => ({
          ...rest,
          ...(offline_after_s !== undefined && { offline_after_s: Number(offline_after_s) }),
          ...(offline_alarm !== undefined && { offline_alarm: offline_alarm === "on" }),
        })}
      >
        <Field name="name" label={t("Name")} required maxLength={200} />
        <Field name="offline_after_s" label={t("Mark offline after (seconds without data)")} type="number" min={1} required />
        <Tick name="offline_alarm" label={t("Alert when offline")} />
      </EditForm>
    </section>
  );
}

/** `said`: as the device said last. */
export function Facts({ device, said }: { device: DeviceResource; said: Device }) {
  return (
    <section className="sheet" aria-label={t("Details")}>
      <dl className="facts strip">
        <div>
          <dt>{t("Device ID")}</dt>
          <dd>
            <code>{said.device_code}</code>
          </dd>
        </div>
        <div>
          <dt>{t("Temperature")}</dt>
          <dd>{said.temperature === null ? "–" : `${measured(said.temperature)} °C`}</dd>
        </div>
        <div>
          <dt>{t("Humidity")}</dt>
          <dd>{said.humidity === null ? "–" : `${measured(said.humidity)} %`}</dd>
        </div>
        <div>
          <dt>{t("Location")}</dt>
          <dd>{said.latitude === null || said.longitude === null ? "–" : `${said.latitude}, ${said.longitude}`}</dd>
        </div>
        <div>
          <dt>{t("Firmware")}</dt>
          <dd>{said.firmware ?? "–"}</dd>
        </div>
        <div>
          <dt>{t("Added")}</dt>
          <dd>{moment(device.created_at)}</dd>
        </div>
      </dl>
    </section>
  );
}
