// A layer of Leaflet that draws devices and clusters on one canvas: thousands cost what a few hundred rows do.

import L from "leaflet";
import type { Device, Severity } from "../types";
import { APART_FROM, type Cluster, NEAR, type Spot, clustered } from "./clusters";
import { RADIUS, SIZE, Stamps, clusterRadius, drawCluster, worse } from "./markers";

const MOST_LATITUDE = 85.0511287798;
// A finger hits beside what it means.
const REACH = 14;

/** Copy a picture into one `width` pixels wide, with its corner at (left, top); clear pixels change nothing. */
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

/** What the layer tells: what was clicked, and what the pointer is over (with its place in the map's box). */
export interface Told {
  pick: (ids: string[]) => void;
  hover: (ids: string[], x: number, y: number) => void;
}

export interface Look {
  ground: string;
  ink: string;
  focus: string;
  font: string;
}

export class DeviceLayer extends L.Layer {
  private canvas: HTMLCanvasElement | null = null;
  private drawn: Cluster<Device>[] = [];
  private picture: ImageData | null = null;
  private stamps = new Stamps(0);
  private alarms: ReadonlyMap<string, Severity> = new Map();
  private marked: string | null = null;

  constructor(
    private readonly devices: ReadonlyMap<string, Device>,
    private readonly told: Told,
    private readonly look: Look,
  ) {
    super();
  }

  override onAdd(map: L.Map): this {
    this.canvas = L.DomUtil.create("canvas", "leaflet-layer", map.getPane("overlayPane"));
    map.on("moveend zoomend resize", this.place, this);
    map.on("click", this.click, this);
    map.on("mousemove", this.move, this);
    map.on("mouseout movestart", this.leave, this);
    this.place();
    return this;
  }

  override onRemove(map: L.Map): this {
    map.off("moveend zoomend resize", this.place, this);
    map.off("click", this.click, this);
    map.off("mousemove", this.move, this);
    map.off("mouseout movestart", this.leave, this);
    this.canvas?.remove();
    this.canvas = null;
    return this;
  }

  /** The worst open alarm of each device. */
  setAlarms(alarms: ReadonlyMap<string, Severity>): void {
    this.alarms = alarms;
    this.draw();
  }

  /** The device that a ring points out. */
  mark(id: string | null): void {
    if (this.marked === id) return;
    this.marked = id;
    this.draw();
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

  /** In pixels of the world, so that clusters stay as they are when the map is moved. */
  private *spots(width: number): Generator<Spot<Device>> {
    for (const device of this.devices.values()) {
      if (device.latitude === null || device.longitude === null) continue;
      const [across, down] = mercator(device.latitude, device.longitude);
      yield { x: across * width, y: down * width, of: device };
    }
  }

  private inSight(): Cluster<Device>[] {
    const { left, top, width } = this.view();
    const bounds = this._map.getSize();
    // Even where they are drawn one by one, devices at the very same place are one.
    const all = clustered(this.spots(width), this._map.getZoom() >= APART_FROM ? 1 : NEAR);
    return all
      .map(({ x, y, of }) => ({ x: x + left, y: y + top, of }))
      .filter(({ x, y }) => x > -SIZE && y > -SIZE && x < bounds.x + SIZE && y < bounds.y + SIZE);
  }

  /** All devices in sight; called when something changed, once per frame. */
  draw(): void {
    const canvas = this.canvas;
    const context = canvas?.getContext("2d");
    if (!canvas || !context || !canvas.width || !canvas.height) return;
    const dense = window.devicePixelRatio || 1;
    const size = Math.round(SIZE * dense);
    if (this.stamps.size !== size) this.stamps = new Stamps(size);
    // Copied by ourselves: thousands of drawing commands are played back by the browser, pixel by pixel.
    this.picture ??= context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(this.picture.data.buffer);
    pixels.fill(0);
    this.drawn = this.inSight();
    for (const { x, y, of } of this.drawn) {
      const [device, ...others] = of;
      if (!device || others.length) continue;
      const stamp = this.stamps.of(device.status !== "offline", this.alarms.get(device.id));
      blit(pixels, canvas.width, canvas.height, stamp, size, Math.round(x * dense - size / 2), Math.round(y * dense - size / 2));
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.putImageData(this.picture, 0, 0);
    context.setTransform(dense, 0, 0, dense, 0, 0);
    this.drawMany(context);
    canvas.dataset.drawn = String(this.drawn.reduce((n, { of }) => n + of.length, 0));
    canvas.dataset.clusters = String(this.drawn.filter(({ of }) => of.length > 1).length);
  }

  private drawMany(on: CanvasRenderingContext2D): void {
    for (const cluster of this.drawn) {
      const { x, y, of } = cluster;
      if (of.length > 1) {
        const alarm = of.reduce<Severity | undefined>((worst, { id }) => worse(worst, this.alarms.get(id)), undefined);
        drawCluster(on, cluster, alarm, this.look);
      }
      if (this.marked === null || !of.some(({ id }) => id === this.marked)) continue;
      on.beginPath();
      on.arc(x, y, (of.length > 1 ? clusterRadius(of.length) : RADIUS + 5) + 4, 0, 2 * Math.PI);
      on.lineWidth = 3;
      on.strokeStyle = this.look.focus;
      on.stroke();
    }
  }

  private at(event: L.LeafletMouseEvent): Cluster<Device> | null {
    const { x, y } = event.containerPoint;
    let best: [number, Cluster<Device> | null] = [Number.POSITIVE_INFINITY, null];
    for (const cluster of this.drawn) {
      const far = Math.hypot(cluster.x - x, cluster.y - y);
      const reach = cluster.of.length > 1 ? clusterRadius(cluster.of.length) + 2 : REACH;
      if (far <= reach && far < best[0]) best = [far, cluster];
    }
    return best[1];
  }

  private click(event: L.LeafletMouseEvent): void {
    const found = this.at(event);
    if (found) this.told.pick(found.of.map(({ id }) => id));
  }

  private move(event: L.LeafletMouseEvent): void {
    const found = this.at(event);
    this._map.getContainer().classList.toggle("over", found !== null);
    this.told.hover(found?.of.map(({ id }) => id) ?? [], found?.x ?? 0, found?.y ?? 0);
  }

  private leave(): void {
    this.told.hover([], 0, 0);
  }
}
