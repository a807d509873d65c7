// The map's own ground: land, waters and borders of Natural Earth (`scripts/ground`), drawn tile by tile on canvases that
// Leaflet moves. The world is one file; from DETAILED on a tile of zoom 4 is loaded where the map is looked at.

import L from "leaflet";
import { t } from "../words";

const files = import.meta.glob<string>("../ground/*.json", { query: "?url", import: "default", eager: true });
const addresses = new Map(Object.entries(files).map(([path, url]) => [path.slice("../ground/".length, -".json".length), url]));

export const EXTENT = 8192;
const CUT = 4;
const DETAILED = 5;
const SIZE = 256;
// Provinces would be a net of lines on smaller scales.
const PROVINCES_FROM = 6;

/** Rank (the smaller, the sooner shown), whether it is a capital, longitude, latitude, name, and the Vietnamese name where it is another. */
export type Place = [rank: number, capital: number, longitude: number, latitude: number, name: string, vietnamese?: string];
/** The zoom from which it is shown, longitude, latitude, the name in English and in Vietnamese. */
export type Country = [zoom: number, longitude: number, latitude: number, english: string, vietnamese: string];

/** Each line is a place and steps from there, in whole numbers; EXTENT of them are the file's width. */
export interface Ground {
  land?: number[][];
  lakes?: number[][];
  rivers?: number[][];
  borders?: number[][];
  provinces?: number[][];
  places?: Place[];
  countries?: Country[];
}

const loaded = new Map<string, Promise<Ground>>();

/** A file, asked for once; where there is nothing but sea, there is none. */
export function ground(name: string): Promise<Ground> {
  const known = loaded.get(name);
  if (known) return known;
  const url = addresses.get(name);
  const found = url === undefined ? Promise.resolve({}) : fetch(url).then(read);
  loaded.set(name, found);
  // What could not be fetched is asked for again with the next tile.
  found.catch(() => loaded.delete(name));
  return found;
}

async function read(answer: Response): Promise<Ground> {
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
  return (await answer.json()) as Ground;
}

/** The file that a tile is cut from, and where and how wide that file is, in tiles of this zoom. */
export function source(x: number, y: number, zoom: number): { name: string; left: number; top: number; wide: number } {
  const across = 2 ** zoom;
  const column = ((x % across) + across) % across;
  if (zoom < DETAILED) return { name: "world", left: 0 - column, top: 0 - y, wide: across };
  const wide = 2 ** (zoom - CUT);
  const [left, top] = [Math.floor(column / wide), Math.floor(y / wide)];
  return { name: `${left}-${top}`, left: left * wide - column, top: top * wide - y, wide };
}

/** The lines as a path. On the rim of a file runs no coast: it is where the ground was cut. */
export function trace(path: CanvasRenderingContext2D, lines: number[][], scale: number, left: number, top: number, isRing: boolean, hasRim: boolean) {
  path.beginPath();
  for (const line of lines) {
    let [x, y] = [line[0] as number, line[1] as number];
    path.moveTo(left + x * scale, top + y * scale);
    for (let n = 2; n < line.length; n += 2) {
      const [dx, dy] = [line[n] as number, line[n + 1] as number];
      const isRim = !hasRim && ((dx === 0 && (x <= 0 || x >= EXTENT)) || (dy === 0 && (y <= 0 || y >= EXTENT)));
      x += dx;
      y += dy;
      if (isRim) path.moveTo(left + x * scale, top + y * scale);
      else path.lineTo(left + x * scale, top + y * scale);
    }
    if (isRing && hasRim) path.closePath();
  }
}

export interface Colours {
  land: string;
  coast: string;
  sea: string;
  river: string;
  border: string;
  province: string;
}

export class GroundLayer extends L.GridLayer {
  constructor(private readonly colours: Colours) {
    super({ tileSize: SIZE, minZoom: 0, maxZoom: 24, attribution: t("Map data: Natural Earth"), updateWhenZooming: false });
  }

  override createTile(coords: L.Coords, done: L.DoneCallback): HTMLElement {
    const tile = document.createElement("canvas");
    const dense = window.devicePixelRatio || 1;
    tile.width = tile.height = SIZE * dense;
    const { name, left, top, wide } = source(coords.x, coords.y, coords.z);
    ground(name).then(
      (found) => {
        const context = tile.getContext("2d") as CanvasRenderingContext2D;
        context.scale(dense, dense);
        this.draw(context, found, (wide * SIZE) / EXTENT, left * SIZE, top * SIZE, coords.z);
        done(undefined, tile);
      },
      (error: Error) => done(error, tile),
    );
    return tile;
  }

  private draw(on: CanvasRenderingContext2D, of: Ground, scale: number, left: number, top: number, zoom: number): void {
    const { land, coast, sea, river, border, province } = this.colours;
    const fill = (lines: number[][] | undefined, colour: string, edge: string): void => {
      if (!lines) return;
      trace(on, lines, scale, left, top, true, true);
      on.fillStyle = colour;
      on.fill("evenodd");
      trace(on, lines, scale, left, top, true, false);
      on.strokeStyle = edge;
      on.lineWidth = 0.75;
      on.stroke();
    };
    const stroke = (lines: number[][] | undefined, colour: string, width: number, dash: number[] = []): void => {
      if (!lines) return;
      trace(on, lines, scale, left, top, false, true);
      on.strokeStyle = colour;
      on.lineWidth = width;
      on.setLineDash(dash);
      on.stroke();
      on.setLineDash([]);
    };
    on.lineJoin = "round";
    fill(of.land, land, coast);
    if (zoom >= PROVINCES_FROM) stroke(of.provinces, province, 1, [3, 3]);
    stroke(of.rivers, river, Math.min(2.5, 0.6 + zoom / 8));
    fill(of.lakes, sea, coast);
    stroke(of.borders, border, zoom < DETAILED ? 0.8 : 1.4);
  }
}
