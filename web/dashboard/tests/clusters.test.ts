// @vitest-environment happy-dom

import { expect, test } from "vitest";
import { clustered, counted } from "../src/parts/clusters";
import { worse } from "../src/parts/markers";
import { worstOf } from "../src/pages/map";
import { listed } from "../src/pages/map_list";
import type { Device } from "../src/types";

const at = (x: number, y: number, of: string) => ({ x, y, of });

test("devices near each other become one cluster in their middle, others stay alone", () => {
  const found = clustered([at(0, 0, "a"), at(30, 0, "b"), at(100, 0, "c"), at(0, 30, "d")], 40);
  expect(found.map(({ of }) => of)).toEqual([["a", "b", "d"], ["c"]]);
  expect(found[0]?.x).toBeCloseTo(10);
  expect(found[0]?.y).toBeCloseTo(10);
});

test("they find each other across cells of the grid, and on both sides of nought", () => {
  expect(clustered([at(39, 39, "a"), at(41, 41, "b")], 40)).toHaveLength(1);
  expect(clustered([at(-1, -1, "a"), at(1, 1, "b")], 40)).toHaveLength(1);
});

test("no device is lost among many", () => {
  const many = Array.from({ length: 10_000 }, (_, n) => at((n * 7919) % 2560, (n * 104_729) % 1440, String(n)));
  const found = clustered(many);
  expect(new Set(found.flatMap(({ of }) => of)).size).toBe(10_000);
  expect(found.length).toBeLessThan(3_000);
});

test("a count is short", () => {
  expect([2, 999, 1_000, 1_234, 9_960].map(counted)).toEqual(["2", "999", "1.0k", "1.2k", "10k"]);
});

test("the worst of a device's open alarms counts, and none that is over", () => {
  const alarm = (severity: "info" | "warning" | "critical", state: string, device_id = "d") => ({ device_id, severity, state });
  const found = worstOf([alarm("warning", "active"), alarm("critical", "acknowledged"), alarm("info", "active"), alarm("critical", "cleared", "e")]);
  expect([...found]).toEqual([["d", "critical"]]);
  expect(worse(undefined, "info")).toBe("info");
});

test("the list has what is in sight, alarms first; a search finds all, by name or ID, without accents", () => {
  const device = (id: string, name: string) => ({ id, name, device_code: `code-${id}` }) as Device;
  const placed = [device("1", "Sensor 10"), device("2", "Sensor 2"), device("3", "Hồ Gươm")];
  const names = (part: string, seen: string[], alarm?: string) =>
    listed(placed, part, seen, new Map(alarm ? [[alarm, "critical"] as const] : [])).map((each) => each.id);
  expect(names("", ["1", "2"])).toEqual(["2", "1"]);
  expect(names("", ["1", "2"], "1")).toEqual(["1", "2"]);
  expect(names("ho guom", [])).toEqual(["3"]);
  expect(names("CODE-2", ["1"])).toEqual(["2"]);
});
