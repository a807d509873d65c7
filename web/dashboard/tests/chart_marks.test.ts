import { expect, test } from "vitest";
import { hasLimits, periodsOf } from "../src/parts/chart_marks";
import type { Alarm } from "../src/types";

test("an alarm lasts from its first reading until it cleared, or still", () => {
  const since = "2026-01-01T00:00:00Z";
  const at = Date.parse(since) / 1000;
  const alarms = [{ since, cleared_at: "2026-01-01T00:01:00Z" }, { since, cleared_at: null }] as Alarm[];
  expect(periodsOf(alarms)).toEqual([[at, at + 60], [at, null]]);
});

test("one limit is enough for a band", () => {
  expect(hasLimits({ min_value: 0, max_value: null })).toBe(true);
  expect(hasLimits({ min_value: null, max_value: null })).toBe(false);
});
