// One device: what it says, what it measures, what it was told.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, post } from "../api";
import { useDevice } from "../live/hooks";
import { AlarmsHere } from "../parts/alarms";
import { Credentials } from "../parts/credentials";
import { Dialog } from "../parts/dialog";
import { EditForm, FOLLOWED_MS } from "../parts/edit_form";
import { Field, Tick } from "../parts/forms";
import { measured } from "../parts/measured";
import { Action, Heading, Loaded, Missing, Presence, useNow } from "../parts/ui";
import type { DeviceResource, MqttAccess } from "../types";
import { ago, moment, number, t } from "../words";
import { DeleteDevice } from "./device_deletion";
import { Commands, Messages } from "./device_messages";
import { Feeds } from "./device_feeds";
import { Tiles } from "./device_tiles";

export default function DevicePage({ id }: { id: string }) {
  const device = useQuery({ queryKey: ["/devices", id], queryFn: () => get(`/devices/${id}`), refetchInterval: FOLLOWED_MS });
  const missing = <Missing title={t("Device not found")} list="/devices" name={t("Show all devices")} />;
  return <Loaded of={device} missing={missing}>{(found) => <About device={found} />}</Loaded>;
}

function About({ device }: { device: DeviceResource }) {
  const said = useDevice(device.id) ?? device;
  const now = useNow();
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
      />
      <Tiles deviceId={device.id} all={`/devices/${device.id}`} />
      <div className="grid">
        <section className="sheet">
          {device.flood && (
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
          )}
          <dl className="facts">
            <dt>{t("Device ID")}</dt>
            <dd>
              <code>{said.device_code}</code>
            </dd>
            <dt>{t("Temperature")}</dt>
            <dd>{said.temperature === null ? "–" : `${measured(said.temperature)} °C`}</dd>
            <dt>{t("Humidity")}</dt>
            <dd>{said.humidity === null ? "–" : `${measured(said.humidity)} %`}</dd>
            <dt>{t("Location")}</dt>
            <dd>{said.latitude === null || said.longitude === null ? "–" : `${said.latitude}, ${said.longitude}`}</dd>
            <dt>{t("Firmware")}</dt>
            <dd>{said.firmware ?? "–"}</dd>
            <dt>{t("Added")}</dt>
            <dd>{moment(device.created_at)}</dd>
          </dl>
        </section>
        <Keep device={device} />
      </div>
      <AlarmsHere of={{ device_id: device.id }} />
      <Feeds device={device} />
      <Commands id={device.id} />
      <Messages id={device.id} />
    </>
  );
}

function Keep({ device }: { device: DeviceResource }) {
  const [access, setAccess] = useState<MqttAccess | null>(null);
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
      <div className="row">
        <Action
          run={async () => setAccess((await post<{ mqtt: MqttAccess }>(`/devices/${device.id}/credentials`)).mqtt)}
          ask={t("The device will be disconnected and its current password will stop working.")}
          label={t("Regenerate credentials")}
        >
          {t("Regenerate credentials")}
        </Action>
        <DeleteDevice device={device} />
      </div>
      {access && (
        <Dialog title={t("New credentials")} wide close={() => setAccess(null)}>
          <Credentials access={access} feed={null} code={device.device_code} leave={() => setAccess(null)} />
        </Dialog>
      )}
    </section>
  );
}
