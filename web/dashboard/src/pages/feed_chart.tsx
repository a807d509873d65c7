// The curve of a feed, live, and as far back as anybody looks.

import { useRef } from "react";
import { setParameters, useSearch } from "../address";
import { useLastValue } from "../live/hooks";
import { Chart } from "../parts/chart";
import { hasLimits } from "../parts/chart_marks";
import { measured, rounded } from "../parts/measured";
import { type Span, around, clamped, edges, firstSpan, isLive, read, written } from "../parts/span";
import { Action, Loaded, useNow } from "../parts/ui";
import type { Feed } from "../types";
import { t } from "../words";
import { useMarks } from "./feed_marks";
import { RangeControls, saveCsv } from "./feed_range";
import { type History, useHistory, useSeries } from "./feed_series";

const seconds = (time: string | null): number | null => (time === null ? null : Date.parse(time) / 1000);

export function FeedChart({ feed }: { feed: Feed }) {
  useNow(1_000); // a live range moves on without readings, too
  const now = Date.now() / 1000;
  const last = seconds(useLastValue(feed).ts);
  const search = useSearch();
  // The range that it opens with stays while readings come.
  const opened = useRef<Span | null>(null);
  opened.current ??= firstSpan(seconds(feed.last_value_at), now);
  const span = read(search, now) ?? opened.current;
  const choose = (chosen: Span) => setParameters(written(chosen));
  const [from, to] = edges(span, now);
  const history = useHistory(feed, span);
  const shown = useSeries(feed, history.data, span);
  const { marks, periods } = useMarks(feed, span);
  // Of another range, until the answer is there.
  const isOld = history.isPlaceholderData;
  const lines = shown.isRaw
    ? [{ name: feed.name, isExact: true }]
    : [
        { name: t("Avg") },
        { name: t("Min"), tone: "quiet" as const, isExact: true },
        { name: t("Max"), tone: "quiet" as const, isExact: true },
        { name: t("Not complete yet"), dash: true },
      ];
  return (
    <section className="sheet">
      <RangeControls span={span} now={now} choose={choose}>
        <Action run={() => saveCsv(feed, span)} said={t("Exported")}>
          {t("Export CSV")}
        </Action>
      </RangeControls>
      <Loaded of={history}>
        {(found) => (
          <div className="plot" data-from={from} data-to={to} data-testid="plot">
            <Chart
              label={t("Readings of {name}", { name: feed.name })}
              data={shown.series}
              gaps={shown.gaps}
              lines={lines}
              unit={feed.unit}
              limits={hasLimits(feed) ? [{ low: feed.min_value, high: feed.max_value, scale: "y", colour: "--brand", edge: "--bad" }] : []}
              marks={marks}
              periods={periods}
              height={340}
              range={[from, to]}
              onRange={(a, b) => choose(clamped(a, b, now))}
            />
            {shown.isEmpty && isOld && (
              <p className="nothing" role="status">
                {t("Loading…")}
              </p>
            )}
            {shown.isEmpty && !isOld && (
              <p className="nothing" role="status">
                {t("No data in this range")}{" "}
                {last !== null && !(last >= from && last <= to) && (
                  <button type="button" onClick={() => choose(last > now - 300 ? { last: 300 } : around(last, now))}>
                    {t("Show latest data")}
                  </button>
                )}
              </p>
            )}
            <Figures history={isOld ? null : found} unit={feed.unit} isLive={isLive(span)} />
          </div>
        )}
      </Loaded>
    </section>
  );
}

function Figures({ history, unit, isLive }: { history: History | null; unit: string | null; isLive: boolean }) {
  const known = history?.statistics;
  const figure = (value: string) => `${value} ${unit ?? ""}`.trim();
  return (
    <>
      {known && (
        <p className="row figures" data-count={known.count} data-testid="statistics">
          <span>{t("Min {value}", { value: figure(measured(known.min)) })}</span>
          <span>{t("Avg {value}", { value: figure(rounded(known.avg)) })}</span>
          <span>{t("Max {value}", { value: figure(measured(known.max)) })}</span>
          <span>{t("{n} readings", { n: known.count })}</span>
        </p>
      )}
      <p className="quiet">
        {isLive ? t("Live. Drag on the chart to zoom.") : t("Fixed range. Pick a range above to return to live.")}
      </p>
    </>
  );
}
