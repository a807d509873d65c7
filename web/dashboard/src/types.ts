// What the REST API and the WebSocket send: the parts of /openapi.json that pages show.

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Site {
  signup_open: boolean;
  sends_mail: boolean;
  zalo: { app_id: string; permission_url: string } | null;
  mqtt_url: string | null;
  map_tiles_url: string | null;
  map_attribution: string;
  media_bytes_max: number;
}

export interface User {
  id: string;
  email: string | null;
  full_name: string | null;
  created_at: string;
  idp: string;
}

export interface Device {
  id: string;
  device_code: string;
  name: string;
  status: string;
  temperature: number | null;
  humidity: number | null;
  latitude: number | null;
  longitude: number | null;
  firmware: string | null;
  last_seen: string | null;
}

export interface DeviceResource extends Device {
  offline_after_s: number;
  offline_alarm: boolean;
  created_at: string;
  flood: { at: string; retry_at: string; messages_per_s: number; reason: string } | null;
}

export interface MqttAccess {
  username: string;
  password: string;
  client_id: string;
  topic_prefix: string;
  url: string | null;
}

export interface DeviceCreated extends DeviceResource {
  mqtt: MqttAccess;
}

export interface SeenMessage {
  at: string;
  topic: string;
  payload: string;
  encoding: string;
  size: number;
  qos: number;
  retained: boolean;
  reason: string | null;
  detail: string | null;
}

export type Value = number | string | boolean;
export type Kind = "number" | "text" | "bool";
export type Severity = "info" | "warning" | "critical";

export interface Feed {
  id: string;
  key: string;
  name: string;
  device_id: string | null;
  unit: string | null;
  kind: Kind;
  enabled: boolean;
  min_value: number | null;
  max_value: number | null;
  on_violation: "reject" | "flag";
  alarm: { after_s: number; after_count: number; hysteresis: number; severity: Severity };
  archived: boolean;
  retain_days: number | null;
  created_at: string;
  last_value: Value | null;
  last_value_at: string | null;
}

export interface Reading {
  ts: string;
  value?: Value;
  flagged?: boolean;
  avg?: number;
  min?: number;
  max?: number;
  count?: number;
}

export interface Command {
  id: string;
  device_id: string;
  type: string;
  payload: unknown;
  state: string;
  attempts: number;
  created_at: string;
  expires_at: string;
  sent_at: string | null;
  delivered_at: string | null;
  finished_at: string | null;
  detail: string;
  result: unknown;
}

export interface Occurrence {
  id: string;
  schedule_id: string;
  device_id: string;
  due_at: string;
  state: string;
  command_id: string | null;
  triggered_at: string | null;
  acknowledged_at: string | null;
  completed_at: string | null;
  detail: string;
}

export interface Schedule {
  id: string;
  media_id: string | null;
  device_id: string;
  trigger_time: string;
  timezone: string;
  recurrence: string | null;
  exclusions: string[];
  misfire: "fire" | "skip";
  grace_s: number;
  enabled: boolean;
  state: string;
  next_due_at: string | null;
  created_at: string;
}

/** An entry of the calendar; `id` is null where it is not stored yet. */
export interface Play {
  due_at: string;
  id: string | null;
  schedule_id: string;
  device_id: string;
  media_id: string | null;
  filename: string | null;
  state: string;
  detail: string;
  conflict: boolean;
}

export interface Plays {
  start: string;
  end: string;
  complete: boolean;
  items: Play[];
  unreadable: number;
}

export interface Alarm {
  id: string;
  device_id: string;
  feed_id: string | null;
  kind: string;
  severity: Severity;
  state: string;
  since: string;
  raised_at: string | null;
  acknowledged_at: string | null;
  cleared_at: string | null;
  value: number | null;
  detail: string;
}

export interface Media {
  id: string;
  filename: string;
  content_type: string;
  size: number;
  sha256: string;
  width?: number;
  height?: number;
  created_at: string;
}

export interface Tally {
  count: number;
  bytes: number;
}

export interface MediaStats extends Tally {
  by_type: Record<string, Tally>;
  uploads_per_day: (Tally & { day: string })[];
}

export interface Product {
  id: string;
  name: string;
  sku: string;
  description: string;
  price: string;
  stock: number;
  created_at: string;
}

export interface Order {
  id: string;
  items: { product_id: string; name: string; sku: string; price: string; quantity: number }[];
  total: string;
  status: string;
  note: string;
  created_at: string;
  finished_at: string | null;
}

export interface OrderDay {
  day: string;
  count: number;
  total: string;
  items: number;
}

export interface Stats {
  total_devices: number;
  online_devices: number;
  open_alarms: number;
  recent_orders: { count: number; total: string; items: number };
  feed_values: {
    start: string;
    end: string;
    bucket_s: number;
    points: { ts: string; count: number; avg: number; min: number; max: number }[];
  };
  media: MediaStats;
  schedules: { count: number; enabled: number; next_at: string | null; occurrences: Record<string, number> };
  products: { count: number; stock: number; out_of_stock: number; worth: string };
  orders_by_day: OrderDay[];
}
