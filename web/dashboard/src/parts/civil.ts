// Civil times of a zone and back, by what the browser knows of time zones.

const parts = (zone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
  });

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
