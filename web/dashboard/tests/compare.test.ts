import { expect, test } from "vitest";
import { colourOf, compareAddress, idsOf, unitsOf } from "../src/pages/compare_address";

test("the address names each feed once, in its order", () => {
  expect(idsOf("b,a,,b, c")).toEqual(["b", "a", "c"]);
  expect(idsOf("")).toEqual([]);
});

test("what a comparison shows comes back from its address", () => {
  const said = new URLSearchParams(compareAddress(["a", "b"], { last: 3_600 }).split("?")[1]);
  expect(idsOf(said.get("feeds") ?? "")).toEqual(["a", "b"]);
  expect(said.get("last")).toBe("3600");
  expect(said.has("from")).toBe(false);
});

test("feeds of one unit share a scale", () => {
  expect(unitsOf([{ unit: "°C" }, { unit: "%" }, { unit: "°C" }, { unit: "" }, { unit: null }])).toEqual(["°C", "%", null]);
});

test("six feeds have six colours", () => {
  expect(new Set([0, 1, 2, 3, 4, 5].map(colourOf)).size).toBe(6);
});
