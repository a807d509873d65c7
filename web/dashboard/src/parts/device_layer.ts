// A layer of Leaflet that draws devices on one canvas: thousands cost what a few hundred rows do.

import L from "leaflet";
import type { Device } from "../types";

const RADIUS = 7;
const COLOURS = { online: "#16a34a", offline: "#dc2626", rim: "#ffffff" };

export class DeviceLayer extends L.Layer {
  private canvas: HTMLCanvasElement | null = null;
  private places: [number, number, string][] = [];
  private frame = 0;

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
    cancelAnimationFrame(this.frame);
    map.off("moveend zoomend resize", this.place, this);
    map.off("click", this.click, this);
    this.canvas?.remove();
    this.canvas = null;
    return this;
  }

  redraw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
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

  private draw(): void {
    const context = this.canvas?.getContext("2d");
    if (!this.canvas || !context) return;
    const dense = window.devicePixelRatio || 1;
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.places = [];
    const inSight = this._map.getBounds().pad(0.05);
    for (const device of this.devices.values()) {
      if (device.latitude === null || device.longitude === null) continue;
      if (!inSight.contains([device.latitude, device.longitude])) continue;
      const { x, y } = this._map.latLngToContainerPoint([device.latitude, device.longitude]);
      this.places.push([x, y, device.id]);
      context.beginPath();
      context.arc(x, y, RADIUS, 0, 2 * Math.PI);
      context.fillStyle = device.status === "offline" ? COLOURS.offline : COLOURS.online;
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = COLOURS.rim;
      context.stroke();
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
