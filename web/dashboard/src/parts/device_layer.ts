// A layer of Leaflet that draws devices on one canvas: thousands cost what a few hundred rows do.

import L from "leaflet";
import type { Device } from "../types";

const RADIUS = 7;
const MOST_LATITUDE = 85.0511287798;
const COLOURS = { online: "#16a34a", offline: "#dc2626", rim: "#ffffff" };

/** A dot, drawn once: stamping it is far cheaper than an arc, filled and stroked, for each device. */
function dot(colour: string, dense: number): HTMLCanvasElement {
  const stamp = document.createElement("canvas");
  stamp.width = stamp.height = (RADIUS + 1) * 2 * dense;
  const context = stamp.getContext("2d") as CanvasRenderingContext2D;
  context.scale(dense, dense);
  context.arc(RADIUS + 1, RADIUS + 1, RADIUS, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = COLOURS.rim;
  context.stroke();
  return stamp;
}

/** Web Mercator (EPSG:3857), as parts of the world's width from its north-west corner. */
function mercator(latitude: number, longitude: number): [number, number] {
  const sine = Math.sin((Math.max(-MOST_LATITUDE, Math.min(MOST_LATITUDE, latitude)) * Math.PI) / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export class DeviceLayer extends L.Layer {
  private canvas: HTMLCanvasElement | null = null;
  private places: [number, number, string][] = [];

  constructor(
    private readonly devices: ReadonlyMap<string, Device>,
    private readonly pick: (id: string) => void,
  ) {
    super();
  }

  override onAdd(map: L.Map): this {
    this.canvas = L.DomUtil.create("canvas", "leaflet-layer", map.getPane("overlayPane"));
    map.on("moveend zoomend resize", this.place, this);
    map.on("click", this.click, this);
    this.place();
    return this;
  }

  override onRemove(map: L.Map): this {
    map.off("moveend zoomend resize", this.place, this);
    map.off("click", this.click, this);
    this.canvas?.remove();
    this.canvas = null;
    return this;
  }

  private place(): void {
    const canvas = this.canvas as HTMLCanvasElement;
    const { x, y } = this._map.getSize();
    const dense = window.devicePixelRatio || 1;
    canvas.width = x * dense;
    canvas.height = y * dense;
    canvas.style.width = `${x}px`;
    canvas.style.height = `${y}px`;
    L.DomUtil.setPosition(canvas, this._map.containerPointToLayerPoint([0, 0]));
    this.draw();
  }

  /** Where the world's corner is, seen from the map's, and how wide the world is; in pixels. */
  private view(): { left: number; top: number; width: number } {
    const width = this._map.getZoomScale(this._map.getZoom(), 0) * 256;
    const middle = this._map.getCenter();
    const { x, y } = this._map.getSize();
    const [across, down] = mercator(middle.lat, middle.lng);
    return { left: x / 2 - across * width, top: y / 2 - down * width, width };
  }

  /** All devices in sight; called when something changed, once per frame. */
  draw(): void {
    const context = this.canvas?.getContext("2d");
    if (!this.canvas || !context) return;
    const dense = window.devicePixelRatio || 1;
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.places = [];
    const { left, top, width } = this.view();
    const size = this._map.getSize();
    const online = dot(COLOURS.online, dense);
    const offline = dot(COLOURS.offline, dense);
    const half = RADIUS + 1;
    for (const device of this.devices.values()) {
      if (device.latitude === null || device.longitude === null) continue;
      const [across, down] = mercator(device.latitude, device.longitude);
      const x = left + across * width;
      const y = top + down * width;
      if (x < -half || y < -half || x > size.x + half || y > size.y + half) continue;
      this.places.push([x, y, device.id]);
      context.drawImage(device.status === "offline" ? offline : online, x - half, y - half, half * 2, half * 2);
    }
    this.canvas.dataset.drawn = String(this.places.length);
  }

  private click(event: L.LeafletMouseEvent): void {
    const { x, y } = event.containerPoint;
    let best: [number, string] = [(RADIUS * 2) ** 2, ""];
    for (const [px, py, id] of this.places) {
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far <= best[0]) best = [far, id];
    }
    if (best[1]) this.pick(best[1]);
  }
}
