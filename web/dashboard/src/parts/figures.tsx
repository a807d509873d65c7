// Figures at a glance: one number on a card, or bars beside each other.

import type { ReactNode } from "react";
import { number, t } from "../words";

export function Card({ name, value, hint, href }: { name: string; value: ReactNode; hint?: string; href?: string }) {
  const inside = (
    <>
      <span className="quiet">{name}</span>
      <strong>{value}</strong>
      {hint && <span className="quiet">{hint}</span>}
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
