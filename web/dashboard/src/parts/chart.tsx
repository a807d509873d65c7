// A time series by uPlot: light enough to draw every frame.

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useIsDark } from "../theme";
import { moment, t, useLanguage } from "../words";
import { type Limits, type Mark, type Period, drawBands, drawLimits, drawMarks, drawPeriods, scaleName } from "./chart_marks";
import { measured, rounded } from "./measured";
import { type Series, alone, heights, type joined, nearest } from "./series";

export interface Line {
  name: string;
  tone?: "brand" | "quiet" | "bad";
  /** A colour of the palette instead of a tone: "--chart-2". */
  colour?: string;
  /** Which of the units it has; the first, if nothing is said. */
  scale?: number;
  dash?: boolean;
  /** Its values are stored ones, and not computed. */
  isExact?: boolean;
}

interface ChartProps {
  label: string;
  /** An empty point (null) inside a gap: no line is drawn over it. */
  data: Series | ReturnType<typeof joined>;
  lines: Line[];
  unit?: string | null;
  /** Of lines of several units: one scale for each. The first has its axis on the left, the second on the right. */
  units?: readonly (string | null)[];
  /** What lies within is a band; the thresholds are drawn across. */
  limits?: Limits[];
  /** Readings of alarms, whether they were stored or refused. */
  marks?: Mark[];
  /** From when to when there was an alarm. */
  periods?: Period[];
  height?: number;
  /** Called with the range (seconds) that somebody chose. */
  onRange?: (from: number, to: number) => void;
  range?: [number, number];
  gaps?: number;
  /** The axis begins at zero: for counts. */
  fromZero?: boolean;
}

// More would leave no room for the lines: what has a further unit has a scale without an axis.
export const AXES_MAX = 2;

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const NONE: never[] = [];

export function Chart(props: ChartProps) {
  const { label, data, lines, unit, limits = NONE, marks = NONE, periods = NONE, height = 260, onRange, range, gaps = 0, fromZero = false } = props;
  const units = props.units ?? [unit ?? null];
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = useIsDark();
  const language = useLanguage();
  const chosen = useRef(onRange);
  chosen.current = onRange;
  const shown = useRef({ limits, marks, periods, range });
  shown.current = { limits, marks, periods, range };
  const shape = JSON.stringify([lines, units, height, language, fromZero]);

  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const tones = { brand: css("--brand"), quiet: css("--quiet"), bad: css("--bad") };
    const axis = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
    const reach = (scale: number, low: number | null, high: number | null): [number, number] => {
      const known = shown.current;
      const [from, to] = known.range ?? [-Infinity, Infinity];
      const seen = known.marks.filter(([at, , of = 0]) => of === scale && at >= from && at <= to).map(([, value]) => value);
      const [least, most] = [Math.min(low ?? Infinity, ...seen), Math.max(high ?? -Infinity, ...seen)];
      const thresholds = known.limits.filter((each) => each.scale === scaleName(scale)).flatMap((each) => [each.low, each.high]);
      const [bottom, top] = fromZero ? [0, heights(0, Math.max(0, most), [])[1]] : heights(least, most, thresholds);
      if (!scale) Object.assign(element.dataset, { low: String(bottom), high: String(top) });
      return [bottom, top];
    };
    const drawn = new uPlot(
      {
        width: element.clientWidth || 600,
        height,
        cursor: {
          drag: { x: true, y: false, setScale: false },
          // Lines of several feeds do not share their times.
          dataIdx: (u, line, at, x) => (line ? nearest(u.data[0], u.data[line] ?? [], at, x) : at),
        },
        scales: {
          x: { time: true, range: (_u, low, high) => shown.current.range ?? [low, high === low ? low + 1 : high] },
          ...Object.fromEntries(units.map((_unit, at) => [scaleName(at), { range: (_u: uPlot, low: number | null, high: number | null) => reach(at, low, high) }])),
        },
        axes: [
          { ...axis, values: (_u, at, _axis, _space, step) => at.map((each) => tick(each, step)) },
          ...units.slice(0, AXES_MAX).map((name, at) => ({
            ...axis,
            scale: scaleName(at),
            side: at ? 1 : 3,
            size: 60,
            ...(at && { grid: { show: false } }),
            ...(units.length > 1 && name !== null && { label: name, labelSize: 20, size: 50 }),
          })),
        ],
        series: [
          { label: t("Time"), value: (_u, at) => (at == null ? "–" : moment(at * 1000)) },
          ...lines.map((line) => ({
            label: line.name,
            scale: scaleName(line.scale ?? 0),
            stroke: line.colour ? css(line.colour) : tones[line.tone ?? "brand"],
            width: line.tone === "quiet" ? 1 : 2,
            dash: line.dash ? [4, 4] : undefined,
            points: {
              show: lines.length === 1 && data[0].length < 120,
              filter: (u: uPlot, n: number, isShown: boolean) => (isShown ? null : alone(u.data[n] ?? [])),
            },
            value: (_u: uPlot, y: number | null) => (y == null ? "–" : `${(line.isExact ? measured : rounded)(y)} ${units[line.scale ?? 0] ?? ""}`.trim()),
          })),
        ],
        hooks: {
          drawClear: [
            (u) => {
              drawBands(u, shown.current.limits, css);
              drawPeriods(u, shown.current.periods, tones.bad);
            },
          ],
          draw: [
            (u) => {
              drawLimits(u, shown.current.limits, css);
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
  const about = JSON.stringify([limits, marks, periods]);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [data, from, to, about]);
  return <div ref={box} className="chart" role="img" aria-label={label} data-points={data[0].length - gaps} data-gaps={gaps} data-marks={inRange} data-bands={limits.length} data-periods={periods.length} />;
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
