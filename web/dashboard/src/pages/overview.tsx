// The first page: how the fleet is, and what to do when there is none.

import { useQuery } from "@tanstack/react-query";
import { Suspense, lazy, useMemo } from "react";
import { get, query } from "../api";
import { useChange, useEvery, useLive } from "../live/hooks";
import { Checklist } from "../parts/checklist";
import { here } from "../parts/civil";
import { Card, Change, Days, Kinds } from "../parts/figures";
import { perMinute, withGaps } from "../parts/series";
import { counts as countsOf, lastHours } from "../parts/trend";
import { Bones, Empty, Heading, Loaded, useNow } from "../parts/ui";
import type { Device, Stats } from "../types";
import { ago, bytes, number, playWord, t } from "../words";

const Chart = lazy(() => import("../parts/chart").then((m) => ({ default: m.Chart })));
const RATE_OVER_S = 300;

export function Overview() {
  const stats = useQuery({
    queryKey: ["/dashboard/stats"],
    queryFn: () => get(`/dashboard/stats${query({ tz: here() })}`),
    refetchInterval: 15_000,
  });
  const rate = useQuery({
    queryKey: ["rate"],
    queryFn: async () => {
      const start = new Date(Date.now() - RATE_OVER_S * 1000).toISOString();
      const { feed_values } = await get(`/dashboard/stats${query({ start })}`);
      return perMinute(feed_values.points, feed_values.end);
    },
    refetchInterval: 10_000,
  });
  useChange("alarms", () => stats.refetch());
  return (
    <>
      <Heading title={t("Overview")} />
      <Loaded of={stats}>{(said) => <Figures stats={said} rate={rate.data} />}</Loaded>
    </>
  );
}

type Points = Stats["feed_values"]["points"];

/** Readings of each bucket; the last one, which still grows, apart. */
function counts(points: Points, bucketS: number, end: number) {
  const times = points.map((each) => Date.parse(each.ts) / 1000);
  const last = times.length - 1;
  const isRunning = last >= 0 && (times[last] as number) + bucketS > end;
  const whole = points.map((each, n) => (isRunning && n === last ? null : each.count));
  const running = points.map((each, n) => (isRunning && n >= last - 1 ? each.count : null));
  return withGaps([times, whole, running], 1.5 * bucketS);
}

export const countOnline = (devices: Iterable<Device>): number => {
  let online = 0;
  for (const device of devices) if (device.status !== "offline") online += 1;
  return online;
};

function Figures({ stats, rate }: { stats: Stats; rate: number | undefined }) {
  const live = useLive();
  const now = useNow();
  useEvery("devices");
  const total = live.hasList ? live.devices.size : stats.total_devices;
  const online = live.hasList ? countOnline(live.devices.values()) : stats.online_devices;
  const { points, bucket_s, end } = stats.feed_values;
  const { series, gaps } = useMemo(() => counts(points, bucket_s, Date.parse(end) / 1000), [points, bucket_s, end]);
  if (!total) {
    return (
      <>
        <Checklist devices={0} />
        <Empty title={t("No devices yet")}>
          <p>{t("Add a device to get its credentials and a command that sends a first reading.")}</p>
          <a className="button" href="#/devices">
            {t("Add device")}
          </a>
        </Empty>
      </>
    );
  }
  // What was cancelled includes all that a change of a schedule replaced.
  const occurrences = Object.entries(stats.schedules.occurrences).filter(([state]) => state !== "cancelled");
  return (
    <>
      <Checklist devices={total} />
      <div className="cards six">
        <Card name={t("Devices")} value={number(total)} href="#/devices" />
        <Card name={t("Online")} value={number(online)} hint={`${number(total ? (100 * online) / total : 0, 0)} %`} href="#/map" />
        <Card
          name={t("Readings per minute")}
          value={rate === undefined ? "…" : number(rate, 1)}
          hint={<Change {...lastHours(points, bucket_s, Date.parse(end) / 1000)} title={t("compared with the hour before")} />}
          trend={countsOf(points, bucket_s, Date.parse(end) / 1000)}
        />
        <Card name={t("Open alarms")} value={number(stats.open_alarms)} href="#/alarms" />
        <Card
          name={t("Next schedule")}
          value={stats.schedules.next_at ? ago(stats.schedules.next_at, now) : "–"}
          hint={occurrences.map(([state, count]) => `${playWord(state)} ${count}`).join(", ")}
          href="#/schedules"
        />
        <Card
          name={t("Orders in the last 24 hours")}
          value={number(stats.recent_orders.count)}
          hint={t("{total} in total", { total: stats.recent_orders.total })}
          trend={stats.orders_by_day.map((each) => each.count)}
          href="#/shop"
        />
      </div>
      <section className="sheet">
        <h2>{t("Readings")}</h2>
        {points.length ? (
          <Suspense fallback={<Bones />}>
            <Chart
              label={t("Readings over the last day")}
              data={series}
              gaps={gaps}
              fromZero
              lines={[{ name: t("Readings") }, { name: t("Not complete yet"), dash: true }]}
              range={[Date.parse(stats.feed_values.start) / 1000, Date.parse(stats.feed_values.end) / 1000]}
            />
          </Suspense>
        ) : (
          <p className="quiet">{t("No data in this range")}</p>
        )}
      </section>
      <div className="grid">
        <section className="sheet">
          <Kinds
            title={t("Media by type ({size})", { size: bytes(stats.media.bytes) })}
            bars={Object.entries(stats.media.by_type).map(([kind, tally]) => [kind, tally.count])}
          />
        </section>
        <section className="sheet">
          <Days title={t("Orders by day")} bars={stats.orders_by_day.map((each) => [each.day, each.count])} />
        </section>
        <section className="sheet">
          <h2>{t("Stock")}</h2>
          <dl className="facts">
            <dt>{t("Products")}</dt>
            <dd>{number(stats.products.count)}</dd>
            <dt>{t("Units in stock")}</dt>
            <dd>{number(stats.products.stock)}</dd>
            <dt>{t("Out of stock")}</dt>
            <dd>{number(stats.products.out_of_stock)}</dd>
            <dt>{t("Inventory value")}</dt>
            <dd>{stats.products.worth}</dd>
          </dl>
          <StockBars />
        </section>
      </div>
    </>
  );
}

function StockBars() {
  const products = useQuery({
    queryKey: ["/products", "lowest"],
    queryFn: () => get<{ items: { name: string; stock: number }[] }>("/products?sort=stock&limit=12"),
  });
  if (!products.data?.items.length) return null;
  return <Kinds title={t("Low stock")} bars={products.data.items.map((each) => [each.name, each.stock])} />;
}
