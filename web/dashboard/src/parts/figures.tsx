// Figures at a glance: one number on a card, or bars beside each other.

import { TrendingDown, TrendingUp } from "lucide-react";
import type { ReactNode } from "react";
import { number, t } from "../words";
import { type Point, curve } from "./trend";

interface CardProps {
  name: ReactNode;
  value: ReactNode;
  hint?: ReactNode;
  href?: string;
  /** How it went up to now: a small curve beside the hint. */
  trend?: number[];
  /** Instead of the trend: a curve of its own. */
  beside?: ReactNode;
}

export function Card({ name, value, hint, href, trend = [], beside }: CardProps) {
  const inside = (
    <>
      <span className="name">{name}</span>
      <strong>{value}</strong>
      {(hint || beside || trend.length > 1) && (
        <span className="foot">
          <span className="quiet">{hint}</span>
          {trend.length > 1 && <Spark values={trend} />}
          {beside}
        </span>
      )}
    </>
  );
  return href ? (
    <a className="card" href={href}>
      {inside}
    </a>
  ) : (
    <div className="card">{inside}</div>
  );
}

const [SPARK_WIDTH, SPARK_HEIGHT] = [100, 24];

/** A curve without axes: whether it rises or falls. Its numbers are told elsewhere. */
function Spark({ values }: { values: number[] }) {
  const most = Math.max(...values) || 1;
  const points = values.map((value, at) => [(SPARK_WIDTH * at) / (values.length - 1), SPARK_HEIGHT - (SPARK_HEIGHT * value) / most]);
  const line = `M${points.map(([x, y]) => `${x?.toFixed(1)} ${y?.toFixed(1)}`).join("L")}`;
  return (
    <svg className="spark" viewBox={`0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path className="under" d={`${line}L${SPARK_WIDTH} ${SPARK_HEIGHT}L0 ${SPARK_HEIGHT}Z`} />
      <path d={line} />
    </svg>
  );
}

interface CurveProps {
  points: readonly Point[];
  /** The times (s) of its edges. */
  start: number;
  end: number;
  /** Longer than this (s) without a point is a gap. */
  gap: number;
}

/** How a measured value went; nothing where there is nothing. */
export function Curve({ points, start, end, gap }: CurveProps) {
  if (!points.length) return null;
  return (
    <svg className="spark" viewBox={`0 -1 ${SPARK_WIDTH} ${SPARK_HEIGHT + 2}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={curve(points, start, end, gap, SPARK_WIDTH, SPARK_HEIGHT)} />
    </svg>
  );
}

/** The change from one span of time to the next, in percent; nothing where there is nothing to compare with. */
export function Change({ before, now, title }: { before: number; now: number; title: string }) {
  if (!before) return null;
  const percent = Math.round((100 * (now - before)) / before);
  return (
    <span className="trend" title={title}>
      {percent < 0 ? <TrendingDown aria-hidden="true" /> : <TrendingUp aria-hidden="true" />}
      {percent > 0 && "+"}
      {number(percent)} %<span className="hidden"> {title}</span>
    </span>
  );
}

const Nothing = ({ title }: { title: string }) => (
  <figure className="bars">
    <figcaption>{title}</figcaption>
    <p className="quiet">{t("No data yet")}</p>
  </figure>
);

const isEmpty = (bars: [string, number][]): boolean => !bars.some(([, n]) => n > 0);

// A few days fill no more than their part.
const COLUMNS_MIN = 7;

/** A bar for each day, beside each other; their numbers are a table for those who cannot see them. */
export function Days({ title, bars }: { title: string; bars: [string, number][] }) {
  if (isEmpty(bars)) return <Nothing title={title} />;
  const most = Math.max(...bars.map(([, n]) => n));
  const columns = Math.max(COLUMNS_MIN, bars.length);
  const first = columns - bars.length;
  const [begin, end] = [bars[0]?.[0], bars.at(-1)?.[0]];
  return (
    <figure className="bars">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${columns * 10} 60`} preserveAspectRatio="none" aria-hidden="true">
        {bars.map(([name, n], at) => (
          <rect key={name} x={(first + at) * 10 + 1} width={8} y={60 - (58 * n) / most} height={(58 * n) / most || 0.5}>
            <title>{`${name}: ${n}`}</title>
          </rect>
        ))}
      </svg>
      <div className="row apart quiet" aria-hidden="true">
        <span>{first ? "" : begin}</span>
        <span>{first && begin !== end ? `${begin} – ${end}` : end}</span>
      </div>
      <table className="hidden">
        <caption>{title}</caption>
        <tbody>
          {bars.map(([name, n]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{n}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

/** A line for each kind: its name, a bar, and its number. */
export function Kinds({ title, bars }: { title: string; bars: [string, number][] }) {
  if (!bars.length) return <Nothing title={title} />;
  const most = Math.max(1, ...bars.map(([, n]) => n));
  return (
    <figure className="bars">
      <figcaption>{title}</figcaption>
      <table className="kinds">
        <tbody>
          {bars.map(([name, n], at) => (
            <tr key={at}>
              <th scope="row">{name}</th>
              <td>
                <span className="bar" style={{ width: `${(100 * n) / most}%` }} />
              </td>
              <td>{number(n)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
