import { expect, test } from "vitest";
import { changes, conflicts, keptMine, saved, settled, typed, without } from "../src/parts/draft";

const stored = { name: "Lamp", stock: "20" };

test("only what was typed is sent, and a field typed back is unchanged", () => {
  const draft = typed({}, "name", "Lantern", "Lamp");
  expect(changes(draft, stored)).toEqual({ name: "Lantern" });
  expect(typed(draft, "name", "Lamp", "Lamp")).toEqual({});
});

test("an untouched field follows what changed elsewhere", () => {
  const draft = typed({}, "name", "Lantern", "Lamp");
  const later = { ...stored, stock: "15" };
  expect(conflicts(draft, later)).toEqual([]);
  expect(changes(draft, later)).toEqual({ name: "Lantern" });
});

test("a field that both changed is a conflict until somebody decides", () => {
  const draft = typed({}, "stock", "30", "20");
  const later = { ...stored, stock: "15" };
  expect(conflicts(draft, later)).toEqual(["stock"]);
  const mine = keptMine(draft, "stock", "15");
  expect(conflicts(mine, later)).toEqual([]);
  expect(changes(mine, later)).toEqual({ stock: "30" });
  expect(changes(without(draft, "stock"), later)).toEqual({});
  // It changes once more.
  expect(conflicts(mine, { ...stored, stock: "14" })).toEqual(["stock"]);
});

test("the same change here and elsewhere is no conflict, and is not sent", () => {
  const draft = typed({}, "stock", "15", "20");
  const later = { ...stored, stock: "15" };
  expect(conflicts(draft, later)).toEqual([]);
  expect(changes(draft, later)).toEqual({});
});

test("what is stored as it was typed is settled: what is typed next is typed over that", () => {
  const draft = typed({}, "stock", "15", "20");
  const later = { ...stored, stock: "15" };
  expect(settled(draft, later)).toEqual({});
  expect(settled(draft, stored)).toBe(draft);
  expect(conflicts(typed(settled(draft, later), "stock", "16", "15"), later)).toEqual([]);
  // A tick that was set on both sides, and taken away here.
  const tick = typed(typed({}, "on", "on", ""), "on", "", "on");
  expect(conflicts(settled(tick, { on: "on" }), { on: "on" })).toEqual([]);
  expect(changes(tick, { on: "on" })).toEqual({ on: "" });
});

test("what is typed while a save is under way stays", () => {
  const draft = typed(typed({}, "name", " Lantern ", "Lamp"), "stock", "3", "20");
  const sent = changes(draft, stored);
  const now = { name: "Lantern", stock: "3" };
  expect(saved(draft, sent, now)).toEqual({});
  const meanwhile = typed(typed(draft, "stock", "30", "20"), "sku", "L-2", "L");
  const rest = saved(meanwhile, sent, { ...now, sku: "L" });
  expect(conflicts(rest, { ...now, sku: "L" })).toEqual([]);
  expect(changes(rest, { ...now, sku: "L" })).toEqual({ stock: "30", sku: "L-2" });
});
