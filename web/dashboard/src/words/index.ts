// Words in the reader's language. English texts are the keys; `vi.ts` has the others.
// A test reads every text that the source translates and fails where a translation is missing.

import { useSyncExternalStore } from "react";
import { plurals } from "./plurals";
import { vi } from "./vi";

export type Language = "en" | "vi";
const KEY = "roost.language";
const listeners = new Set<() => void>();

function first(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "en" || kept === "vi") return kept;
  return navigator.language.toLowerCase().startsWith("vi") ? "vi" : "en";
}

let current: Language = typeof localStorage === "undefined" ? "en" : first();

export function setLanguage(language: Language): void {
  current = language;
  localStorage.setItem(KEY, language);
  document.documentElement.lang = language;
  for (const listener of listeners) listener();
}

export const language = (): Language => current;

export function useLanguage(): Language {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, language);
}

/** `context`: which of its meanings, where one English text has several. */
type Filling = Record<string, string | number>;

/**
 * The text in the reader's language; `{name}` is filled from `values`. One English text may need two
 * translations: `t("Open", { context: "alarm state" })` is looked up as "Open|alarm state" first. Of a text whose
 * number matters, `plurals.ts` has the other forms; it is chosen by `n`.
 */
export function t(text: string, values: Filling = {}): string {
  const meant = values.context === undefined ? text : `${text}|${values.context}`;
  const english = plural(text, values.n);
  const said = current === "vi" ? (vi[meant] ?? vi[text] ?? english) : english;
  return said.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name] ?? whole;
    return name === "n" && typeof value === "number" ? number(value) : String(value);
  });
}

/** English says another text for one; Vietnamese has one form. */
function plural(text: string, n: string | number | undefined): string {
  if (typeof n !== "number" || !(text in plurals)) return text;
  return new Intl.PluralRules("en").select(n) === "one" ? (plurals[text] as string) : text;
}

/** A word of a life cycle or a kind, as people say it. */
export const word = (state: string): string => (state in WORDS ? t(WORDS[state] as string) : state);

const WORDS: Record<string, string> = {
  online: "Online", offline: "Offline",
  active: "Active", acknowledged: "Acknowledged", cleared: "Cleared",
  queued: "Queued", sent: "Sent", delivered: "Delivered", succeeded: "Succeeded", failed: "Failed",
  expired: "Expired", cancelled: "Cancelled", pending: "Pending",
  completed: "Completed", missed: "Missed", placed: "Placed", paused: "Paused", finished: "Finished",
  failing: "Failing", disabled: "Disabled", dead: "Failed", threshold: "Threshold",
  loop: "Disconnected in a loop",
  info: "Info", warning: "Warning", critical: "Critical", read: "Read only", write: "Read and write",
  signed_in: "Signed in", signed_out: "Signed out", sign_in_failed: "Sign-in failed",
  session_ended: "Session ended", password_changed: "Password changed", email_changed: "Email changed",
  email_change_asked: "Email change requested", email_change_cancelled: "Email change cancelled",
  email_verification_sent: "Verification link sent", email_verified: "Email verified",
  password_reset_asked: "Password reset requested", device_added: "Device added", device_changed: "Device updated",
  device_deleted: "Device deleted", device_credentials_renewed: "Device credentials regenerated",
  api_key_added: "API key added", api_key_deleted: "API key deleted",
  mqtt_listener_set: "Read-only MQTT access set up", mqtt_listener_deleted: "Read-only MQTT access deleted",
  sign_in_refused: "Sign-in refused (too many attempts)",
  api_key_used: "API key used from a new network",
  feed_added: "Feed added",
  feed_changed: "Feed updated",
  feed_deleted: "Feed deleted",
  history_exported: "Readings exported",
  history_imported: "Readings imported",
  history_deleted: "Readings deleted",
  rejections_deleted: "Rejected messages deleted",
  media_added: "Media uploaded",
  media_deleted: "Media deleted",
  schedule_added: "Schedule created",
  schedule_changed: "Schedule updated",
  schedule_deleted: "Schedule deleted",
  product_added: "Product added",
  product_changed: "Product updated",
  product_deleted: "Product deleted",
  order_added: "Order placed",
  order_completed: "Order completed",
  order_cancelled: "Order cancelled",
  webhook_added: "Webhook added",
  webhook_changed: "Webhook updated",
  webhook_deleted: "Webhook deleted",
  webhook_secret_renewed: "Webhook secret regenerated",
  activity_exported: "Activity log exported",
  recovery_code_used: "Recovery code used",
  recovery_codes_renewed: "Recovery codes renewed",
  second_factor_off: "Two-factor authentication turned off",
  second_factor_on: "Two-factor authentication turned on",
  account_disabled: "Account disabled",
  account_enabled: "Account enabled",
  account_exported: "Account data exported",
};

/** What became of a play: its states have names of alarms and of orders, and other words. */
export const playWord = (state: string): string => (state in PLAYS ? t(PLAYS[state] as string) : word(state));

const PLAYS: Record<string, string> = { triggered: "Sent", acknowledged: "Playing", completed: "Played" };

/** Why a message was rejected. */
export const reasonWord = (reason: string): string => (reason in REASONS ? t(REASONS[reason] as string) : reason);

const REASONS: Record<string, string> = {
  bad_topic: "invalid topic", denied: "topic not allowed", too_large: "message too large",
  not_utf8: "not UTF-8 text", not_json: "invalid JSON", too_deep: "nested too deeply",
  wrong_shape: "unexpected structure", too_many: "too many values", bad_key: "invalid feed key",
  bad_id: "invalid ID", bad_time: "invalid time", bad_value: "invalid value", unknown_feed: "unknown feed",
  feed_disabled: "feed disabled", out_of_range: "out of range", unknown_command: "unknown command",
  too_fast: "rate limit exceeded", internal_error: "internal error", unstorable: "can't be stored",
};
export const ALL_WORDS = [WORDS, PLAYS, REASONS].flatMap((each) => Object.values(each));

export const locale = (): string => (current === "vi" ? "vi-VN" : "en-GB");

export const number = (value: number, digits = 2): string =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);

export const bytes = (size: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = size < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(size) / 3));
  return `${number(size / 1000 ** step, step ? 1 : 0)} ${units[step]}`;
};

export const moment = (time: string | number, timeZone?: string): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium", timeZone }).format(new Date(time));

export const clock = (time: string | number): string =>
  new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(time));

/** "08:30", with its seconds where there are any and `exact` asks for them. */
export const timeOfDay = (time: string, timeZone: string, exact = false): string =>
  new Intl.DateTimeFormat(locale(), {
    hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone, ...(exact && { second: "2-digit" as const }),
  }).format(new Date(time));

/** With a capital at its beginning, as a heading has it. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

export const day = (time: string | number): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium" }).format(new Date(time));

const SKEW_S = 10;

/** "3 minutes ago": how long it is until or since. */
export function ago(time: string | number, now = Date.now()): string {
  const exact = (new Date(time).getTime() - now) / 1000;
  // What a device said a moment ago is not to come, whatever two clocks think of each other.
  const seconds = exact > 0 && exact < SKEW_S ? 0 : exact;
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = steps.find(([, least]) => Math.abs(seconds) >= least) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(Math.round(seconds / size), unit);
}
