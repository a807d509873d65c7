import { expect, test } from "vitest";
import { openOnes } from "../src/parts/alarms";
import { marksOf } from "../src/parts/chart_marks";
import type { Alarm } from "../src/types";

const alarm = (id: string, changes: Partial<Alarm> = {}): Alarm => ({
  id, device_id: "d", feed_id: "f", kind: "threshold", severity: "warning", state: "active", since: `2026-01-01T00:00:0${id}Z`,
  raised_at: null, acknowledged_at: null, cleared_at: null, value: 60, detail: "", code: null, params: {}, ...changes,
});
const SEEN = { acknowledged_at: "2026-01-01T01:00:00Z" };

test("an alarm that both lists have is one, as it was told last", () => {
  const told = [alarm("1"), alarm("2"), alarm("1", { state: "acknowledged", ...SEEN })];
  expect(openOnes(told).map((each) => [each.id, each.state])).toEqual([["2", "active"], ["1", "acknowledged"]]);
});

test("one that is over and was seen is open no more, one that was not seen is", () => {
  const cleared = alarm("1", { state: "cleared" });
  expect(openOnes([cleared, alarm("2", { state: "cleared", ...SEEN })])).toEqual([cleared]);
  expect(openOnes([alarm("1", SEEN)], (each) => ({ ...each, state: "cleared" }))).toEqual([]);
});

test("a mark stands where the alarm was raised, at the value that raised it", () => {
  const raised = alarm("1", { since: "2026-01-01T00:00:00Z", raised_at: "2026-01-01T00:10:00Z", value: 72.5 });
  expect(marksOf([raised, alarm("2", { value: null })])).toEqual([[Date.UTC(2026, 0, 1, 0, 10) / 1000, 72.5]]);
});
