// Names of countries and places over the map's own ground; none covers another.

import L from "leaflet";
import { DETAILED_NAMES, type Box, fits } from "./label_boxes";
import { type Country, type Ground, type Place, ground, source } from "./ground";

const SIZE = 256;

export interface NameColours {
  place: string;
  country: string;
  halo: string;
}

interface Name {
  at: [latitude: number, longitude: number];
  text: string;
  /** Country, capital, or another place. */
  kind: "country" | "capital" | "place";
}

/** What has a name on this scale, the most important first. */
export function names(of: Ground[], zoom: number, isVietnamese: boolean): Name[] {
  const countries = of.flatMap((each) => each.countries ?? []).filter(([from]) => zoom >= from - 0.5 && zoom <= 7);
  const places = of.flatMap((each) => each.places ?? []).filter(([rank, capital]) => rank - capital <= zoom - 2 || zoom >= 10);
  countries.sort((a, b) => a[0] - b[0]);
  places.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const named = ([, longitude, latitude, english, vietnamese]: Country): Name => ({
    at: [latitude, longitude],
    text: isVietnamese ? vietnamese : english,
    kind: "country",
  });
  const placed = ([, capital, longitude, latitude, text, vietnamese]: Place): Name => ({
    at: [latitude, longitude],
    text: isVietnamese ? (vietnamese ?? text) : text,
    kind: capital ? "capital" : "place",
  });
  return zoom < DETAILED_NAMES ? [...countries.map(named), ...places.map(placed)] : [...places.map(placed), ...countries.map(named)];
}

export class NamesLayer extends L.Layer {
  private canvas: HTMLCanvasElement | null = null;
  private turn = 0;

  constructor(
    private readonly colours: NameColours,
    private readonly isVietnamese: boolean,
  ) {
    super();
  }

  override onAdd(map: L.Map): this {
    this.canvas = L.DomUtil.create("canvas", "leaflet-layer names", map.getPane("tilePane"));
    map.on("moveend zoomend resize", this.begin, this);
    void this.begin();
    return this;
  }

  override onRemove(map: L.Map): this {
    map.off("moveend zoomend resize", this.begin, this);
    this.canvas?.remove();
    this.canvas = null;
    return this;
  }

  private readonly begin = async (): Promise<void> => {
    const turn = ++this.turn;
    const zoom = Math.round(this._map.getZoom());
    const bounds = this._map.getPixelBounds();
    const files = new Set(["world"]);
    const [min, max] = [bounds.min as L.Point, bounds.max as L.Point];
    for (let x = Math.floor(min.x / SIZE); x * SIZE < max.x; x += 1) {
      for (let y = Math.floor(min.y / SIZE); y * SIZE < max.y; y += 1) files.add(source(x, y, zoom).name);
    }
    const found = await Promise.allSettled([...files].map(ground));
    if (turn !== this.turn || !this.canvas) return;
    this.draw(names(found.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])), zoom, this.isVietnamese));
  };

  private draw(wanted: Name[]): void {
    const canvas = this.canvas as HTMLCanvasElement;
    const { x, y } = this._map.getSize();
    const dense = window.devicePixelRatio || 1;
    canvas.width = x * dense;
    canvas.height = y * dense;
    canvas.style.width = `${x}px`;
    canvas.style.height = `${y}px`;
    L.DomUtil.setPosition(canvas, this._map.containerPointToLayerPoint([0, 0]));
    const on = canvas.getContext("2d") as CanvasRenderingContext2D;
    on.scale(dense, dense);
    on.textBaseline = "middle";
    on.lineJoin = "round";
    on.lineWidth = 3;
    on.strokeStyle = this.colours.halo;
    const family = getComputedStyle(this._map.getContainer()).fontFamily;
    const taken: Box[] = [];
    const middle = this._map.getCenter().lng;
    for (const { at, text, kind } of wanted) {
      // The nearest of the world's copies.
      const near = at[1] + 360 * Math.round((middle - at[1]) / 360);
      const point = this._map.latLngToContainerPoint([at[0], near]);
      if (point.x < -50 || point.y < -20 || point.x > x + 50 || point.y > y + 20) continue;
      const isCountry = kind === "country";
      on.font = isCountry ? `600 13px ${family}` : `${kind === "capital" ? 600 : 450} 12px ${family}`;
      const wide = on.measureText(text).width;
      const left = isCountry ? point.x - wide / 2 : point.x + 6;
      if (!fits(taken, [isCountry ? left - 4 : point.x - 4, point.y - 9, left + wide + 4, point.y + 9])) continue;
      on.fillStyle = isCountry ? this.colours.country : this.colours.place;
      on.strokeText(text, left, point.y);
      on.fillText(text, left, point.y);
      if (!isCountry) {
        on.beginPath();
        on.arc(point.x, point.y, kind === "capital" ? 3 : 2, 0, 2 * Math.PI);
        on.fill();
      }
    }
    canvas.dataset.names = String(taken.length);
  }
}
