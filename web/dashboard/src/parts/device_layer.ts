// A layer of Leaflet that draws devices on one canvas: thousands cost what a few hundred rows do.

import L from "leaflet";
import type { Device } from "../types";

const RADIUS = 7;
const MOST_LATITUDE = 85.0511287798;
const COLOURS = { online: "#16a34a", offline: "#dc2626", rim: "#ffffff" };

/** A dot's pixels (one number for each, red, green, blue and alpha), drawn once. */
function dot(colour: string, size: number): Uint32Array {
  const stamp = document.createElement("canvas");
  stamp.width = stamp.height = size;
  const context = stamp.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
  const rim = size / 8;
  context.arc(size / 2, size / 2, size / 2 - rim / 2 - 0.5, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = rim;
  context.strokeStyle = COLOURS.rim;
  context.stroke();
  return new Uint32Array(context.getImageData(0, 0, size, size).data.buffer);
}

/** Copy a dot into a picture `width` pixels wide, with its corner at (left, top); clear pixels change nothing. */
function blit(to: Uint32Array, width: number, height: number, from: Uint32Array, size: number, left: number, top: number) {
  const first = Math.max(0, -left);
  const last = Math.min(size, width - left);
  for (let y = Math.max(0, -top); y < size && top + y < height; y += 1) {
    const row = (top + y) * width + left;
    for (let x = first; x < last; x += 1) {
      const pixel = from[y * size + x] as number;
      if (pixel !== 0) to[row + x] = pixel;
    }
  }
}

/** Web Mercator (EPSG:3857), as parts of the world's width from its north-west corner. */
function mercator(latitude: number, longitude: number): [number, number] {
  const sine = Math.sin((Math.max(-MOST_LATITUDE, Math.min(MOST_LATITUDE, latitude)) * Math.PI) / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export class DeviceLayer extends L.Layer {
  private canvas: HTMLCanvasElement | null = null;
  private places: [number, number, string][] = [];
  private picture: ImageData | null = null;
  private stamps: { size: number; online: Uint32Array; offline: Uint32Array } | null = null;

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
    this.picture = null;
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
    const canvas = this.canvas;
    const context = canvas?.getContext("2d");
    if (!canvas || !context || !canvas.width || !canvas.height) return;
    const dense = window.devicePixelRatio || 1;
    const size = Math.round((RADIUS + 1) * 2 * dense);
    if (this.stamps?.size !== size) {
      this.stamps = { size, online: dot(COLOURS.online, size), offline: dot(COLOURS.offline, size) };
    }
    // Copied by ourselves: thousands of drawing commands are played back by the browser, pixel by pixel.
    this.picture ??= context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(this.picture.data.buffer);
    pixels.fill(0);
    this.places = [];
    const { left, top, width } = this.view();
    const bounds = this._map.getSize();
    for (const device of this.devices.values()) {
      if (device.latitude === null || device.longitude === null) continue;
      const [across, down] = mercator(device.latitude, device.longitude);
      const x = left + across * width;
      const y = top + down * width;
      if (x < -RADIUS || y < -RADIUS || x > bounds.x + RADIUS || y > bounds.y + RADIUS) continue;
      this.places.push([x, y, device.id]);
      const stamp = device.status === "offline" ? this.stamps.offline : this.stamps.online;
      const corner = [Math.round(x * dense - size / 2), Math.round(y * dense - size / 2)] as const;
      blit(pixels, canvas.width, canvas.height, stamp, size, ...corner);
    }
    context.putImageData(this.picture, 0, 0);
    canvas.dataset.drawn = String(this.places.length);
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
