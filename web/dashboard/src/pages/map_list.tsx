// Beside the map: a search, the devices in sight as a list, and the one that was chosen.

import { useVirtualizer } from "@tanstack/react-virtual";
import { X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useDevice } from "../live/hooks";
import { byName, folded } from "../parts/search";
import { Search } from "../parts/search_field";
import { useNow } from "../parts/ui";
import type { Device, Severity } from "../types";
import { ago, t, word } from "../words";
import { AlarmBadge, Facts } from "./map_card";

const ROW = 56;

interface BesideProps {
  placed: Device[];
  /** The ids of those that are listed while nothing is looked for. */
  seen: string[];
  /** Those are of one place that was clicked, and not of all that is in sight. */
  isTogether: boolean;
  picked: string | null;
  worst: ReadonlyMap<string, Severity>;
  show: (id: string) => void;
  mark: (id: string | null) => void;
  close: () => void;
  leave: () => void;
}

export function Beside({ placed, seen, isTogether, picked, worst, show, mark, close, leave }: BesideProps) {
  const [part, setPart] = useState("");
  const found = useMemo(() => listed(placed, part, seen, worst), [placed, part, seen, worst]);
  const isSearch = part.trim() !== "";
  return (
    <section className="locations sheet" aria-label={t("Devices on the map")}>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          if (isSearch && found[0]) show(found[0].id);
        }}
      >
        <Search label={t("Find a device on the map…")} value={part} onChange={setPart} />
      </form>
      {picked && <Chosen id={picked} alarm={worst.get(picked)} close={close} />}
      <p className="quiet row apart" role="status">
        <span>{isSearch || isTogether ? t("{n} of {all} devices", { n: found.length, all: placed.length }) : t("{n} of {all} devices in view", { n: found.length, all: placed.length })}</span>
        {isTogether && (
          <button type="button" className="plain" onClick={leave}>
            {t("Show all in view")}
          </button>
        )}
      </p>
      {found.length ? <Rows found={found} picked={picked} worst={worst} show={show} mark={mark} /> : <p className="quiet">{isSearch ? t("No device on the map has this name or ID.") : t("Move the map or zoom out to see devices.")}</p>}
    </section>
  );
}

/** What is looked for among all, else what is in sight; those with alarms first, then by name. */
export function listed(placed: Device[], part: string, seen: string[], worst: ReadonlyMap<string, Severity>): Device[] {
  const wanted = folded(part.trim());
  const sight = new Set(seen);
  const words = byName();
  return placed
    .filter((each) => (wanted ? folded(each.name).includes(wanted) || folded(each.device_code).includes(wanted) : sight.has(each.id)))
    .sort((a, b) => Number(worst.has(b.id)) - Number(worst.has(a.id)) || words.compare(a.name, b.name) || (a.id < b.id ? -1 : 1));
}

function Rows({ found, picked, worst, show, mark }: { found: Device[] } & Pick<BesideProps, "picked" | "worst" | "show" | "mark">) {
  const box = useRef<HTMLUListElement>(null);
  const now = useNow();
  const rows = useVirtualizer({ count: found.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 6, getItemKey: (at) => found[at]?.id ?? at });
  useEffect(() => rows.measure(), [rows]);
  return (
    <ul className="spots" ref={box} tabIndex={-1} onMouseLeave={() => mark(null)}>
      <li className="space" aria-hidden="true" style={{ height: rows.getTotalSize() }} />
      {rows.getVirtualItems().map((item) => {
        const device = found[item.index];
        return device ? (
          <li key={item.key} aria-setsize={found.length} aria-posinset={item.index + 1} style={{ transform: `translateY(${item.start}px)` }}>
            <SpotButton of={device} now={now} isPicked={device.id === picked} alarm={worst.get(device.id)} show={show} mark={mark} />
          </li>
        ) : null;
      })}
    </ul>
  );
}

interface SpotProps {
  of: Device;
  now: number;
  isPicked: boolean;
  alarm: Severity | undefined;
  show: (id: string) => void;
  mark: (id: string | null) => void;
}

function SpotButton({ of, now, isPicked, alarm, show, mark }: SpotProps) {
  const device = useDevice(of.id) ?? of;
  const isOff = device.status === "offline";
  return (
    <button
      type="button"
      className={isOff ? "off" : "on"}
      aria-current={isPicked || undefined}
      onClick={() => show(device.id)}
      onFocus={() => mark(device.id)}
      onBlur={() => mark(null)}
      onMouseEnter={() => mark(device.id)}
    >
      <span className="name">{device.name}</span>
      <span className="quiet">
        {word(device.status)}
        {device.last_seen && ` · ${ago(device.last_seen, now)}`}
      </span>
      {alarm && <AlarmBadge severity={alarm} />}
    </button>
  );
}

function Chosen({ id, alarm, close }: { id: string; alarm: Severity | undefined; close: () => void }) {
  const device = useDevice(id);
  if (!device) return null;
  return (
    <div className="chosen" role="group" aria-label={device.name}>
      <div className="row apart">
        <h2>{device.name}</h2>
        <button
          type="button"
          className="plain icon"
          aria-label={t("Close")}
          onClick={() => {
            close();
            document.querySelector<HTMLElement>(".map")?.focus();
          }}
        >
          <X aria-hidden="true" />
        </button>
      </div>
      <Facts id={id} alarm={alarm} />
      <p>
        <a href={`#/devices/${id}`}>{t("View device")}</a>
      </p>
    </div>
  );
}
