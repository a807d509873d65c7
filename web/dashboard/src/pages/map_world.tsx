// The map itself: ground or streets, devices, and a card for what the pointer is over.

import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { useLive } from "../live/hooks";
import { APART_FROM } from "../parts/clusters";
import { DeviceLayer } from "../parts/device_layer";
import { GroundLayer } from "../parts/ground";
import { NamesLayer } from "../parts/ground_names";
import { ZOOM_MAX, streets } from "../parts/tiles";
import { useIsDark } from "../theme";
import type { Device, Severity, Site } from "../types";
import { language, t } from "../words";
import { type Wish, isPlaced } from "./map";
import { HoverCard } from "./map_card";

// So many pixels stay between a device and the edge of the map.
const EDGE = 48;
// From nearer one sees no more, where no street is drawn.
const NEAR_ZOOM = 10;
const NEAR_STREETS = 16;

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const placeOf = (device: Device): L.LatLngTuple => [device.latitude as number, device.longitude as number];

/** Another theme draws it again, where it was. */
type View = { center: L.LatLng; zoom: number };

interface WorldProps {
  picked: string | null;
  marked: string | null;
  worst: ReadonlyMap<string, Severity>;
  wish: Wish;
  /** What is in sight now. */
  see: (ids: string[]) => void;
  /** What was clicked; `isApart`: the map has moved nearer instead. */
  pick: (ids: string[], isApart: boolean) => void;
}

export function World({ picked, marked, worst, wish, see, pick }: WorldProps) {
  const box = useRef<HTMLDivElement>(null);
  const live = useLive();
  const isDark = useIsDark();
  const site = useQueryClient().getQueryData<Site>(["site"]);
  const told = useRef({ see, pick });
  told.current = { see, pick };
  const chosen = useRef(picked);
  chosen.current = picked;
  const drawn = useRef<{ map: L.Map; layer: DeviceLayer } | null>(null);
  const view = useRef<View | null>(null);
  const alarms = useRef(worst);
  alarms.current = worst;
  const [hovered, setHovered] = useState<{ ids: string[]; x: number; y: number } | null>(null);

  /** What was clicked stays in sight, also when the map has less room. */
  const keepInView = useCallback(() => {
    const device = chosen.current ? live.devices.get(chosen.current) : undefined;
    if (device && isPlaced(device)) drawn.current?.map.panInside(placeOf(device), { padding: [EDGE, EDGE], animate: false });
  }, [live]);

  useEffect(() => {
    const map = L.map(box.current as HTMLDivElement, {
      minZoom: 2,
      maxZoom: Math.max(ZOOM_MAX, site?.map_tiles_url ? site.map_zoom_max : 0),
      worldCopyJump: true,
      zoomAnimation: false,
    });
    map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false }).addTo(map);
    map.setView(view.current?.center ?? [16, 106], view.current?.zoom ?? 5);
    if (site?.map_tiles_url) streets({ ...site, map_tiles_url: site.map_tiles_url }).addTo(map);
    else addGround(map);
    const near = (ids: string[]): boolean => goNear(map, ids.flatMap((id) => live.devices.get(id) ?? []));
    const pick = (ids: string[]): void => told.current.pick(ids, ids.length > 1 && near(ids));
    const hover = (ids: string[], x: number, y: number): void =>
      setHovered((before) => (ids.length ? { ids, x, y } : before && null));
    const look = { ground: css("--sheet"), ink: css("--ink"), focus: css("--focus"), font: `620 12px ${getComputedStyle(document.body).fontFamily}` };
    const layer = new DeviceLayer(live.devices, { pick, hover }, look).addTo(map);
    layer.setAlarms(alarms.current);
    drawn.current = { map, layer };
    let said = "";
    const tell = (): void => {
      const bounds = map.getBounds();
      const ids = [...live.devices.values()].filter((each) => isPlaced(each) && bounds.contains(placeOf(each))).map(({ id }) => id);
      if (ids.join() === said) return;
      said = ids.join();
      told.current.see(ids);
    };
    const stop = live.listen("devices", () => layer.draw());
    const every = setInterval(tell, 1_000);
    map.on("moveend", tell);
    let hasSeen = view.current !== null;
    const show = () => {
      const places = [...live.devices.values()].filter(isPlaced);
      if (hasSeen || !places.length) return;
      hasSeen = true;
      map.fitBounds(L.latLngBounds(places.map(placeOf)).pad(0.1), { maxZoom: NEAR_ZOOM, animate: false });
    };
    show();
    tell();
    const stopShow = live.listen("snapshot", () => (show(), tell()));
    const sized = new ResizeObserver(() => {
      map.invalidateSize({ pan: false, animate: false });
      keepInView();
    });
    sized.observe(box.current as HTMLDivElement);
    return () => {
      sized.disconnect();
      clearInterval(every);
      if (hasSeen) view.current = { center: map.getCenter(), zoom: map.getZoom() };
      drawn.current = null;
      stop();
      stopShow();
      map.remove();
    };
  }, [live, isDark, site, keepInView]);
  useEffect(keepInView, [keepInView, picked]);
  useEffect(() => drawn.current?.layer.setAlarms(worst), [worst]);
  useEffect(() => drawn.current?.layer.mark(marked), [marked, isDark]);
  useEffect(() => {
    const devices = wish.ids.flatMap((id) => live.devices.get(id) ?? []).filter(isPlaced);
    const map = drawn.current?.map;
    const to = site?.map_tiles_url ? NEAR_STREETS : NEAR_ZOOM;
    if (map && devices[0]) map.setView(placeOf(devices[0]), Math.max(map.getZoom(), to), { animate: false });
  }, [live, site, wish]);
  return (
    <div className="stage">
      <div ref={box} className="map" role="application" aria-label={t("Map of devices. The list beside it shows the same devices.")} />
      {hovered && <HoverCard ids={hovered.ids} x={hovered.x} y={hovered.y} worst={worst} />}
    </div>
  );
}

/** Nearer, until these devices are apart. Whether that can be: those of one place stay together. */
function goNear(map: L.Map, devices: Device[]): boolean {
  const bounds = L.latLngBounds(devices.filter(isPlaced).map(placeOf));
  const zoom = Math.min(map.getBoundsZoom(bounds.pad(0.2)), APART_FROM);
  const isPlace = bounds.getNorthEast().equals(bounds.getSouthWest(), 1e-5);
  if (isPlace || map.getZoom() >= APART_FROM) return false;
  map.setView(bounds.getCenter(), Math.max(zoom, map.getZoom() + 1), { animate: false });
  return true;
}

function addGround(map: L.Map): void {
  new GroundLayer({ land: css("--land"), coast: css("--coast"), sea: css("--sea"), river: css("--river"), border: css("--border"), province: css("--province") }).addTo(map);
  new NamesLayer({ place: css("--ink"), country: css("--quiet"), halo: css("--land") }, language() === "vi").addTo(map);
}
