// How a device looks on the map: a filled disc is online, a ring is offline, a triangle on it is an open alarm. Shape and
// colour say the same, so nobody needs the colours.

import type { Device, Severity } from "../types";
import { type Cluster, counted } from "./clusters";

export const COLOURS = { online: "#16a34a", offline: "#64748b", rim: "#ffffff", critical: "#dc2626", warning: "#d97706", info: "#2563eb" };
export const RADIUS = 7;
/** What a picture of a device is wide, with the triangle at its corner. */
export const SIZE = 26;
const RANKS: Severity[] = ["info", "warning", "critical"];

export const worse = (a: Severity | undefined, b: Severity | undefined): Severity | undefined =>
  a === undefined || (b !== undefined && RANKS.indexOf(b) > RANKS.indexOf(a)) ? b : a;

/** Pixels of each look (a number each: red, green, blue and alpha), drawn once. */
export class Stamps {
  private readonly made = new Map<string, Uint32Array>();

  constructor(readonly size: number) {}

  of(isOnline: boolean, alarm: Severity | undefined): Uint32Array {
    const key = `${isOnline}-${alarm ?? ""}`;
    const known = this.made.get(key);
    if (known) return known;
    const made = stamp(this.size, isOnline, alarm);
    this.made.set(key, made);
    return made;
  }
}

function stamp(size: number, isOnline: boolean, alarm: Severity | undefined): Uint32Array {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const on = canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
  on.scale(size / SIZE, size / SIZE);
  const middle = SIZE / 2;
  circle(on, middle, middle, RADIUS + 1, COLOURS.rim);
  circle(on, middle, middle, RADIUS - 0.5, isOnline ? COLOURS.online : COLOURS.offline);
  if (!isOnline) circle(on, middle, middle, RADIUS - 3.5, COLOURS.rim);
  if (alarm) triangle(on, middle + 6, middle - 6, COLOURS[alarm]);
  return new Uint32Array(on.getImageData(0, 0, size, size).data.buffer);
}

function circle(on: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string): void {
  on.beginPath();
  on.arc(x, y, radius, 0, 2 * Math.PI);
  on.fillStyle = colour;
  on.fill();
}

function triangle(on: CanvasRenderingContext2D, x: number, y: number, colour: string): void {
  on.beginPath();
  on.moveTo(x, y - 5.5);
  on.lineTo(x + 6, y + 5);
  on.lineTo(x - 6, y + 5);
  on.closePath();
  on.lineJoin = "round";
  on.lineWidth = 2;
  on.strokeStyle = COLOURS.rim;
  on.stroke();
  on.fillStyle = colour;
  on.fill();
  on.fillStyle = COLOURS.rim;
  on.fillRect(x - 0.8, y - 2, 1.6, 3.4);
  on.fillRect(x - 0.8, y + 2.4, 1.6, 1.6);
}

export const clusterRadius = (n: number): number => 14 + Math.min(8, 2 * Math.log10(n) + 1);

/** How many devices, in a rim whose green part are those online; a triangle says that one of them has an alarm. */
export function drawCluster(on: CanvasRenderingContext2D, cluster: Cluster<Device>, alarm: Severity | undefined, look: { ground: string; ink: string; font: string }): void {
  const { x, y, of } = cluster;
  const radius = clusterRadius(of.length);
  const online = of.filter((each) => each.status !== "offline").length / of.length;
  circle(on, x, y, radius + 1.5, COLOURS.rim);
  circle(on, x, y, radius, look.ground);
  on.lineWidth = 4;
  const from = -Math.PI / 2;
  for (const [start, end, colour] of [
    [0, online, COLOURS.online],
    [online, 1, COLOURS.offline],
  ] as const) {
    if (start === end) continue;
    on.beginPath();
    on.arc(x, y, radius - 2, from + start * 2 * Math.PI, from + end * 2 * Math.PI);
    on.strokeStyle = colour;
    on.stroke();
  }
  on.fillStyle = look.ink;
  on.font = look.font;
  on.textAlign = "center";
  on.textBaseline = "middle";
  on.fillText(counted(of.length), x, y + 0.5);
  if (alarm) triangle(on, x + radius * 0.75, y - radius * 0.75, COLOURS[alarm]);
}
