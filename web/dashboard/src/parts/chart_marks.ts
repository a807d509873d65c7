// What stands on a chart beside its lines: the limits, and readings that raised an alarm.

import type uPlot from "uplot";
import type { Alarm, Feed } from "../types";
import { measured } from "./measured";

/** A time (s) and a value; of a chart with several units, which of them. */
export type Mark = [at: number, value: number, scale?: number];
/** From and to (s); null while it goes on. */
export type Period = [from: number, to: number | null];

// How much of its colour a band has: lines and texts on it stay as clear as beside it.
const BAND = 0.08;
// More bands over each other say nothing; their thresholds are still drawn across.
const BANDS_MAX = 2;
// So many pixels from one line's labels to the next one's.
const LABEL = 44;

/** Where and at which value alarms were raised: maybe long after the first reading beyond a limit. */
export const marksOf = (alarms: readonly Alarm[]): Mark[] =>
  alarms.flatMap((each): Mark[] => (each.value === null ? [] : [[Date.parse(each.raised_at ?? each.since) / 1000, each.value]]));

/** From the first reading beyond a limit until it cleared. */
export const periodsOf = (alarms: readonly Alarm[]): Period[] =>
  alarms.map((each): Period => [Date.parse(each.since) / 1000, each.cleared_at === null ? null : Date.parse(each.cleared_at) / 1000]);

/** What is allowed of a line: from `low` to `high`, in the unit of its scale ("y"), in a colour of the palette. */
export interface Limits {
  low: number | null;
  high: number | null;
  scale: string;
  colour: string;
  /** The colour of what is drawn across. */
  edge: string;
}

/** uPlot's name of the scale of a unit. */
export const scaleName = (at = 0): string => (at ? `y${at}` : "y");

type Css = (name: string) => string;

export const hasLimits = (feed: Pick<Feed, "min_value" | "max_value">): boolean => feed.min_value !== null || feed.max_value !== null;

/** The values that are allowed, as a band behind the lines; without a limit it goes on to the edge. */
export function drawBands(u: uPlot, limits: readonly Limits[], css: Css): void {
  if (limits.length > BANDS_MAX) return;
  const { ctx, bbox } = u;
  const inside = (y: number): number => Math.min(bbox.top + bbox.height, Math.max(bbox.top, y));
  ctx.save();
  ctx.globalAlpha = BAND;
  for (const { low, high, scale, colour } of limits) {
    const top = high === null ? bbox.top : inside(u.valToPos(high, scale, true));
    const bottom = low === null ? bbox.top + bbox.height : inside(u.valToPos(low, scale, true));
    ctx.fillStyle = css(colour);
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
  }
  ctx.restore();
}

/** The time of each alarm, from top to bottom; one that is very short is still to be seen. */
export function drawPeriods(u: uPlot, periods: readonly Period[], colour: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  const [first, last] = [bbox.left, bbox.left + bbox.width];
  ctx.save();
  ctx.globalAlpha = BAND;
  ctx.fillStyle = colour;
  // In one path: where alarms overlap it is no darker.
  ctx.beginPath();
  for (const [from, to] of periods) {
    const left = Math.max(first, u.valToPos(from, "x", true));
    const right = to === null ? last : Math.min(last, u.valToPos(to, "x", true));
    if (left <= last && right >= first) ctx.rect(left, bbox.top, Math.max(ratio, right - left), bbox.height);
  }
  ctx.fill();
  ctx.restore();
}

/** A limit that is out of sight is named at the edge where it is. */
export function drawLimits(u: uPlot, limits: readonly Limits[], css: Css): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  const [top, bottom] = [bbox.top, bbox.top + bbox.height];
  ctx.save();
  ctx.font = `${12 * ratio}px sans-serif`;
  ctx.textAlign = "right";
  for (const [place, { low, high, scale, edge }] of limits.entries()) {
    const right = bbox.left + bbox.width - (4 + LABEL * place) * ratio;
    ctx.strokeStyle = ctx.fillStyle = css(edge);
    for (const limit of [low, high]) {
      if (limit === null) continue;
      const y = u.valToPos(limit, scale, true);
      if (y < top) ctx.fillText(`${measured(limit)} ↑`, right, top + 14 * ratio);
      else if (y > bottom) ctx.fillText(`${measured(limit)} ↓`, right, bottom - 4 * ratio);
      else {
        ctx.setLineDash([8, 5]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.fillText(measured(limit), right, y - 4 * ratio > top + 12 * ratio ? y - 4 * ratio : y + 14 * ratio);
      }
    }
  }
  ctx.restore();
}

export function drawMarks(u: uPlot, marks: readonly Mark[], colour: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.fillStyle = colour;
  for (const [at, value, scale] of marks) {
    const [x, y] = [u.valToPos(at, "x", true), u.valToPos(value, scaleName(scale), true)];
    if (x < bbox.left || x > bbox.left + bbox.width || y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}
