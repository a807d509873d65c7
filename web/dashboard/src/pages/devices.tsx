// The fleet as a table that lives; only the rows in sight are drawn.

import { useVirtualizer } from "@tanstack/react-virtual";
import { useQueryClient } from "@tanstack/react-query";
import { ArrowDown, ArrowUp, Plus } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { useNarrow } from "../narrow";
import { useParameter } from "../address";
import { post } from "../api";
import { useDevice, useEvery, useLive, useTopic } from "../live/hooks";
import { Credentials } from "../parts/credentials";
import { Dialog } from "../parts/dialog";
import { Field, Form, numberOf } from "../parts/forms";
import { Select } from "../parts/select";
import { byName, folded } from "../parts/search";
import { Search } from "../parts/search_field";
import { inWords } from "../parts/toasts";
import { Bones, Empty, Heading, Presence, Toolbar, useNow } from "../parts/ui";
import type { Device, DeviceCreated, Feed } from "../types";
import { ago, number, t } from "../words";

const ROW = 44;
// Two lines, where there is no room for columns.
const CARD = 72;
type Sort = "name" | "device_code" | "status" | "temperature" | "humidity" | "last_seen";
const COLUMNS: [Sort, string][] = [
  ["name", "Name"],
  ["device_code", "Device ID"],
  ["status", "Status"],
  ["temperature", "Temperature"],
  ["humidity", "Humidity"],
  ["last_seen", "Last seen"],
];

export default function DevicesPage() {
  const [adding, setAdding] = useState(false);
  const live = useLive();
  useTopic("snapshot");
  useEvery("devices");
  return (
    <>
      <Heading title={t("Devices")}>
        <button type="button" className="primary" onClick={() => setAdding(true)}>
          <Plus aria-hidden="true" />
          {t("Add device")}
        </button>
      </Heading>
      {!live.hasList ? (
        <Bones />
      ) : live.devices.size ? (
        <Fleet />
      ) : (
        <Empty title={t("No devices yet")}>
          <p>{t("A device is anything that can publish over MQTT: a sensor, a screen, a script.")}</p>
          <button type="button" onClick={() => setAdding(true)}>
            {t("Add device")}
          </button>
        </Empty>
      )}
      {adding && <NewDevice close={() => setAdding(false)} />}
    </>
  );
}

export function chosen(devices: Iterable<Device>, part: string, status: string, sort: Sort, down: boolean): Device[] {
  const wanted = folded(part.trim());
  const found = [...devices].filter(
    (device) =>
      (!wanted || folded(device.name).includes(wanted) || folded(device.device_code).includes(wanted)) &&
      (!status || (status === "offline") === (device.status === "offline")),
  );
  const way = down ? -1 : 1;
  const words = byName();
  return found.sort((a, b) => {
    const [x, y] = [a[sort], b[sort]];
    if (x === y) return a.id < b.id ? -1 : 1;
    if (x === null) return 1;
    if (y === null) return -1;
    return (typeof x === "string" ? words.compare(x, y as string) : x - (y as number)) * way;
  });
}

function Fleet() {
  const live = useLive();
  const version = useEvery("devices");
  const [part, setPart] = useParameter("q", "", true);
  const [status, setStatus] = useParameter("status");
  const [order, setOrder] = useParameter("sort", "name", true);
  const down = order.startsWith("-");
  const named = down ? order.slice(1) : order;
  const sort = COLUMNS.find(([name]) => name === named)?.[0] ?? "name";
  const found = useMemo(
    () => chosen(live.devices.values(), part, status, sort, down),
    [live, version, part, status, sort, down],
  );
  return (
    <>
      <Toolbar>
        <Search label={t("Search devices…")} value={part} onChange={setPart} />
        <Select
          label={t("Status")}
          value={status}
          onChange={setStatus}
          options={[
            ["", t("All")],
            ["online", t("Online")],
            ["offline", t("Offline")],
          ]}
        />
        <span className="quiet end" role="status">
          {t("{n} of {all} devices", { n: found.length, all: live.devices.size })}
        </span>
      </Toolbar>
      <Table
        found={found}
        sort={sort}
        down={down}
        by={(name) => setOrder(name === sort && !down ? `-${name}` : name)}
      />
    </>
  );
}

function Table({ found, sort, down, by }: { found: Device[]; sort: Sort; down: boolean; by: (sort: Sort) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const now = useNow();
  const row = useNarrow() ? CARD : ROW;
  const rows = useVirtualizer({
    count: found.length,
    getScrollElement: () => box.current,
    estimateSize: () => row,
    overscan: 6,
    scrollMargin: 0,
    getItemKey: (at) => found[at]?.id ?? at,
  });
  useEffect(() => rows.measure(), [rows, row]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by the keyboard
    <div className="virtual" ref={box} role="table" aria-label={t("Devices")} aria-rowcount={found.length + 1} tabIndex={0} style={{ height: found.length * row + ROW + 4 }}>
      <div role="rowgroup">
        <div className="line head" role="row" aria-rowindex={1}>
          {COLUMNS.map(([name, title]) => (
            <span
              key={name}
              role="columnheader"
              aria-sort={sort === name ? (down ? "descending" : "ascending") : "none"}
            >
              <button type="button" onClick={() => by(name)}>
                {t(title)} {sort === name && (down ? <ArrowDown aria-hidden="true" /> : <ArrowUp aria-hidden="true" />)}
              </button>
            </span>
          ))}
        </div>
      </div>
      <div className="rows" role="rowgroup" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => {
          const device = found[item.index];
          return device ? <Line key={item.key} of={device} at={item.index} top={item.start} now={now} /> : null;
        })}
      </div>
    </div>
  );
}

/** Draws itself again when its device changes; the table around it need not. */
function Line({ of, at, top, now }: { of: Device; at: number; top: number; now: number }) {
  const device = useDevice(of.id) ?? of;
  return (
    <div
      className="line"
      role="row"
      aria-rowindex={at + 2}
      data-device={device.device_code}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span role="cell">
        <a href={`#/devices/${device.id}`}>{device.name}</a>
      </span>
      <span role="cell">
        <code>{device.device_code}</code>
      </span>
      <span role="cell">
        <Presence status={device.status} />
      </span>
      <span role="cell">{device.temperature === null ? "–" : `${number(device.temperature, 1)} °C`}</span>
      <span role="cell">{device.humidity === null ? "–" : `${number(device.humidity, 0)} %`}</span>
      <span role="cell">{device.last_seen ? ago(device.last_seen, now) : t("Never")}</span>
    </div>
  );
}

function NewDevice({ close }: { close: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [made, setMade] = useState<{ device: DeviceCreated; feed: Feed | null; refused: unknown } | null>(null);
  if (made) {
    const leave = (): void => {
      close();
      go(`/devices/${made.device.id}`);
    };
    return (
      <Dialog
        key="made"
        title={t("{name} is ready to connect", { name: made.device.name })}
        wide
        close={leave}
      >
        {made.refused !== null && (
          <p className="problem" role="alert">
            {t("First feed not created: {problem}", { problem: inWords(made.refused) })}
          </p>
        )}
        <Credentials access={made.device.mqtt} feed={made.feed} code={made.device.device_code} leave={leave} />
      </Dialog>
    );
  }
  return (
    <Dialog title={t("Add device")} close={close}>
      <Form
        action={t("Add device")}
        names={{ key: "feed" }}
        submit={async ({ device_code, name, offline_after_s, feed }) => {
          const device = await post<DeviceCreated>("/devices", {
            device_code,
            name: name || device_code,
            offline_after_s: numberOf(offline_after_s),
          });
          // The credentials are shown this once, whatever becomes of the feed.
          const wanted = { key: feed, name: feed, device_id: device.id };
          const [first, refused] = feed
            ? await post<Feed>("/feeds", wanted).then((made) => [made, null] as const, (error: unknown) => [null, error] as const)
            : [null, null];
          void queries.invalidateQueries();
          setMade({ device, feed: first, refused });
        }}
      >
        <Field
          name="device_code"
          label={t("Device ID")}
          hint={t("Letters, numbers, hyphens and underscores. Used in MQTT topics; can't be changed later.")}
          required
          pattern="[A-Za-z0-9_\-]+"
          maxLength={64}
        />
        <Field name="name" label={t("Name")} maxLength={200} />
        <Field
          name="feed"
          label={t("First feed")}
          value="temperature"
          pattern="[a-z0-9_\-]+"
          maxLength={64}
          hint={t("e.g. temperature. You can add more later.")}
        />
        <Field
          name="offline_after_s"
          label={t("Mark offline after (seconds without data)")}
          type="number"
          value={300}
          min={1}
        />
      </Form>
    </Dialog>
  );
}
