// Figures at a glance: one number on a card, or bars beside each other.

import type { ReactNode } from "react";
import { t } from "../words";

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

/** Bars beside each other, one for each day or kind; their numbers are a table for those who cannot see them. */
export function Bars({ title, bars, shown }: { title: string; bars: [string, number][]; shown?: (n: number) => string }) {
  if (!bars.some(([, n]) => n > 0)) {
    return (
      <figure className="bars">
        <figcaption>{title}</figcaption>
        <p className="quiet">{t("No data yet")}</p>
      </figure>
    );
  }
  const most = Math.max(1, ...bars.map(([, n]) => n));
  const say = shown ?? String;
  return (
    <figure className="bars">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${Math.max(1, bars.length) * 10} 60`} preserveAspectRatio="none" aria-hidden="true">
        {bars.map(([name, n], at) => (
          <rect key={name} x={at * 10 + 1} width={8} y={60 - (58 * n) / most} height={(58 * n) / most || 0.5}>
            <title>{`${name}: ${say(n)}`}</title>
          </rect>
        ))}
      </svg>
      <div className="row apart quiet" aria-hidden="true">
        <span>{bars[0]?.[0]}</span>
        <span>{bars.at(-1)?.[0]}</span>
      </div>
      <table className="hidden">
        <caption>{title}</caption>
        <tbody>
          {bars.map(([name, n]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{say(n)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
