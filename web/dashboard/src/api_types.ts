// The shapes of the REST API, written by `python -m web.api_types` from its OpenAPI document.

export interface Page<T> {
  items: T[];
  next: string | null;
  unreadable?: number;
}

export interface AccountDeletion {
  password?: string;
  code?: string;
  code_verifier?: string | null;
}

export interface AccountView {
  received: number;
  stored: number;
  duplicate: number;
  refused: number;
  limited: number;
  shed: number;
  unowned: number;
  in_flight: number;
  refusals_not_kept: number;
  refusals_not_kept_at: string | null;
}

export interface AlarmQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  state?: string | null;
  acknowledged?: boolean | null;
  device_id?: string | null;
  feed_id?: string | null;
  severity?: "critical" | "info" | "warning" | null;
  kind?: "loop" | "offline" | "threshold" | null;
}

export interface AlarmRule {
  after_s: number;
  after_count: number;
  hysteresis: number;
  severity: "critical" | "info" | "warning";
}

export interface AlarmView {
  code: string | null;
  params: Record<string, string | number>;
  id: string;
  device_id: string;
  feed_id: string | null;
  kind: string;
  severity: string;
  state: string;
  since: string;
  raised_at: string | null;
  acknowledged_at: string | null;
  cleared_at: string | null;
  value: number | null;
  detail: string;
}

export interface AlarmsToAcknowledge {
  ids: string[];
}

export interface ApiKeyCreated {
  id: string;
  name: string;
  prefix: string;
  scope: "read" | "write";
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  key: string;
}

export interface ApiKeyView {
  id: string;
  name: string;
  prefix: string;
  scope: "read" | "write";
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface AuditQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  action?: "account_disabled" | "account_enabled" | "account_exported" | "activity_exported" | "api_key_added" | "api_key_deleted" | "api_key_used" | "device_added" | "device_changed" | "device_credentials_renewed" | "device_deleted" | "email_change_asked" | "email_change_cancelled" | "email_changed" | "email_verification_sent" | "email_verified" | "feed_added" | "feed_changed" | "feed_deleted" | "history_deleted" | "history_exported" | "history_imported" | "media_added" | "media_deleted" | "mqtt_listener_deleted" | "mqtt_listener_set" | "order_added" | "order_cancelled" | "order_completed" | "password_changed" | "password_reset_asked" | "product_added" | "product_changed" | "product_deleted" | "recovery_code_used" | "recovery_codes_renewed" | "rejections_deleted" | "schedule_added" | "schedule_changed" | "schedule_deleted" | "second_factor_off" | "second_factor_on" | "session_ended" | "sign_in_failed" | "sign_in_refused" | "signed_in" | "signed_out" | "webhook_added" | "webhook_changed" | "webhook_deleted" | "webhook_secret_renewed" | null;
}

export interface AuditView {
  code: string | null;
  params: Record<string, string | number>;
  at: string;
  action: "account_disabled" | "account_enabled" | "account_exported" | "activity_exported" | "api_key_added" | "api_key_deleted" | "api_key_used" | "device_added" | "device_changed" | "device_credentials_renewed" | "device_deleted" | "email_change_asked" | "email_change_cancelled" | "email_changed" | "email_verification_sent" | "email_verified" | "feed_added" | "feed_changed" | "feed_deleted" | "history_deleted" | "history_exported" | "history_imported" | "media_added" | "media_deleted" | "mqtt_listener_deleted" | "mqtt_listener_set" | "order_added" | "order_cancelled" | "order_completed" | "password_changed" | "password_reset_asked" | "product_added" | "product_changed" | "product_deleted" | "recovery_code_used" | "recovery_codes_renewed" | "rejections_deleted" | "schedule_added" | "schedule_changed" | "schedule_deleted" | "second_factor_off" | "second_factor_on" | "session_ended" | "sign_in_failed" | "sign_in_refused" | "signed_in" | "signed_out" | "webhook_added" | "webhook_changed" | "webhook_deleted" | "webhook_secret_renewed";
  subject: string;
  address: string;
  agent: string;
}

export interface BadLine {
  code: string | null;
  params: Record<string, string | number>;
  line: number;
  detail: string;
}

export interface CalendarEntry {
  code: string | null;
  params: Record<string, string | number>;
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

export interface CalendarQuery {
  start: string;
  end: string;
  device_id?: string | null;
}

export interface CalendarView {
  start: string;
  end: string;
  complete: boolean;
  items: CalendarEntry[];
  unreadable: number;
}

export interface CodeSent {
  code: string;
}

export interface CommandView {
  code: string | null;
  params: Record<string, string | number>;
  id: string;
  device_id: string;
  type: string;
  payload: unknown;
  state: string;
  parallel: boolean;
  attempts: number;
  created_at: string;
  expires_at: string;
  sent_at: string | null;
  delivered_at: string | null;
  finished_at: string | null;
  detail: string;
  result: unknown | null;
}

export interface CommandsQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  state?: string | null;
  type?: string | null;
}

export interface Credentials {
  email: string;
  password: string;
  code?: string | null;
}

export interface DashboardStats {
  total_devices: number;
  online_devices: number;
  open_alarms: number;
  recent_orders: OrderSumsView;
  feed_values: ReadingStats;
  media: MediaStats;
  schedules: ScheduleStats;
  products: ProductStats;
  orders_by_day: OrderDayView[];
}

export interface DayTally {
  count: number;
  bytes: number;
  day: string;
}

export interface DeleteQuery {
  purge?: boolean;
}

export interface Deleted {
  deleted: number;
}

export interface DeletionQuery {
  device_id?: string | null;
  reason?: string | null;
  before?: string | null;
}

export interface DeliveriesQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  state?: string | null;
  type?: "alarm.acknowledged" | "alarm.cleared" | "alarm.raised" | "command.cancelled" | "command.expired" | "command.failed" | "command.succeeded" | "schedule.failed" | "schedule.missed" | null;
}

export interface DeliveryView {
  code: string | null;
  params: Record<string, string | number>;
  id: string;
  event_id: string;
  type: string;
  state: string;
  attempts: number;
  last_status: number | null;
  detail: string;
  created_at: string;
  next_try_at: string | null;
  finished_at: string | null;
  payload: unknown;
}

export interface DetailView {
  code: string;
  params: Record<string, string | number>;
}

export interface DeviceChange {
  name?: string;
  offline_after_s?: number;
  offline_alarm?: boolean;
}

export interface DeviceCreated {
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
  offline_after_s: number;
  offline_alarm: boolean;
  created_at: string;
  flood: FloodView | null;
  mqtt: MqttAccess;
}

export interface DeviceResource {
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
  offline_after_s: number;
  offline_alarm: boolean;
  created_at: string;
  flood: FloodView | null;
}

export interface DevicesQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  status?: "offline" | "online" | null;
}

export interface EmailToken {
  token: string;
}

export interface FeedChange {
  name?: string;
  unit?: string | null;
  enabled?: boolean;
  min_value?: number | null;
  max_value?: number | null;
  on_violation?: "flag" | "reject";
  alarm?: AlarmRule;
  retain_days?: number | null;
}

export interface FeedView {
  id: string;
  key: string;
  name: string;
  device_id: string | null;
  unit: string | null;
  kind: "bool" | "number" | "text";
  enabled: boolean;
  min_value: number | null;
  max_value: number | null;
  on_violation: string;
  alarm: AlarmRule;
  archived: boolean;
  retain_days: number | null;
  created_at: string;
  last_value: number | string | boolean | null;
  last_value_at: string | null;
}

export interface FeedsQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  device_id?: string | null;
  kind?: "bool" | "number" | "text" | null;
  has_device?: boolean | null;
}

export interface FloodView {
  at: string;
  retry_at: string;
  messages_per_s: number;
  reason: string;
}

export interface ImportView {
  stored: number;
  duplicate: number;
  refused: number;
  errors: BadLine[];
}

export interface IngestView {
  stored: number;
  duplicate: number;
  refused: number;
  readings: PostedReading[];
}

export interface KeysQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  scope?: "read" | "write" | null;
}

export interface LatestQuery {
  feed_ids: string;
}

export interface LatestView {
  feed_id: string;
  feed_key: string;
  device_id: string | null;
  unit: string | null;
  value: number | string | boolean | null;
  ts: string | null;
}

export interface LinkQuery {
  device?: string | null;
  login?: string | null;
  expires?: number | null;
  signature?: string | null;
}

export interface ListenerCreated {
  username: string;
  client_id_prefix: string;
  topic_prefix: string;
  home_assistant: boolean;
  discovery_prefix: string | null;
  url: string | null;
  created_at: string;
  password: string;
  mosquitto_bridge: string | null;
}

export interface ListenerView {
  username: string;
  client_id_prefix: string;
  topic_prefix: string;
  home_assistant: boolean;
  discovery_prefix: string | null;
  url: string | null;
  created_at: string;
}

export interface MediaQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  content_type?: string | null;
}

export interface MediaStats {
  count: number;
  bytes: number;
  by_type: Record<string, Tally>;
  uploads_per_day: DayTally[];
}

export interface MediaStatsQuery {
  tz?: string;
}

export interface MediaView {
  id: string;
  filename: string;
  content_type: string;
  size: number;
  sha256: string;
  width?: number;
  height?: number;
  created_at: string;
}

export interface MqttAccess {
  username: string;
  password: string;
  client_id: string;
  topic_prefix: string;
  url: string | null;
  ws_url: string | null;
  version: string | null;
}

export interface NewApiKey {
  name: string;
  scope?: "read" | "write";
  expires_at?: string | null;
}

export interface NewCommand {
  type: string;
  payload?: unknown;
  ttl_s?: number;
  parallel?: boolean;
  id?: string | null;
}

export interface NewCredentials {
  mqtt: MqttAccess;
}

export interface NewDevice {
  device_code: string;
  name: string;
  offline_after_s?: number;
  offline_alarm?: boolean;
}

export interface NewFeed {
  key: string;
  name: string;
  device_id?: string | null;
  unit?: string | null;
  kind?: "bool" | "number" | "text";
  enabled?: boolean;
  min_value?: number | null;
  max_value?: number | null;
  on_violation?: "flag" | "reject";
  alarm?: AlarmRule;
  retain_days?: number | null;
}

export interface NewListener {
  home_assistant?: boolean;
}

export interface NewOrder {
  items: NewOrderItem[];
  note?: string;
}

export interface NewOrderItem {
  product_id: string;
  quantity?: number;
}

export interface NewProduct {
  name: string;
  sku: string;
  price: string | number;
  stock?: number;
  description?: string;
}

export interface NewSchedule {
  media_id: string;
  device_id: string;
  trigger_time: string;
  timezone?: string | null;
  recurrence?: string | null;
  exclusions?: string[];
  misfire?: "fire" | "skip";
  grace_s?: number;
  enabled?: boolean;
}

export interface NewUser {
  email: string;
  password: string;
  full_name?: string | null;
}

export interface NewWebhook {
  url: string;
  events?: ("alarm.acknowledged" | "alarm.cleared" | "alarm.raised" | "command.cancelled" | "command.expired" | "command.failed" | "command.succeeded" | "schedule.failed" | "schedule.missed")[] | null;
  description?: string;
  enabled?: boolean;
}

export interface NewWebhookSecret {
  secret: string;
}

export interface OccurrenceQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  state?: string | null;
}

export interface OccurrenceView {
  code: string | null;
  params: Record<string, string | number>;
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

export interface OrderChange {
  status: "cancelled" | "completed";
}

export interface OrderDayView {
  day: string;
  count: number;
  total: string;
  items: number;
}

export interface OrderItemView {
  product_id: string;
  name: string;
  sku: string;
  price: string;
  quantity: number;
}

export interface OrderStats {
  recent: OrderSumsView;
  timezone: string;
  by_day: OrderDayView[];
}

export interface OrderStatsQuery {
  days?: number;
  tz?: string | null;
  timezone?: string;
}

export interface OrderSumsView {
  count: number;
  total: string;
  items: number;
}

export interface OrderView {
  id: string;
  items: OrderItemView[];
  total: string;
  status: string;
  state: string;
  note: string;
  created_at: string;
  finished_at: string | null;
}

export interface OrdersQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  status?: "cancelled" | "completed" | "placed" | null;
}

export interface PasswordAgain {
  current_password: string;
}

export interface PasswordReset {
  token: string;
  password: string;
  revoke?: boolean;
}

export interface PointView {
  ts: string;
  count: number;
  avg: number;
  min: number;
  max: number;
}

export interface PostedReading {
  key: string;
  outcome: "refused" | "stored";
  reason?: string;
  detail?: string;
  code?: string | null;
  params?: Record<string, string | number>;
}

export interface ProblemView {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  params: Record<string, string | number>;
  errors?: Record<string, string>;
  error_codes?: Record<string, DetailView>;
}

export interface ProductChange {
  name?: string;
  sku?: string;
  price?: string | number;
  stock?: number;
  description?: string;
}

export interface ProductStats {
  count: number;
  stock: number;
  out_of_stock: number;
  worth: string;
}

export interface ProductView {
  id: string;
  name: string;
  sku: string;
  description: string;
  price: string;
  stock: number;
  created_at: string;
}

export interface ProductsQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  sku?: string | null;
  in_stock?: boolean | null;
}

export interface ReadingStats {
  start: string;
  end: string;
  bucket_s: number;
  points: PointView[];
}

export interface ReadingView {
  ts: string;
  value?: number | string | boolean;
  flagged: boolean;
  avg?: number;
  min?: number;
  max?: number;
  sum?: number | null;
  count?: number;
}

export interface RecoveryCodes {
  recovery_codes: string[];
}

export interface RejectionView {
  code: string | null;
  params: Record<string, string | number>;
  id: string;
  received_at: string;
  device_id: string | null;
  topic: string;
  payload: string;
  encoding: string;
  reason: string;
  detail: string;
}

export interface RejectionsQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  device_id?: string | null;
  reason?: string | null;
}

export interface ResetAsked {
  email: string;
}

export interface ScheduleChange {
  media_id?: string;
  device_id?: string;
  trigger_time?: string;
  timezone?: string;
  recurrence?: string | null;
  exclusions?: string[];
  misfire?: "fire" | "skip";
  grace_s?: number;
  enabled?: boolean;
}

export interface SchedulePreview {
  due_at: string[];
}

export interface ScheduleQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  device_id?: string | null;
  media_id?: string | null;
  enabled?: boolean | null;
}

export interface ScheduleStats {
  count: number;
  enabled: number;
  next_at: string | null;
  occurrences: Record<string, number>;
}

export interface ScheduleView {
  id: string;
  media_id: string | null;
  device_id: string;
  trigger_time: string;
  timezone: string;
  recurrence: string | null;
  exclusions: string[];
  misfire: string;
  grace_s: number;
  enabled: boolean;
  state: string;
  next_due_at: string | null;
  created_at: string;
}

export interface SearchQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
}

export interface SecondFactorBegun {
  secret: string;
  uri: string;
  qr: string;
}

export interface SecondFactorView {
  enabled: boolean;
  recovery_codes_left: number;
}

export interface SeenView {
  code: string | null;
  params: Record<string, string | number>;
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

export interface SessionView {
  id: string;
  created_at: string;
  expires_at: string;
  address: string;
  agent: string;
  current: boolean;
}

export interface SiteView {
  signup_open: boolean;
  sends_mail: boolean;
  zalo: ZaloSite | null;
  mqtt_url: string | null;
  map_tiles_url: string | null;
  map_attribution: string;
  map_attribution_url: string | null;
  map_zoom_max: number;
  media_bytes_max: number;
}

export interface StatsQuery {
  start?: string | null;
  end?: string | null;
  tz?: string | null;
  timezone?: string;
}

export interface Tally {
  count: number;
  bytes: number;
}

export interface Ticket {
  ticket: string;
  expires_in: number;
}

export interface TimesQuery {
  start?: string | null;
  end?: string | null;
}

export interface Token {
  access_token: string;
  expires_in: number;
  token_type: string;
}

export interface UserChange {
  full_name?: string | null;
  email?: string;
  password?: string;
  current_password?: string;
  revoke?: boolean;
}

export interface UserView {
  id: string;
  email: string | null;
  full_name: string | null;
  created_at: string;
  idp: string;
  email_verified: boolean;
  email_pending: string | null;
}

export interface ValuesOfQuery {
  start?: string | null;
  end?: string | null;
  limit?: number | null;
  cursor?: string | null;
  bucket?: string | null;
  agg?: string;
  tz?: string;
  max_points?: number | null;
  feed_id: string;
}

export interface ValuesQuery {
  start?: string | null;
  end?: string | null;
  limit?: number | null;
  cursor?: string | null;
  bucket?: string | null;
  agg?: string;
  tz?: string;
  max_points?: number | null;
}

export interface WebhookChange {
  url?: string;
  events?: ("alarm.acknowledged" | "alarm.cleared" | "alarm.raised" | "command.cancelled" | "command.expired" | "command.failed" | "command.succeeded" | "schedule.failed" | "schedule.missed")[];
  description?: string;
  enabled?: boolean;
}

export interface WebhookCreated {
  id: string;
  url: string;
  events: string[];
  description: string;
  enabled: boolean;
  state: string;
  failures: number;
  paused_until: string | null;
  dropped: number;
  created_at: string;
  secret: string;
}

export interface WebhookView {
  id: string;
  url: string;
  events: string[];
  description: string;
  enabled: boolean;
  state: string;
  failures: number;
  paused_until: string | null;
  dropped: number;
  created_at: string;
}

export interface WebhooksQuery {
  limit?: number;
  cursor?: string | null;
  sort?: string | null;
  q?: string | null;
  enabled?: boolean | null;
}

export interface ZaloCode {
  code: string;
  code_verifier?: string | null;
}

export interface ZaloSite {
  app_id: string;
  permission_url: string;
}

export interface Reads {
  "/site": SiteView;
  "/users/me": UserView;
  "/users/me/second-factor": SecondFactorView;
  "/sessions": Page<SessionView>;
  "/audit-log": Page<AuditView>;
  "/api-keys": Page<ApiKeyView>;
  "/mqtt-listener": ListenerView;
  "/devices": Page<DeviceResource>;
  "/devices/{device_id}": DeviceResource;
  "/devices/{device_id}/account": AccountView;
  "/devices/{device_id}/messages": Page<SeenView>;
  "/feeds": Page<FeedView>;
  "/feeds/{feed_id}": FeedView;
  "/feed-values/": Page<ReadingView>;
  "/feed-values/latest": Page<LatestView>;
  "/feed-values/{feed_id}": Page<ReadingView>;
  "/rejected-messages": Page<RejectionView>;
  "/devices/{device_id}/commands": Page<CommandView>;
  "/commands/{command_id}": CommandView;
  "/media-schedules": Page<ScheduleView>;
  "/media-schedules/{schedule_id}": ScheduleView;
  "/media-schedules/{schedule_id}/occurrences": Page<OccurrenceView>;
  "/schedule-calendar": CalendarView;
  "/alarms": Page<AlarmView>;
  "/media": Page<MediaView>;
  "/media/stats": MediaStats;
  "/media/{media_id}": MediaView;
  "/webhooks": Page<WebhookView>;
  "/webhooks/{webhook_id}": WebhookView;
  "/webhooks/{webhook_id}/deliveries": Page<DeliveryView>;
  "/products": Page<ProductView>;
  "/products/stats": ProductStats;
  "/products/{product_id}": ProductView;
  "/orders": Page<OrderView>;
  "/orders/stats": OrderStats;
  "/orders/{order_id}": OrderView;
  "/dashboard/stats": DashboardStats;
}
