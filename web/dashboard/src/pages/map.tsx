// Where the devices are. One canvas draws those in sight, at most once per frame.

import type { FeatureCollection } from "geojson";
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { feature } from "topojson-client";
import landUrl from "world-atlas/land-110m.json?url";
import { useEvery, useLive } from "../live/hooks";
import { DeviceLayer } from "../parts/device_layer";
import { streets } from "../parts/tiles";
import { Empty, Heading, Presence, useNow } from "../parts/ui";
import { useIsDark } from "../theme";
import type { Device, Site } from "../types";
import { ago, number, t } from "../words";

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

async function land(): Promise<FeatureCollection> {
  const topology = await (await fetch(landUrl)).json();
  return feature(topology, topology.objects.land) as unknown as FeatureCollection;
}

// The table under Devices has them all.
const LISTED_MAX = 200;
const isPlaced = (device: Device): boolean => device.latitude !== null && device.longitude !== null;

export default function MapPage() {
  const live = useLive();
  useEvery("devices", 1_000);
  const [picked, setPicked] = useState<string | null>(null);
  const [isListed, setListed] = useState(false);
  const placed = [...live.devices.values()].filter(isPlaced);
  return (
    <>
      <Heading title={t("Map")}>
        <span className="row legend quiet">
          <span className="on">{t("Online")}</span>
          <span className="off">{t("Offline")}</span>
        </span>
      </Heading>
      {live.hasList && !placed.length ? (
        <Empty title={t("No devices with a location")}>
          <p>{t("A device appears here when it reports its latitude and longitude:")}</p>
          <pre>{'mosquitto_pub … -t users/U/devices/D/status -m \'{"status":"online","latitude":21.03,"longitude":105.85}\''}</pre>
        </Empty>
      ) : (
        <div className="grid">
          <World picked={picked} pick={setPicked} />
          {picked && <About id={picked} close={() => (setPicked(null), document.querySelector<HTMLElement>(".map")?.focus())} />}
        </div>
      )}
      <details className="sheet" onToggle={(event) => setListed(event.currentTarget.open)}>
        <summary>{t("Show as list ({n})", { n: placed.length })}</summary>
        <ul>
          {(isListed ? placed.slice(0, LISTED_MAX) : []).map((device) => (
            <li key={device.id}>
              <a href={`#/devices/${device.id}`}>{device.name}</a> <Presence status={device.status} />{" "}
              {number(device.latitude as number, 4)}, {number(device.longitude as number, 4)}
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

// So many pixels stay between a device and the edge of the map.
const EDGE = 48;

/** Another theme draws it again, where it was. */
type View = { center: L.LatLng; zoom: number };

function World({ picked, pick }: { picked: string | null; pick: (id: string) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const live = useLive();
  const isDark = useIsDark();
  const site = useQueryClient().getQueryData<Site>(["site"]);
  const outlines = useQuery({ queryKey: ["land"], queryFn: land, staleTime: Infinity, enabled: !site?.map_tiles_url });
  const picks = useRef(pick);
  picks.current = pick;
  const chosen = useRef(picked);
  chosen.current = picked;
  const drawn = useRef<L.Map | null>(null);
  const view = useRef<View | null>(null);

  /** What was clicked stays in sight, also when the map has less room. */
  const keepInView = useCallback(() => {
    const device = chosen.current ? live.devices.get(chosen.current) : undefined;
    if (!device || !isPlaced(device)) return;
    const place: L.LatLngTuple = [device.latitude as number, device.longitude as number];
    drawn.current?.panInside(place, { padding: [EDGE, EDGE], animate: false });
  }, [live]);
  useEffect(keepInView, [keepInView, picked]);

  useEffect(() => {
    const map = L.map(box.current as HTMLDivElement, { minZoom: 2, maxZoom: 18, worldCopyJump: true, zoomAnimation: false });
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false }).addTo(map);
    drawn.current = map;
    map.setView(view.current?.center ?? [16, 106], view.current?.zoom ?? 5);
    if (site?.map_tiles_url) streets({ ...site, map_tiles_url: site.map_tiles_url }).addTo(map);
    else if (outlines.data) {
      map.attributionControl.addAttribution("Natural Earth");
      const style = { color: css("--coast"), weight: 1, fillColor: css("--land"), fillOpacity: 1, interactive: false };
      L.geoJSON(outlines.data, { style, renderer: L.canvas() } as L.GeoJSONOptions).addTo(map);
    }
    const layer = new DeviceLayer(live.devices, (id) => picks.current(id)).addTo(map);
    const stop = live.listen("devices", () => layer.draw());
    let hasSeen = view.current !== null;
    const show = () => {
      const places = [...live.devices.values()].filter(isPlaced);
      if (hasSeen || !places.length) return;
      hasSeen = true;
      const bounds = L.latLngBounds(places.map((d) => [d.latitude as number, d.longitude as number]));
      map.fitBounds(bounds.pad(0.2), { maxZoom: 11, animate: false });
    };
    show();
    const stopShow = live.listen("snapshot", show);
    const sized = new ResizeObserver(() => {
      map.invalidateSize({ pan: false, animate: false });
      keepInView();
    });
    sized.observe(box.current as HTMLDivElement);
    return () => {
      sized.disconnect();
      if (hasSeen) view.current = { center: map.getCenter(), zoom: map.getZoom() };
      drawn.current = null;
      stop();
      stopShow();
      map.remove();
    };
  }, [live, isDark, outlines.data, site, keepInView]);
  return <div ref={box} className="map" role="application" aria-label={t("Map of devices. The list below shows the same devices.")} />;
}

function About({ id, close }: { id: string; close: () => void }) {
  const device = useLive().devices.get(id);
  const now = useNow();
  if (!device) return null;
  return (
    <section className="sheet" aria-live="polite">
      <div className="row apart">
        <h2>{device.name}</h2>
        <button type="button" className="plain" aria-label={t("Close")} onClick={close}>
          ×
        </button>
      </div>
      <p>
        <Presence status={device.status} /> {device.last_seen && ago(device.last_seen, now)}
      </p>
      <dl className="facts">
        <dt>{t("Temperature")}</dt>
        <dd>{device.temperature === null ? "–" : `${number(device.temperature, 1)} °C`}</dd>
        <dt>{t("Humidity")}</dt>
        <dd>{device.humidity === null ? "–" : `${number(device.humidity, 0)} %`}</dd>
        <dt>{t("Location")}</dt>
        <dd>
          {device.latitude}, {device.longitude}
        </dd>
      </dl>
      <p>
        <a href={`#/devices/${id}`}>{t("View device")}</a>
      </p>
    </section>
  );
}
