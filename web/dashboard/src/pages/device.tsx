// One device: what it says, what it measures, what it was told.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { get, patch, post, remove } from "../api";
import { useChange, useDevice, useLastValue, useLive, useTopic } from "../live/hooks";
import { Credentials } from "../parts/credentials";
import { Field, Form, Tick, numberOf } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { done } from "../parts/toasts";
import { Action, Badge, Dialog, Empty, Heading, Loaded, Presence, useNow } from "../parts/ui";
import type { Command, DeviceResource, Feed, MqttAccess, Page, SeenMessage } from "../types";
import { ago, clock, moment, number, t } from "../words";

export default function DevicePage({ id }: { id: string }) {
  const device = useQuery({ queryKey: ["/devices", id], queryFn: () => get<DeviceResource>(`/devices/${id}`) });
  return <Loaded of={device}>{(found) => <About device={found} />}</Loaded>;
}

function About({ device }: { device: DeviceResource }) {
  const said = useDevice(device.id) ?? device;
  const now = useNow();
  return (
    <>
      <Heading title={said.name}>
        <Presence status={said.status} />
        <span className="quiet">{said.last_seen ? ago(said.last_seen, now) : t("never seen")}</span>
      </Heading>
      <div className="grid">
        <section className="sheet">
          {device.flood && (
            <p className="problem" role="status">
              {Date.parse(device.flood.retry_at) > now
                ? t("Too fast: {many} messages a second. Refused until {time}.", {
                    many: number(device.flood.messages_per_s, 0),
                    time: moment(device.flood.retry_at),
                  })
                : t("It was too fast at {time}: {many} messages a second.", {
                    many: number(device.flood.messages_per_s, 0),
                    time: moment(device.flood.at),
                  })}
            </p>
          )}
          <dl className="facts">
            <dt>{t("Code")}</dt>
            <dd>
              <code>{said.device_code}</code>
            </dd>
            <dt>{t("Temperature")}</dt>
            <dd>{said.temperature === null ? "–" : `${number(said.temperature, 1)} °C`}</dd>
            <dt>{t("Humidity")}</dt>
            <dd>{said.humidity === null ? "–" : `${number(said.humidity, 0)} %`}</dd>
            <dt>{t("Place")}</dt>
            <dd>{said.latitude === null || said.longitude === null ? "–" : `${said.latitude}, ${said.longitude}`}</dd>
            <dt>{t("Firmware")}</dt>
            <dd>{said.firmware ?? "–"}</dd>
            <dt>{t("Added")}</dt>
            <dd>{moment(device.created_at)}</dd>
          </dl>
        </section>
        <Keep device={device} />
      </div>
      <Feeds device={device} />
      <Commands id={device.id} />
      <Messages id={device.id} />
    </>
  );
}

function Keep({ device }: { device: DeviceResource }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [access, setAccess] = useState<MqttAccess | null>(null);
  return (
    <section className="sheet">
      <h2>{t("Settings")}</h2>
      <Form
        action={t("Save")}
        submit={async (values) => {
          const changed = await patch<DeviceResource>(`/devices/${device.id}`, {
            name: values.name,
            offline_after_s: numberOf(values.offline_after_s),
            offline_alarm: values.offline_alarm === "on",
          });
          queries.setQueryData(["/devices", device.id], changed);
          done(t("Saved"));
        }}
      >
        <Field name="name" label={t("Name")} value={device.name} required maxLength={200} />
        <Field
          name="offline_after_s"
          label={t("Offline after so many seconds of silence")}
          type="number"
          min={1}
          value={device.offline_after_s}
          required
        />
        <Tick name="offline_alarm" label={t("Raise an alarm when it is offline")} checked={device.offline_alarm} />
      </Form>
      <div className="row">
        <Action
          run={async () => setAccess((await post<{ mqtt: MqttAccess }>(`/devices/${device.id}/credentials`)).mqtt)}
          ask={t("The old password stops working at once, and the device is disconnected.")}
          label={t("New credentials")}
        >
          {t("New credentials")}
        </Action>
        <Action
          kind="danger"
          label={t("Delete {name}", { name: device.name })}
          ask={t("Its connection is closed at once. Its feeds stay, with their history.")}
          said={t("Deleted")}
          run={async () => {
            await remove(`/devices/${device.id}`);
            void queries.invalidateQueries();
            go("/devices");
          }}
        >
          {t("Delete")}
        </Action>
      </div>
      {access && (
        <Dialog title={t("New credentials")} wide close={() => setAccess(null)}>
          <Credentials access={access} feed={null} />
        </Dialog>
      )}
    </section>
  );
}

function Feeds({ device }: { device: DeviceResource }) {
  const feeds = useList<Feed>("/feeds", { device_id: device.id });
  const [adding, setAdding] = useState(false);
  return (
    <section className="sheet">
      <div className="row apart">
        <h2>{t("Feeds")}</h2>
        <button type="button" onClick={() => setAdding(true)}>
          {t("Add a feed")}
        </button>
      </div>
      <Loaded of={feeds}>
        {(items) =>
          items.length ? (
            <Rows
              caption={t("Feeds")}
              head={[t("Name"), t("Key"), t("Last value"), t("When")]}
              items={items}
              id={(feed) => feed.id}
              row={(feed) => [
                <a href={`#/feeds/${feed.id}`}>{feed.name}</a>,
                <code>{feed.key}</code>,
                <LastValue feed={feed} />,
                <LastTime feed={feed} />,
              ]}
            />
          ) : (
            <Empty title={t("No feeds yet.")}>
              <p>{t("A feed takes the readings of one key: .../feeds/temperature. Without it they are refused, and kept with the reason.")}</p>
            </Empty>
          )
        }
      </Loaded>
      <More of={feeds} />
      {adding && (
        <Dialog title={t("Add a feed")} close={() => setAdding(false)}>
          <FeedForm
            deviceId={device.id}
            made={() => {
              setAdding(false);
              void feeds.refetch();
            }}
          />
        </Dialog>
      )}
    </section>
  );
}

function LastValue({ feed }: { feed: Feed }) {
  const { value } = useLastValue(feed);
  if (value === null) return <>–</>;
  return <span>{`${typeof value === "number" ? number(value) : String(value)} ${feed.unit ?? ""}`}</span>;
}

function LastTime({ feed }: { feed: Feed }) {
  const { ts } = useLastValue(feed);
  const now = useNow();
  return <>{ts ? ago(ts, now) : t("never")}</>;
}

function FeedForm({ deviceId, made }: { deviceId: string; made: () => void }) {
  return (
    <Form
      action={t("Add")}
      submit={async (values) => {
        await post("/feeds", {
          device_id: deviceId,
          key: values.key,
          name: values.name || values.key,
          kind: values.kind,
          unit: values.unit || null,
          min_value: numberOf(values.min_value),
          max_value: numberOf(values.max_value),
        });
        made();
      }}
    >
      <Field name="key" label={t("Key")} required pattern="[a-z0-9_\-]+" maxLength={64} placeholder="temperature" />
      <Field name="name" label={t("Name")} maxLength={200} />
      <Field
        name="kind"
        label={t("Kind")}
        required
        options={[
          ["number", t("Number")],
          ["text", t("Text")],
          ["bool", t("Yes or no")],
        ]}
      />
      <Field name="unit" label={t("Unit")} maxLength={16} placeholder="°C" />
      <Field name="min_value" label={t("Lowest allowed")} type="number" step="any" />
      <Field name="max_value" label={t("Highest allowed")} type="number" step="any" />
    </Form>
  );
}

function Commands({ id }: { id: string }) {
  const live = useLive();
  const commands = useList<Command>(`/devices/${id}/commands`);
  useTopic("commands");
  useChange("commands", () => void commands.refetch(), 2_000);
  return (
    <section className="sheet">
      <h2>{t("Commands")}</h2>
      <Form
        className="form beside"
        action={t("Send")}
        again
        submit={async ({ type, payload }) => {
          await post(`/devices/${id}/commands`, { type, payload: payload ? parsed(payload) : {} });
          void commands.refetch();
        }}
      >
        <Field name="type" label={t("Type")} required maxLength={64} placeholder="reboot" />
        <Field name="payload" label={t("Payload (JSON)")} placeholder="{}" />
      </Form>
      <Loaded of={commands}>
        {(items) =>
          items.length ? (
            <Rows
              caption={t("Commands")}
              head={[t("Type"), t("State"), t("Sent"), t("Tries"), t("Detail"), ""]}
              items={items.map((each) => live.commands.newer(each))}
              id={(each) => each.id}
              row={(each) => [
                <code>{each.type}</code>,
                <Badge state={each.state} />,
                moment(each.created_at),
                each.attempts,
                each.detail || (each.result ? JSON.stringify(each.result) : ""),
                ["queued", "sent"].includes(each.state) && (
                  <Action run={() => remove(`/commands/${each.id}`)} said={t("Cancelled")}>
                    {t("Cancel")}
                  </Action>
                ),
              ]}
            />
          ) : (
            <p className="quiet">{t("Nothing was sent to it yet.")}</p>
          )
        }
      </Loaded>
      <More of={commands} />
    </section>
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(t("The payload is not JSON."));
  }
}

function Messages({ id }: { id: string }) {
  const messages = useQuery({
    queryKey: ["/devices", id, "messages"],
    queryFn: () => get<Page<SeenMessage>>(`/devices/${id}/messages`),
    refetchInterval: 5_000,
  });
  return (
    <section className="sheet">
      <h2>{t("Last messages")}</h2>
      <Loaded of={messages}>
        {({ items }) =>
          items.length ? (
            <Rows
              caption={t("Last messages")}
              head={[t("When"), t("Topic"), t("Message"), t("Taken")]}
              items={items}
              id={(each) => each.at + each.topic + each.payload}
              row={(each) => [
                clock(each.at),
                <code>{each.topic.split("/").slice(4).join("/")}</code>,
                <code>{each.payload.slice(0, 200)}</code>,
                each.reason ? `${each.reason}: ${each.detail ?? ""}` : t("yes"),
              ]}
            />
          ) : (
            <p className="quiet">{t("It has said nothing since this server started.")}</p>
          )
        }
      </Loaded>
    </section>
  );
}
