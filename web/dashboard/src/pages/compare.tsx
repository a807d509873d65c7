// Several feeds in one chart: an axis for each unit, one range, and what each came to.

import { useRef, useState } from "react";
import { setParameters, useParameter, useSearch } from "../address";
import { useLastValue, useLive, useTopic } from "../live/hooks";
import { AXES_MAX, Chart } from "../parts/chart";
import { type Limits, hasLimits, scaleName } from "../parts/chart_marks";
import { DeviceLink } from "../parts/device_name";
import { Rows } from "../parts/lists";
import { measured, rounded } from "../parts/measured";
import { type Span, clamped, edges, firstSpan, isLive, read, written } from "../parts/span";
import { inWords } from "../parts/toasts";
import { Bones, Empty, Heading, useNow } from "../parts/ui";
import type { Feed } from "../types";
import { t } from "../words";
import { FEEDS_MAX, colourOf, idsOf, unitsOf } from "./compare_address";
import { PickFeeds } from "./compare_pick";
import { useAlarms, useCompared, useFound } from "./compare_series";
import { RangeControls } from "./feed_range";

export default function ComparePage() {
  const [said, setSaid] = useParameter("feeds");
  const [isPicking, setPicking] = useState(false);
  const all = idsOf(said);
  const ids = all.slice(0, FEEDS_MAX);
  const found = useFound(ids);
  const numbers = found.feeds.filter(({ kind }) => kind === "number");
  const without = (gone: readonly string[]) => setSaid(ids.filter((id) => !gone.includes(id)).join());
  const pick = (
    <button type="button" onClick={() => setPicking(true)}>
      {t("Choose feeds")}
    </button>
  );
  return (
    <>
      <Heading title={t("Compare feeds")} trail={[["/feeds", t("Feeds")]]}>
        {pick}
      </Heading>
      {found.unknown.length > 0 && (
        <p className="problem row apart" role="status">
          {t("{n} feeds of this address were not found. They may have been deleted.", { n: found.unknown.length })}
          <button type="button" onClick={() => without(found.unknown)}>
            {t("Remove from the comparison")}
          </button>
        </p>
      )}
      {found.feeds.filter(({ kind }) => kind !== "number").map((feed) => (
        <p key={feed.id} className="problem row apart" role="status">
          {t("{name} has no numbers to compare.", { name: feed.name })}
          <button type="button" onClick={() => without([feed.id])}>
            {t("Remove from the comparison")}
          </button>
        </p>
      ))}
      {all.length > FEEDS_MAX && (
        <p className="problem" role="status">
          {t("Up to {many} feeds can be compared. The others of this address are not shown.", { many: FEEDS_MAX })}
        </p>
      )}
      {found.error ? (
        <p className="problem" role="alert">
          {inWords(found.error)}
        </p>
      ) : null}
      {found.isPending ? (
        <Bones />
      ) : numbers.length ? (
        <Compared feeds={numbers} colours={numbers.map(({ id }) => colourOf(ids.indexOf(id)))} leave={(id) => without([id])} />
      ) : (
        <Empty title={t("Nothing to compare yet")}>
          <p>{t("Choose up to {many} feeds to see them in one chart.", { many: FEEDS_MAX })}</p>
          {pick}
        </Empty>
      )}
      {isPicking && (
        <PickFeeds
          chosen={numbers.map(({ id }) => id)}
          close={() => setPicking(false)}
          choose={(chosen) => {
            setPicking(false);
            setSaid(chosen.join());
          }}
        />
      )}
    </>
  );
}

const seconds = (time: string | null): number => (time === null ? -Infinity : Date.parse(time) / 1000);

interface ComparedProps {
  feeds: Feed[];
  colours: string[];
  leave: (id: string) => void;
}

function Compared({ feeds, colours, leave }: ComparedProps) {
  useNow(1_000); // a live range moves on without readings, too
  const now = Date.now() / 1000;
  const search = useSearch();
  const last = Math.max(...feeds.map((feed) => seconds(feed.last_value_at)));
  const opened = useRef<Span | null>(null);
  opened.current ??= firstSpan(Number.isFinite(last) ? last : null, now);
  const span = read(search, now) ?? opened.current;
  const choose = (chosen: Span) => setParameters(written(chosen));
  const [from, to] = edges(span, now);
  const units = unitsOf(feeds);
  const scales = feeds.map(({ unit }) => units.indexOf(unit || null));
  const shown = useCompared(feeds, span);
  const alarms = useAlarms(feeds, span, scales);
  const names = useNames(feeds);
  const isEmpty = !shown.series[0].some((at) => at >= from && at <= to + 1);
  const limits = feeds.flatMap((feed, at): Limits[] =>
    hasLimits(feed) ? [{ low: feed.min_value, high: feed.max_value, scale: scaleName(scales[at]), colour: colours[at] as string, edge: colours[at] as string }] : [],
  );
  return (
    <section className="sheet">
      <RangeControls span={span} now={now} choose={choose} />
      <div className="plot" data-from={from} data-to={to} data-testid="plot">
        <Chart
          label={t("Readings of {name}", { name: names.join(", ") })}
          data={shown.series}
          gaps={shown.gaps}
          lines={feeds.map((_feed, at) => ({ name: names[at] as string, colour: colours[at], scale: scales[at], isExact: shown.isRaw[at] }))}
          units={units}
          limits={limits}
          marks={alarms.marks}
          periods={alarms.periods}
          height={380}
          range={[from, to]}
          onRange={(a, b) => choose(clamped(a, b, now))}
        />
        {isEmpty && (
          <p className="nothing" role="status">
            {shown.isPending ? t("Loading…") : t("No data in this range")}
          </p>
        )}
      </div>
      {shown.errors.map((error, at) =>
        error ? (
          <p key={feeds[at]?.id} className="problem" role="alert">
            {names[at]}: {inWords(error)}
          </p>
        ) : null,
      )}
      {units.length > AXES_MAX && (
        <p className="quiet">
          {t("Without an axis, on a scale of their own: {units}. Their values are at the pointer and in the table.", {
            units: units.slice(AXES_MAX).map((unit) => unit ?? t("no unit")).join(", "),
          })}
        </p>
      )}
      <Table feeds={feeds} colours={colours} statistics={shown.statistics} leave={leave} />
      <p className="quiet">
        {isLive(span) ? t("Live. Drag on the chart to zoom.") : t("Fixed range. Pick a range above to return to live.")}
      </p>
    </section>
  );
}

/** With the devices' names where they have several. */
function useNames(feeds: readonly Feed[]): string[] {
  const live = useLive();
  useTopic("names");
  const isOne = new Set(feeds.map((feed) => feed.device_id)).size === 1;
  return feeds.map(({ name, device_id }) => {
    const device = device_id && live.devices.get(device_id)?.name;
    return isOne || !device ? name : `${name} · ${device}`;
  });
}

interface TableProps extends ComparedProps {
  statistics: ReturnType<typeof useCompared>["statistics"];
}

function Table({ feeds, colours, statistics, leave }: TableProps) {
  return (
    <Rows
      caption={t("Statistics")}
      head={[t("Feed"), t("Device"), t("Latest value"), t("Minimum"), t("Average"), t("Maximum"), t("Readings"), ""]}
      items={feeds.map((feed, at) => ({ feed, at }))}
      id={({ feed }) => feed.id}
      row={({ feed, at }) => {
        const known = statistics[at];
        const figure = (value: string) => `${value} ${feed.unit ?? ""}`.trim();
        return [
          <span className="named-line">
            <i className="swatch" style={{ background: `var(${colours[at]})` }} />
            <a href={`#/feeds/${feed.id}`}>{feed.name}</a>
          </span>,
          feed.device_id && <DeviceLink id={feed.device_id} />,
          <Latest feed={feed} />,
          known ? figure(measured(known.min)) : "–",
          known ? figure(rounded(known.avg)) : "–",
          known ? figure(measured(known.max)) : "–",
          known ? known.count : 0,
          <button type="button" aria-label={t("Remove {name}", { name: feed.name })} onClick={() => leave(feed.id)}>
            {t("Remove")}
          </button>,
        ];
      }}
    />
  );
}

function Latest({ feed }: { feed: Feed }) {
  const { value } = useLastValue(feed);
  return <>{typeof value === "number" ? `${measured(value)} ${feed.unit ?? ""}`.trim() : "–"}</>;
}
