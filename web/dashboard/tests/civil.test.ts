import { isDay, later, monday, monthsLater } from "../src/parts/civil";
import { expect, test } from "vitest";
import { civil, instant, weeks } from "../src/parts/civil";

const utc = (text: string, zone: string) => new Date(instant(text, zone)).toISOString().slice(0, 16);

test("civil times become instants, also around clock changes", () => {
  expect(utc("2026-11-25T08:30", "Asia/Ho_Chi_Minh")).toBe("2026-11-25T01:30");
  expect(utc("2026-07-01T08:30", "Europe/Berlin")).toBe("2026-07-01T06:30");
  // 02:30 does not exist on 29 March: with the offset before the gap it is 03:30 summer time.
  expect(utc("2026-03-29T02:30", "Europe/Berlin")).toBe("2026-03-29T01:30");
  // 02:30 exists twice on 25 October: the first is still summer time.
  expect(utc("2026-10-25T02:30", "Europe/Berlin")).toBe("2026-10-25T00:30");
  expect(utc("2026-11-01T01:30", "America/New_York")).toBe("2026-11-01T05:30");
  expect(utc("2026-10-04T02:15", "Australia/Lord_Howe")).toBe("2026-10-03T15:45");
});

test("an instant is shown in its zone", () => {
  expect(civil(Date.UTC(2026, 10, 25, 20, 5), "Asia/Ho_Chi_Minh")).toBe("2026-11-26T03:05:00");
});

test("a month is whole weeks from Monday to Sunday", () => {
  const days = weeks(2026, 10);
  expect([days[0], days.at(-1), days.length]).toEqual(["2026-10-26", "2026-12-06", 42]);
  expect(weeks(2027, 1)).toHaveLength(28);
});

test("days and months are counted as on paper", () => {
  expect(later("2026-02-28", 1)).toBe("2026-03-01");
  expect(later("2026-01-01", -1)).toBe("2025-12-31");
  expect(monthsLater("2026-01-31", 1)).toBe("2026-02-28");
  expect(monthsLater("2026-01-15", -1)).toBe("2025-12-15");
  expect(monday("2026-11-30")).toBe("2026-11-30");
  expect(monday("2026-11-29")).toBe("2026-11-23");
  expect(["2026-11-30", "2026-13-01", "x", ""].map(isDay)).toEqual([true, false, false, false]);
});
