// Civil times of a zone and back, by what the browser knows of time zones.

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one costs as much as a hundred uses. */
function parts(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  formats.set(zone, made);
  return made;
}

/** "2026-11-25T08:30:00" in a zone. */
export function civil(instant: number, zone: string): string {
  const said = Object.fromEntries(parts(zone).formatToParts(instant).map(({ type, value }) => [type, value]));
  return `${said.year}-${said.month}-${said.day}T${said.hour}:${said.minute}:${said.second}`;
}

/**
 * The instant (ms) of a civil time; one that exists twice is the first, one that does not exist is
 * taken with the offset before the gap, as the server does it (RFC 5545 §3.3.5).
 */
export function instant(text: string, zone: string): number {
  const asked = text.length === 16 ? `${text}:00` : text.slice(0, 19);
  const wanted = Date.parse(`${asked}Z`);
  const offset = (at: number): number => Date.parse(`${civil(at, zone)}Z`) - (at - (at % 1_000));
  const before = wanted - offset(wanted - 86_400_000);
  const after = wanted - offset(wanted + 86_400_000);
  const fits = [before, after].filter((at) => civil(at, zone) === asked);
  return fits.length ? Math.min(...fits) : before;
}

const DAY_MS = 86_400_000;

/** "2026-11-25" and so many days later, or earlier. */
export const later = (day: string, days: number): string => new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);

/** The same day of another month, or its last one. */
export function monthsLater(day: string, months: number): string {
  const [year, month, date] = day.split("-").map(Number) as [number, number, number];
  const last = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return new Date(Date.UTC(year, month - 1 + months, Math.min(date, last))).toISOString().slice(0, 10);
}

/** The Monday of a day's week. */
export const monday = (day: string): string => later(day, -((new Date(Date.parse(day)).getUTCDay() + 6) % 7));

export const isDay = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));

/** The days of a month's calendar, from a Monday to a Sunday: at most six weeks of "2026-11-25". */
export function weeks(year: number, month: number): string[] {
  const first = new Date(Date.UTC(year, month, 1));
  const start = first.getTime() - ((first.getUTCDay() + 6) % 7) * 86_400_000;
  const last = Date.UTC(year, month + 1, 0);
  const days: string[] = [];
  for (let at = start; at <= last || days.length % 7; at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

// Browsers go on with names that the zones had once; these are what people call them now.
const NOW: Record<string, string> = {
  "Asia/Calcutta": "Asia/Kolkata",
  "Asia/Katmandu": "Asia/Kathmandu",
  "Asia/Rangoon": "Asia/Yangon",
  "Asia/Saigon": "Asia/Ho_Chi_Minh",
  "Europe/Kiev": "Europe/Kyiv",
  "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
};
const named = (zone: string): string => NOW[zone] ?? zone;

export const zones = (): string[] => [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone").map(named).sort()])];
export const here = (): string => named(Intl.DateTimeFormat().resolvedOptions().timeZone);
