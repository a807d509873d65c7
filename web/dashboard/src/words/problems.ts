// What went wrong in the reader's language: by the code of the API, never by its English text.

import { capital, language, number, t, word } from ".";
import english from "./problems.json";
import { viProblems } from "./vi_problems";
import { viRecords } from "./vi_records";

export const vietnamese: Record<keyof typeof english, string> = { ...viProblems, ...viRecords };

/** What is wrong with a field or a request, as the API says it beside its English text. */
export interface Detail {
  code: string;
  params: Record<string, string | number>;
}

// A number with more digits than these says no more by them.
const DIGITS = 6;
const EXPONENT_FROM = 1e15;

const shown = (name: string, value: string | number): string => {
  if (typeof value === "number") return Math.abs(value) < EXPONENT_FROM ? number(value, DIGITS) : String(value);
  return name === "state" ? word(value).toLowerCase() : value;
};

/** The text of a code; null for one that this page does not know. */
export function detailText({ code, params }: Detail): string | null {
  const texts: Record<string, string> = language() === "vi" ? vietnamese : english;
  if (!Object.hasOwn(texts, code)) return null;
  return (texts[code] as string).replace(/\{(\w+)\}/g, (whole, name: string) => shown(name, params[name] ?? whole));
}

/** A text about a field, with the label that stands beside it. */
export function fieldText(label: string, detail: Detail): string {
  const text = detailText(detail) ?? (detailText({ code: "not_valid", params: {} }) as string);
  return /^\p{Ll}/u.test(text) ? `${label} ${text}` : `${label}: ${text}`;
}

/** What a stored record says of itself: its English text, and the code of it where the words are Roost's. */
export interface Told {
  detail: string | null;
  code: string | null;
  params: Detail["params"];
}

/** Its text in the reader's language; as it was stored where there is no code, as in records of before. */
export function toldText({ detail, code, params }: Told): string {
  return (code && detailText({ code, params })) || detail || "";
}

/** The same as a sentence of its own; words of a device or of a receiver are a quotation. */
export function toldOrQuoted(told: Told): string {
  if (told.detail && !told.code) return `“${told.detail}”`;
  const text = toldText(told);
  // The name of a host or a field stays as it is.
  return Object.values(told.params).some((value) => text.startsWith(String(value))) ? text : capital(text);
}

/** What people call a field where none of its name is in sight. */
export function labelOf(name: string): string {
  const labels: Record<string, string> = {
    enabled: t("Enabled"),
    file: t("File"),
    key: t("Key"),
    recurrence: t("Recurrence rule"),
    timezone: t("Time zone"),
    token: t("The link"),
    trigger_time: t("Start"),
    url: "URL",
  };
  return labels[name] ?? t("A value");
}
