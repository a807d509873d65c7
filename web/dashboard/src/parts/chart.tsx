// A time series by uPlot: light enough to draw every frame.

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useIsDark } from "../theme";
import { moment, t, useLanguage } from "../words";
import { type Mark, drawLimits, drawMarks } from "./chart_marks";
import { measured, rounded } from "./measured";
import { type Series, alone, heights } from "./series";

export interface Line {
  name: string;
  tone?: "brand" | "quiet" | "bad";
  dash?: boolean;
  /** Its values are stored ones, and not computed. */
  isExact?: boolean;
}

interface ChartProps {
  label: string;
  /** An empty point (null) inside a gap: no line is drawn over it. */
  data: Series;
  lines: Line[];
  unit?: string | null;
  /** Drawn across: the thresholds. */
  limits?: (number | null)[];
  /** Readings of alarms, whether they were stored or refused. */
  marks?: Mark[];
  height?: number;
  /** Called with the range (seconds) that somebody chose. */
  onRange?: (from: number, to: number) => void;
  range?: [number, number];
  gaps?: number;
  /** The axis begins at zero: for counts. */
  fromZero?: boolean;
}

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ label, data, lines, unit, limits = [], marks = [], height = 260, onRange, range, gaps = 0, fromZero = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = useIsDark();
  const language = useLanguage();
  const chosen = useRef(onRange);
  chosen.current = onRange;
  const shown = useRef({ limits, marks, range });
  shown.current = { limits, marks, range };
  const shape = JSON.stringify([lines, unit, height, language, fromZero]);

  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const tones = { brand: css("--brand"), quiet: css("--quiet"), bad: css("--bad") };
    const axis = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
    const drawn = new uPlot(
      {
        width: element.clientWidth || 600,
        height,
        cursor: { drag: { x: true, y: false, setScale: false } },
        scales: {
          x: { time: true, range: (_u, low, high) => shown.current.range ?? [low, high === low ? low + 1 : high] },
          y: {
            range: (_u, low, high) => {
              const [from, to] = shown.current.range ?? [-Infinity, Infinity];
              const seen = shown.current.marks.filter(([at]) => at >= from && at <= to).map(([, value]) => value);
              const [least, most] = [Math.min(low ?? Infinity, ...seen), Math.max(high ?? -Infinity, ...seen)];
              const [bottom, top] = fromZero ? [0, heights(0, Math.max(0, most), [])[1]] : heights(least, most, shown.current.limits);
              Object.assign(element.dataset, { low: String(bottom), high: String(top) });
              return [bottom, top];
            },
          },
        },
        axes: [{ ...axis, values: (_u, at, _axis, _space, step) => at.map((each) => tick(each, step)) }, { ...axis, size: 60 }],
        series: [
          { label: t("Time"), value: (_u, at) => (at == null ? "–" : moment(at * 1000)) },
          ...lines.map((line) => ({
            label: line.name,
            stroke: tones[line.tone ?? "brand"],
            width: line.tone === "quiet" ? 1 : 2,
            dash: line.dash ? [4, 4] : undefined,
            points: {
              show: lines.length === 1 && data[0].length < 120,
              filter: (u: uPlot, n: number, isShown: boolean) => (isShown ? null : alone(u.data[n] ?? [])),
            },
            value: (_u: uPlot, y: number | null) => (y == null ? "–" : `${(line.isExact ? measured : rounded)(y)} ${unit ?? ""}`.trim()),
          })),
        ],
        hooks: {
          draw: [
            (u) => {
              drawLimits(u, shown.current.limits, tones.bad);
              drawMarks(u, shown.current.marks, tones.bad);
            },
          ],
          setSelect: [
            (u) => {
              if (u.select.width < 4) return;
              const from = u.posToVal(u.select.left, "x");
              const to = u.posToVal(u.select.left + u.select.width, "x");
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              chosen.current?.(from, to);
            },
          ],
        },
      },
      data as uPlot.AlignedData,
      element,
    );
    plot.current = drawn;
    const sized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
    // The data is set below; a chart is made again only when its shape or the theme changes.
  }, [shape, isDark]);

  const [from, to] = range ?? [0, 0];
  const inRange = marks.filter(([at]) => !range || (at >= from && at <= to)).length;
  const about = JSON.stringify([limits, marks]);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [data, from, to, about]);
  return <div ref={box} className="chart" role="img" aria-label={label} data-points={data[0].length - gaps} data-gaps={gaps} data-marks={inRange} />;
}

/** A time on the axis, as exact as the steps between are. */
function tick(at: number, step: number): string {
  const shown: Intl.DateTimeFormatOptions =
    step >= 28 * 86_400
      ? { month: "short", year: "numeric" }
      : step >= 86_400
        ? { day: "numeric", month: "short" }
        : step >= 60
          ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
          : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(document.documentElement.lang, shown).format(at * 1000);
}
