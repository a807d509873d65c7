// What stands on a chart beside its lines: the limits, and readings that raised an alarm.

import type uPlot from "uplot";
import type { Alarm } from "../types";
import { measured } from "./measured";

/** A time (s) and a value. */
export type Mark = [number, number];

/** Where and at which value alarms were raised: maybe long after the first reading beyond a limit. */
export const marksOf = (alarms: readonly Alarm[]): Mark[] =>
  alarms.flatMap((each): Mark[] => (each.value === null ? [] : [[Date.parse(each.raised_at ?? each.since) / 1000, each.value]]));

/** A limit that is out of sight is named at the edge where it is. */
export function drawLimits(u: uPlot, limits: readonly (number | null)[], colour: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.font = `${12 * ratio}px sans-serif`;
  ctx.textAlign = "right";
  for (const limit of limits) {
    if (limit === null) continue;
    const y = u.valToPos(limit, "y", true);
    const [top, bottom, right] = [bbox.top, bbox.top + bbox.height, bbox.left + bbox.width - 4 * ratio];
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
  ctx.restore();
}

export function drawMarks(u: uPlot, marks: readonly Mark[], colour: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.fillStyle = colour;
  for (const [at, value] of marks) {
    const [x, y] = [u.valToPos(at, "x", true), u.valToPos(value, "y", true)];
    if (x < bbox.left || x > bbox.left + bbox.width || y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}
