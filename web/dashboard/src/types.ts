// What pages show, by the names that they have here. The shapes are those of the OpenAPI document (`api_types.ts`,
// which `python -m web.api_types` writes); narrower only where the document has no list of the words.

import type {
  AlarmView, CalendarEntry, CalendarView, CommandView, DashboardStats, DeviceResource, FeedView, MediaView, OccurrenceView,
  OrderDayView, OrderView, ProductView, ReadingView, ScheduleView, SeenView, SiteView, UserView,
} from "./api_types";

export type { DeviceCreated, DeviceResource, MediaStats, MqttAccess, Page, Tally } from "./api_types";

export type Site = SiteView;
export type User = UserView;

/** What the WebSocket tells of a device. */
export type Device = Pick<
  DeviceResource,
  "id" | "device_code" | "name" | "status" | "temperature" | "humidity" | "latitude" | "longitude" | "firmware" | "last_seen"
>;

export type SeenMessage = SeenView;

export type Value = number | string | boolean;
export type Kind = FeedView["kind"];
export type Severity = "info" | "warning" | "critical";

export type Feed = Omit<FeedView, "alarm" | "on_violation"> & {
  on_violation: "reject" | "flag";
  alarm: { after_s: number; after_count: number; hysteresis: number; severity: Severity };
};

/** What is not so is left out. */
export type Reading = Omit<ReadingView, "flagged"> & { flagged?: boolean };

export type Command = CommandView;
export type Occurrence = OccurrenceView;
export type Schedule = Omit<ScheduleView, "misfire"> & { misfire: "fire" | "skip" };
export type Play = CalendarEntry;
export type Plays = CalendarView;
export type Alarm = Omit<AlarmView, "severity"> & { severity: Severity };
export type Media = MediaView;
export type Product = ProductView;
export type Order = OrderView;
export type OrderDay = OrderDayView;
export type Stats = DashboardStats;
