import { expect, test } from "vitest";
import { changes, conflicts, keptMine, typed, without } from "../src/parts/draft";

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
