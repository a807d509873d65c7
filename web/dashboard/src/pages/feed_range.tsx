// Choose what a chart shows: a length up to now, a step, a zoom, or from and to.

import { type ReactNode, useState } from "react";
import { download, query } from "../api";
import { civil, here, instant } from "../parts/civil";
import { RANGES, type Span, clamped, edges, isLive, moved, zoomed } from "../parts/span";
import type { Feed } from "../types";
import { t } from "../words";

interface RangeProps {
  span: Span;
  now: number;
  choose: (span: Span) => void;
  /** What else can be done with the range. */
  children?: ReactNode;
}

export function RangeControls({ span, now, choose, children }: RangeProps) {
  const [from, to] = edges(span, now);
  return (
    <>
      <div className="row">
        {RANGES.map(([name, seconds]) => (
          <button
            key={seconds}
            type="button"
            aria-pressed={isLive(span) && span.last === seconds}
            onClick={() => choose({ last: seconds })}
          >
            {t(name)}
          </button>
        ))}
        <button type="button" aria-label={t("Previous")} onClick={() => choose(moved(span, -0.5, now))}>
          ←
        </button>
        <button type="button" aria-label={t("Next")} disabled={isLive(span)} onClick={() => choose(moved(span, 0.5, now))}>
          →
        </button>
        <button type="button" aria-label={t("Zoom in")} onClick={() => choose(zoomed(span, 0.5, now))}>
          +
        </button>
        <button type="button" aria-label={t("Zoom out")} onClick={() => choose(zoomed(span, 2, now))}>
          −
        </button>
        {children}
      </div>
      <FromTo key={isLive(span) ? "live" : `${from} ${to}`} from={from} to={to} choose={(a, b) => choose(clamped(a, b, now))} />
    </>
  );
}

/** In the browser's own zone. */
function FromTo({ from, to, choose }: { from: number; to: number; choose: (from: number, to: number) => void }) {
  const zone = here();
  const text = (at: number) => civil(at * 1000, zone);
  const [asked, setAsked] = useState<{ from?: string; to?: string }>({});
  const [a, b] = [asked.from ?? text(from), asked.to ?? text(to)];
  const isRange = a < b;
  return (
    <form
      className="row range"
      onSubmit={(event) => {
        event.preventDefault();
        choose(instant(a, zone) / 1000, instant(b, zone) / 1000);
        setAsked({});
      }}
    >
      <label>
        {t("From")}{" "}
        <input type="datetime-local" step={1} required value={a} onChange={(event) => setAsked({ ...asked, from: event.target.value })} />
      </label>
      <label>
        {t("To")}{" "}
        <input type="datetime-local" step={1} required value={b} onChange={(event) => setAsked({ ...asked, to: event.target.value })} />
      </label>
      <button type="submit" disabled={!isRange}>
        {t("Show range")}
      </button>
    </form>
  );
}

/** The readings of a range, as they are stored. */
export function saveCsv(feed: Feed, span: Span): Promise<void> {
  const [from, to] = edges(span, Date.now() / 1000);
  const times = { start: new Date(from * 1000).toISOString(), end: isLive(span) ? undefined : new Date(to * 1000).toISOString() };
  return download(`/feed-values/${feed.id}${query(times)}`, `${feed.key}.csv`, { Accept: "text/csv" });
}
