// Street tiles of the server that the operator chose.

import L from "leaflet";
import type { Site } from "../types";

export const ZOOM_MAX = 18;

const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** The credit of the tiles as HTML, with its link where there is one. */
export function credit(site: Pick<Site, "map_attribution" | "map_attribution_url">): string {
  const text = escaped(site.map_attribution);
  const link = site.map_attribution_url;
  return link && text ? `<a href="${escaped(link)}" target="_blank" rel="noreferrer">${text}</a>` : text;
}

/** Tile servers want to know who asks (OpenStreetMap refuses tiles without a Referer): they hear the origin, no more. */
export const streets = (site: Site & { map_tiles_url: string }): L.TileLayer =>
  L.tileLayer(site.map_tiles_url, {
    attribution: credit(site),
    maxNativeZoom: site.map_zoom_max,
    maxZoom: Math.max(ZOOM_MAX, site.map_zoom_max),
    referrerPolicy: "strict-origin-when-cross-origin",
  });
